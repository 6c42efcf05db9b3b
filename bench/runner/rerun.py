"""Compare the results of a run with those of the same run computed again."""

from collections.abc import Iterator

from bench import display
from bench.keys import changes
from bench.store import Store
from bench.types import Result, Status


def differences(before: Store, after: Store) -> list[str]:
    """Return how the results of two runs of one plan differ, except in cost: one line each.

    Cells are matched by what they are, since another machine or version changes their keys.
    """
    old, new = _by_cell(before), _by_cell(after)
    lines = [f"{display.cell(old[cell])}: only in {before.out}" for cell in old.keys() - new.keys()]
    lines += [f"{display.cell(new[cell])}: only in {after.out}" for cell in new.keys() - old.keys()]
    for cell in old.keys() & new.keys():
        name = display.cell(new[cell])
        lines += [f"{name}: {line}" for line in _changes(old[cell], new[cell])]
    return sorted(lines)


def _by_cell(store: Store) -> dict[object, Result]:
    return {
        (result.dataset, result.task, result.split, result.system, result.seed): result
        for result in store.planned()
    }


def _changes(old: Result, new: Result) -> Iterator[str]:
    """Yield how two results of one cell differ."""
    if old.status != new.status:
        yield f"status {old.status} -> {new.status}"
    scores = [{score.column: score for score in result.scores} for result in (old, new)]
    for metric in dict.fromkeys([*scores[0], *scores[1]]):
        a, b = scores[0].get(metric), scores[1].get(metric)
        if a != b:
            name = " at ".join(metric)
            yield f"{name} {display.score(a)} -> {display.score(b)}"
    if old.status == new.status == Status.OK and old.predictions != new.predictions:
        yield "predictions differ"
    for name in ("inner", "permutations"):
        a, b = getattr(old, name), getattr(new, name)
        if a and b and a != b:  # a run that did not ask for scores in inner folds may have those of another
            yield f"{name}: other scores"
    if old.status == new.status == Status.OK and old.layers != new.layers:
        yield f"layers {list(old.layers)} -> {list(new.layers)}"
    for name in changes(old.env, new.env):
        yield f"{name} {old.env.get(name)} -> {new.env.get(name)}"
