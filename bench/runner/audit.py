"""Verify a folder: its lines, scores, splits, data, extractors and heads."""

import functools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from bench import display, splits
from bench.embed.cache import Cache
from bench.errors import BenchError
from bench.keys.fingerprints import fingerprint
from bench.learn.scoring import scores
from bench.metrics import METRICS
from bench.runner import choices, reembedding, world
from bench.runner.planning import GROUP_PREFIX
from bench.runner.reembedding import EmbeddingCheck
from bench.store import Store, TableProtocol
from bench.types import Labels, Result, Score, Split, Status

TOLERANCE = 1e-12
"""Largest difference of a score that is computed again on the same machine."""


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit compared, one line per difference and per part that was not compared.

    Parameters
    ----------
    unchecked : tuple[str, ...]
        Parts that were not compared, each with the reason.
    embeddings : tuple[EmbeddingCheck, ...]
        Of every dataset and extractor, how many cached embeddings were computed again.
    """

    differences: tuple[str, ...]
    unchecked: tuple[str, ...]
    embeddings: tuple[EmbeddingCheck, ...]


def audit(  # a folder, where its parts are now, and two options
    store: Store, home: Path, cache: Cache, *, trust: Collection[Path] = (), deep: bool = False
) -> Audit:
    """Compare a folder with itself, with the data and the code present now, and with the cache.

    Compare the lines of results.jsonl with their seals, scores with predictions, predictions with the split,
    the split with its groups, data, splits, extractors and heads with those present now, and cached
    embeddings with those of the audio. No code runs that the folder brings or that its record alone names.

    Parameters
    ----------
    home : Path
        Folder for corpora.
    trust : Collection[Path]
        Working folders of runs whose registry and plugins are imported, besides what is installed and the
        registry of the working folder.
    deep : bool
        Compute every cached embedding again, not a sample.

    Raises
    ------
    UsageError
        If the folder holds no run, or a line of results.jsonl is damaged.
    """
    record, results = store.run(), store.results(sealed=False)
    lines = [f"{store.results_path}:{number}: seal does not match" for number in store.broken_seals()]
    protocols = {(table.dataset, table.task.name): table for table in record.tables}
    folds = {}
    for table, protocol in protocols.items():
        split = store.split(*table)
        lines += [f"{display.table(*table)}: {line}" for line in _check_split(split, protocol)]
        folds[table, 0] = split.set_index("clip")
        for number, split_digest in enumerate(protocol.repeats, 1):
            split = store.split(*table, number)
            repeat = replace(protocol, split_digest=split_digest)
            lines += [
                f"{display.table(*table)}, repeat {number}: {line}" for line in _check_split(split, repeat)
            ]
            folds[table, number] = split.set_index("clip")
    labels = functools.cache(lambda dataset: store.labels(dataset).set_index("clip"))
    for key in record.cells:
        result = results.get(key)
        if result is None:
            lines.append(f"{store.results_path}: cell {key} of run.json is missing")
        elif result.status == Status.OK:
            table = result.dataset, result.task.name
            if result.chosen:
                planned = (results[other] for other in record.cells if other in results)
                chosen = choices.faults(result, planned, store.scored_predictions)
                lines += [f"{display.cell(result)}: {line}" for line in chosen]
            differences = _check_cell(store, result, folds[table, result.repeat], labels, protocols[table])
            lines += [f"{display.cell(result)}: {line}" for line in differences]
    present = world.compare(store, record, home, trust)
    if present.plan is None:
        return Audit((*lines, *present.differences), present.unchecked, ())
    checks = tuple(reembedding.check(present, record, cache, deep=deep))
    return Audit(
        differences=(*lines, *present.differences, *(line for check in checks for line in check.differences)),
        unchecked=(*present.unchecked, *(check.obstacle for check in checks if check.obstacle)),
        embeddings=checks,
    )


def _check_split(table: pd.DataFrame, protocol: TableProtocol) -> Iterator[str]:
    """Yield the faults of a stored split."""
    if fingerprint(table) != protocol.split_digest:
        yield "the stored split differs from the one in run.json"
    split = Split(
        protocol.split.protocol, table["fold"].to_numpy(str), _groups(table), leaky=protocol.split.leaky
    )
    try:
        splits.check(split, table["y"].to_numpy(str))
    except BenchError as error:
        yield str(error)


def _groups(table: pd.DataFrame) -> dict[str, Labels]:
    columns = [str(name) for name in table.columns if str(name).startswith(GROUP_PREFIX)]
    return {name.removeprefix(GROUP_PREFIX): table[name].to_numpy(str) for name in columns}


def _check_cell(
    store: Store,
    result: Result,
    folds: pd.DataFrame,
    labels: Callable[[str], pd.DataFrame],
    protocol: TableProtocol,
) -> Iterator[str]:
    """Yield the faults of a cell's predictions and scores; both tables have the clips as index."""
    if not store.predictions_path(result.key).is_file():
        yield "predictions are missing"
        return
    predictions = store.predictions(result.key)
    if fingerprint(predictions) != result.predictions:
        yield "predictions differ from the scored ones"
    expected = folds.reindex(predictions["clip"])
    group = f"{GROUP_PREFIX}{protocol.split.group}"
    for of_split, of_predictions in (("fold", "fold"), ("y", "y_true"), (group, "group")):
        if (expected[of_split].to_numpy(str) != predictions[of_predictions].to_numpy(str)).any():
            yield f"{of_predictions} of the predictions differs from the split"
    uninstalled = [name for name in protocol.metrics if name not in METRICS]
    if uninstalled:
        yield f"metrics {', '.join(uninstalled)} are not installed; install their distribution"
        return
    parents = labels(result.dataset).reindex(predictions["clip"])
    parent = parents["parent"].to_numpy(str) if "parent" in parents else None
    yield from _check_scores(result.scores, scores(predictions, protocol.metrics, parent))


def _check_scores(stored: Sequence[Score], computed: Sequence[Score]) -> Iterator[str]:
    """Yield the stored scores that their predictions do not give."""
    before, now = ({score.column: score for score in side} for side in (stored, computed))
    for name in dict.fromkeys([*before, *now]):
        a, b = before.get(name), now.get(name)
        if a is None or b is None or not _equal(a, b):
            yield f"{' at '.join(name)} is {display.score(a)}; predictions give {display.score(b)}"


def _equal(a: Score, b: Score) -> bool:
    pairs = zip((a.value, a.low, a.high, *a.folds), (b.value, b.low, b.high, *b.folds), strict=False)
    return len(a.folds) == len(b.folds) and all(
        x == y or (x is not None and y is not None and math.isclose(x, y, rel_tol=0, abs_tol=TOLERANCE))
        for x, y in pairs
    )
