"""Choice of a row in inner folds: which cells it is between, and its predictions on the outer folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench.keys import digest
from bench.learn.scoring import scores
from bench.metrics import METRICS
from bench.types import BASELINE, SELECTED, Cell, Choice, Labels, Result, Status, View

COLUMNS = ["clip", "fold", "group", "y_true", "y_pred"]
"""Columns of chosen predictions: scores of different heads are not on one scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """A row that is chosen for every outer fold, by the scores of inner folds.

    Parameters
    ----------
    key : str
        Digest of the keys of its candidates.
    candidates : Sequence[Cell]
        Cells of one dataset, task, split, seed and training share, in the order of the plan.
    """

    key: str
    candidates: Sequence[Cell]


def selections(cells: Iterable[Cell]) -> list[Selection]:
    """Return a selection for every dataset, task, split, seed and training share with two cells or more.

    The baseline is no candidate.
    """
    pools: dict[object, list[Cell]] = {}
    for cell in cells:
        if cell.head.name != BASELINE:
            pools.setdefault(_pool(cell), []).append(cell)
    return [
        Selection(digest(["selected", sorted(cell.key for cell in pool)]), pool)
        for pool in pools.values()
        if len(pool) > 1
    ]


def select(
    selection: Selection,
    results: Mapping[str, Result],
    predictions: Callable[[Result], pd.DataFrame],
    parents: Mapping[str, str] | None,
) -> tuple[Result, pd.DataFrame | None]:
    """Return the result of a selection and its predictions; no predictions if no row can be chosen.

    Parameters
    ----------
    results : Mapping[str, Result]
        By their keys.
    predictions : Callable[[Result], pd.DataFrame]
        Return the predictions of a candidate.
    parents : Mapping[str, str] | None
        Clip -> the clip that it is a segment of.
    """
    pool = [results[cell.key] for cell in selection.candidates if cell.key in results]
    scored = [result for result in pool if result.status == Status.OK and result.inner]
    task, result = selection.candidates[0].task, _empty(selection)
    if not scored:
        causes = "; ".join(dict.fromkeys(item.reason for item in pool if item.reason))
        reason = f"no row has a score in inner folds: {causes or 'none was computed'}"
        return replace(result, reason=reason), None
    chosen, table = choose(scored, task.metrics[0], predictions)
    parent: Labels | None = None
    if parents is not None:
        parent = table["clip"].map(parents).to_numpy(str)
    first = scored[0]
    return (
        replace(
            result,
            status=Status.OK,
            scores=scores(table, task.metrics, parent),
            chosen=chosen,
            n_train=first.n_train,
            n_test=len(table),
            n_classes=table["y_true"].nunique(),
            n_groups=table["group"].nunique(),
            n_bad=first.n_bad,
            split_digest=first.split_digest,
        ),
        table,
    )


def choose(
    candidates: Sequence[Result], metric: str, predictions: Callable[[Result], pd.DataFrame]
) -> tuple[tuple[Choice, ...], pd.DataFrame]:
    """Return the candidate with the best inner score for every fold, and what these predict on the folds.

    Of equally good candidates the first one counts.
    """
    tables = {result.key: predictions(result) for result in candidates}
    folds = sorted(tables[candidates[0].key]["fold"].unique().tolist())
    sign = 1 if METRICS[metric].higher_is_better else -1
    choices, parts = [], []
    for number, fold in enumerate(folds):
        best = max(candidates, key=lambda result: sign * result.inner[number])
        choices.append(
            Choice(
                fold=fold,
                key=best.key,
                extractor=best.extractor,
                view=best.view,
                head=best.head,
                inner=best.inner[number],
                is_tuned=best.is_tuned,
            )
        )
        table = tables[best.key]
        parts.append(table.loc[table["fold"] == fold, COLUMNS])
    return tuple(choices), pd.concat(parts, ignore_index=True)


def faults(
    selected: Result, results: Iterable[Result], predictions: Callable[[Result], pd.DataFrame]
) -> list[str]:
    """Return how a selected result differs from the choice by its candidates' inner scores."""
    pool = [result for result in results if result.inner and _pool(result) == _pool(selected)]
    if not pool:
        return ["has no candidates"]
    chosen, table = choose(pool, selected.scores[0].metric, predictions)
    lines = []
    if chosen != selected.chosen:
        lines.append("the chosen rows are not the best ones in inner folds")
    if not table.equals(predictions(selected)):
        lines.append("predictions are not those of the chosen rows")
    return lines


def _pool(item: Cell | Result) -> tuple[object, ...]:
    """Return what a row is chosen within."""
    return item.dataset, item.task.name, item.split, item.seed, item.train_size, item.normalise


def _empty(selection: Selection) -> Result:
    """Return the result of a selection without a choice."""
    first = Result.unfinished(selection.candidates[0], Status.FAILED)
    row = replace(first, extractor="", view=View(), head=SELECTED, preprocess=(), is_tuned=False)
    return replace(row, key=selection.key)
