"""World: what changed since a run in its data, splits, extractors, heads and versions.

A record may come from anybody. Its working folder is read for data alone, and names in it that say where code
is are left out, unless that folder is trusted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench import catalog, display
from bench.catalog import Registry, imports
from bench.catalog.learners import JOIN
from bench.errors import BenchError, shortlist
from bench.keys import changes
from bench.request import Request
from bench.runner.planning import Plan, fold_table, plan
from bench.runner.provenance import VERSIONED, versions
from bench.store import RunRecord, Store
from bench.types import BASELINE, Result, Spec

WEIGHTS = ("hf:", "whisper-short:", "fairseq:")
"""Prefixes of names that say where weights are; the code that loads them is installed."""

TRUST = "--trust FOLDER, the run's working folder, runs its code"
"""How to check what was not checked."""

ALL_LAYERS = "layer=all"
"""Part of an extractor's view that stands for a view of each of its layers."""

MOST_LAYERS = 1000
"""Highest layer that ``layer=all`` stands for, whatever a record says."""

ANY_EXTRACTOR = "mfcc"
"""A plan needs an extractor, even if none of the run is compared."""


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A run, planned again.

    Parameters
    ----------
    plan : Plan | None
        The plan; None if the run cannot be planned.
    buildable : frozenset[str]
        Names of the extractors that may be built.
    differences, unchecked : tuple[str, ...]
        A line per difference, and per part that was not compared.
    """

    plan: Plan | None
    buildable: frozenset[str]
    differences: tuple[str, ...]
    unchecked: tuple[str, ...]


def compare(store: Store, record: RunRecord, home: Path, trust: Collection[Path]) -> World:
    """Plan a run again and return how it differs from its record.

    Parameters
    ----------
    trust : Collection[Path]
        Working folders of runs whose registry and plugins are imported.
    """
    folder, here = Path(record.folder).resolve(), Path.cwd()
    is_trusted = folder in {path.resolve() for path in trust}
    texts = _with_layers(record.request.extractors, store.results(sealed=False).values())
    request = replace(record.request, extractors=texts, home=home, reread=True)
    unchecked: list[str] = []
    try:
        declared = catalog.load(folder if is_trusted else None)
        if not is_trusted:
            request = _installed_only(request, declared, unchecked)
        with inside(record):
            now = plan(request, declared)
            names_to_build = {
                cell.extractor.name
                for cell in now.cells
                if is_trusted or _is_own(cell.extractor, declared, folder, here)
            }
    except (BenchError, OSError) as error:
        return World(None, frozenset(), (f"the run cannot be planned again: {error}",), tuple(unchecked))
    return World(now, frozenset(names_to_build), tuple(_changes(store, record, now)), tuple(unchecked))


def _with_layers(texts: Sequence[str], results: Collection[Result]) -> tuple[str, ...]:
    """Return extractors with the layers of their results in place of ``layer=all``, which may build them."""
    expanded: list[str] = []
    for text in texts:
        name, _, view = text.partition("@")
        if ALL_LAYERS not in view:
            expanded.append(text)
            continue
        layers = [r.view.layer for r in results if r.extractor == name and isinstance(r.view.layer, int)]
        numbers = range(min(max(layers, default=0), MOST_LAYERS) + 1)
        expanded += [f"{name}@{view.replace(ALL_LAYERS, f'layer={number}')}" for number in numbers]
    return tuple(dict.fromkeys(expanded))


@contextlib.contextmanager
def inside(record: RunRecord) -> Iterator[None]:
    """Work in the folder of a run, and import no module from there."""
    with contextlib.chdir(record.folder), imports.libraries_only():
        yield


def _installed_only(request: Request, declared: Registry, unchecked: list[str]) -> Request:
    """Return a request without the extractors and heads that are not declared, and list these."""

    def is_declared(text: str) -> bool:
        return text.partition("@")[0] in declared.extractors or text.startswith(WEIGHTS)

    extractors = [text for text in request.extractors if is_declared(text)]
    heads = [name for name in request.heads if name.rpartition(JOIN)[2] in declared.heads]
    others = dict.fromkeys(text.partition("@")[0] for text in request.extractors if text not in extractors)
    unchecked += [
        f"{name}: not checked, since it is neither installed nor in the registry here; {TRUST}"
        for name in (*others, *(name for name in request.heads if name not in heads))
    ]
    return replace(
        request,
        extractors=tuple(extractors) or (request.extractors and (ANY_EXTRACTOR,)),
        heads=tuple(heads) or (request.heads and (BASELINE,)),
    )


def _is_own(extractor: Spec, declared: Registry, folder: Path, here: Path) -> bool:
    """Return whether an extractor is declared, and its weights are not those of somebody else's folder."""
    if extractor.name not in declared.extractors:
        return False
    weights = extractor.params.get("checkpoint", "")
    return not weights or folder == here or not Path(weights).resolve().is_relative_to(folder)


def _changes(store: Store, record: RunRecord, now: Plan) -> Iterator[str]:
    """Yield how a plan differs from a record in splits, versions and identities."""
    yield from _changed_splits(store, record, now)
    for name, version in versions(VERSIONED).items():
        if record.env.get(name) != version:
            yield f"{name} {record.env.get(name)} -> {version}"
    for name, identity in now.identities.items():
        before = record.identities.get(name)
        if before and before != identity:
            yield f"{display.component(name)}: changed {', '.join(changes(before, identity))}"


def _changed_splits(store: Store, record: RunRecord, now: Plan) -> Iterator[str]:
    """Yield how the splits of a plan differ from the stored ones."""
    protocols = {(table.dataset, table.task.name): table for table in record.tables}
    for table, problem in now.problems.items():
        name = display.table(*table)
        if table not in protocols:
            yield f"{name}: has a split now"
        elif problem.fingerprint != protocols[table].split_digest:
            folds = fold_table(now.sources[table[0]], problem.y, problem.split)
            yield from (f"{name}: {line}" for line in _changed_clips(store.split(*table), folds))
        elif tuple(repeat.fingerprint for repeat in problem.repeats) != protocols[table].repeats:
            yield f"{name}: the repeats have other folds"
    for table in protocols.keys() - now.problems.keys():
        yield f"{display.table(*table)}: has no split now"


def _changed_clips(before: pd.DataFrame, now: pd.DataFrame) -> Iterator[str]:
    """Yield how the clips of a split differ."""
    before, now = before.set_index("clip"), now.set_index("clip")
    for title, clips in (
        ("removed", before.index.difference(now.index)),
        ("added", now.index.difference(before.index)),
    ):
        if len(clips):
            yield f"{len(clips)} clips {title}: {shortlist(clips)}"
    common = before.index.intersection(now.index)
    for column in before.columns.union(now.columns, sort=False):
        if column not in before or column not in now:
            yield f"column {column} is on one side only"
            continue
        clips = common[(before.loc[common, column] != now.loc[common, column]).to_numpy()]
        if len(clips):
            yield f"{column} of {len(clips)} clips changed: {shortlist(clips)}"
