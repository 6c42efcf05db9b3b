"""Computed cells: predictions against the split, scores and counts against the predictions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from bench import display, splits
from bench.errors import BenchError, shortlist
from bench.keys.fingerprints import fingerprint
from bench.learn.folds import training_part
from bench.learn.scoring import scores
from bench.metrics import METRICS
from bench.runner.planning import GROUP_PREFIX
from bench.store import Store, TableProtocol
from bench.types import Labels, Result, Score, Split

TOLERANCE = 1e-12
"""Largest difference of a score that is computed again on the same machine."""

COLUMNS = {"fold": "fold", "y_true": "y", "group": ""}
"""Column of predictions -> column of the split; that of the group has the name of what is kept apart."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredSplit:
    """The stored split of a table, and what the run says of its clips.

    Parameters
    ----------
    table : pd.DataFrame
        As `Store.split` returns it.
    parent : pd.Series | None
        Clip -> the clip that it is a segment of; None where clips are no segments.
    bad : frozenset[str]
        Clips that bad_clips.csv lists.
    """

    protocol: TableProtocol
    table: pd.DataFrame
    parent: pd.Series[str] | None
    bad: frozenset[str]

    @classmethod
    def of(cls, store: Store, protocol: TableProtocol, repeat: int = 0) -> Self:
        """Return the stored split of a table of a run's record, or of one of its repeats.

        Raises
        ------
        UsageError
            If its file, or that of the labels, is not there or damaged.
        """
        labels = store.labels(protocol.dataset).set_index("clip")
        bad = store.bad_clips()
        return cls(
            protocol=protocol.repeat(repeat),
            table=store.split(protocol.dataset, protocol.task.name, repeat),
            parent=labels["parent"].astype(str) if "parent" in labels else None,
            bad=frozenset(bad["clip"][bad["dataset"] == protocol.dataset]),
        )

    @property
    def split(self) -> Split:
        """Return the split itself, of all clips."""
        columns = [str(name) for name in self.table.columns if str(name).startswith(GROUP_PREFIX)]
        groups = {name.removeprefix(GROUP_PREFIX): self.table[name].to_numpy(str) for name in columns}
        protocol = self.protocol.split
        return Split(protocol.protocol, self.table["fold"].to_numpy(str), groups, leaky=protocol.leaky)

    def faults(self) -> Iterator[str]:
        """Yield the faults of the split."""
        if fingerprint(self.table) != self.protocol.split_digest:
            yield "the stored split differs from the one in run.json"
        try:
            splits.check(self.split, self.table["y"].to_numpy(str))
        except BenchError as error:
            yield str(error)

    def tested(self) -> pd.DataFrame:
        """Return the tested clips with all columns of the split, in the order of predictions."""
        return pd.concat([self.table.iloc[test] for _, _, test in self.split.rounds()])

    def n_train(self, train_size: float) -> int:
        """Return the number of decodable clips that at least one fold trains on."""
        rows = ~self.table["clip"].isin(self.bad).to_numpy(bool)
        split, y = self.split.take(rows), self.table["y"].to_numpy(str)[rows]
        alone = np.arange(len(y)).astype(str)
        group: Labels = alone if split.leaky else splits.join_groups(split.groups)
        parts = [training_part(train, y, group, train_size) for _, train, _ in split.rounds()]
        return len(set(np.concatenate(parts).tolist()))


def check_cell(store: Store, result: Result, stored: StoredSplit | None, fields: Set[str]) -> Iterator[str]:
    """Yield the faults of a computed cell.

    Parameters
    ----------
    stored : StoredSplit | None
        Its table; None if the record has none.
    fields : Set[str]
        Fields that its line holds, see `bench.store.earlier.StoredFields`.
    """
    if stored is None:
        yield "run.json has no such table"
        return
    if not store.predictions_path(result.key).is_file():
        yield "predictions are missing"
        return
    predictions = store.predictions(result.key)
    if "predictions" in fields and fingerprint(predictions) != result.predictions:
        yield "predictions differ from the scored ones"
    protocol = stored.protocol
    for name, of_record in (("split", protocol.split), ("split_digest", protocol.split_digest)):
        if name in fields and getattr(result, name) != of_record:
            yield f"{name} is another one than in run.json"
    yield from _check_clips(predictions, stored)
    yield from (line for name, line in _counts(result, predictions, stored) if name in fields)
    uninstalled = [name for name in protocol.metrics if name not in METRICS]
    if uninstalled:
        yield f"metrics {', '.join(uninstalled)} are not installed; install their distribution"
        return
    parent = None if stored.parent is None else stored.parent.reindex(predictions["clip"]).to_numpy(str)
    computed = scores(predictions, protocol.metrics, parent)
    if "unbounded" not in fields:
        computed = tuple(replace(score, unbounded="") for score in computed)
    yield from _check_scores(result.scores, computed)


def _check_clips(predictions: pd.DataFrame, stored: StoredSplit) -> Iterator[str]:
    """Yield how predictions differ from the tested clips of the split."""
    tested, clips = stored.tested(), predictions["clip"].tolist()
    counts = Counter(clips)
    by_clip = tested.set_index("clip")
    for title, names in (
        ("were tested twice", [clip for clip, count in counts.items() if count > 1]),
        ("are not in a test fold", [clip for clip in counts if clip not in by_clip.index]),
        (
            "were not tested, and are not in bad_clips.csv",
            [clip for clip in tested["clip"] if clip not in counts and clip not in stored.bad],
        ),
        ("were tested, and are in bad_clips.csv", [clip for clip in counts if clip in stored.bad]),
    ):
        if names:
            yield f"{len(names)} clips {title}: {shortlist(names)}"
    if set(clips) <= set(by_clip.index):
        if clips != [clip for clip in tested["clip"] for _ in range(counts[clip])]:
            yield "the order of the predictions is not that of the split"
        expected = by_clip.loc[clips]
        group = f"{GROUP_PREFIX}{stored.protocol.split.group}"
        for name, column in COLUMNS.items():
            if (expected[column or group].to_numpy(str) != predictions[name].to_numpy(str)).any():
                yield f"{name} of the predictions differs from the split"


def _counts(result: Result, predictions: pd.DataFrame, stored: StoredSplit) -> Iterator[tuple[str, str]]:
    """Yield (name, fault) of the counts that predictions, the split or the bad clips do not give."""
    computed = {
        "n_train": stored.n_train(result.train_size),
        "n_test": len(predictions),
        "n_classes": predictions["y_true"].nunique(),
        "n_groups": predictions["group"].nunique(),
        "n_bad": len(stored.bad),
    }
    for name, count in computed.items():
        if getattr(result, name) != count:
            yield name, f"{name} is {getattr(result, name)}, and {count} when it is counted"


def _check_scores(stored: Sequence[Score], computed: Sequence[Score]) -> Iterator[str]:
    """Yield the stored scores that their predictions do not give."""
    before, now = ({score.column: score for score in side} for side in (stored, computed))
    for name in dict.fromkeys([*before, *now]):
        a, b = before.get(name), now.get(name)
        if a is None or b is None or not _equal(a, b):
            yield f"{' at '.join(name)} is {display.score(a)}; predictions give {display.score(b)}"
    if before.keys() == now.keys() and list(before) != list(now):
        yield f"scores are in the order {', '.join(dict.fromkeys(score.metric for score in stored))}"


def _equal(a: Score, b: Score) -> bool:
    pairs = zip((a.value, a.low, a.high, *a.folds), (b.value, b.low, b.high, *b.folds), strict=False)
    return (a.unbounded, len(a.folds)) == (b.unbounded, len(b.folds)) and all(
        x == y or (x is not None and y is not None and math.isclose(x, y, rel_tol=0, abs_tol=TOLERANCE))
        for x, y in pairs
    )
