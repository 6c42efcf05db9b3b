"""Scores of a pipeline on permuted labels: is its true score luck, and does a split leak.

Conventions: "between groups", the sets of clips with one group and one label exchange their labels; "within
groups", the clips of a group do. Every draw fits and tests the pipeline again, on the folds of the split.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pandas as pd

from bench import splits
from bench.errors import BenchError, PluginError, SplitError
from bench.learn.folds import evaluate
from bench.learn.pipeline import PipelineSpec, ReducerCache
from bench.learn.samples import Examples, Rows
from bench.metrics import Metric, Predicted
from bench.types import CopiedGroup, Labels, Permutations

Draw: TypeAlias = tuple[Labels, Labels]
"""Permuted labels, and their predictions, '' for a clip that is not tested; each shape=(n_clips,)."""

MAX_TRIES = 20
"""Largest number of permutations that are drawn for each that the split allows."""

MIN_DRAWS = 19
"""Smallest number of draws that can tell a copy from luck."""

COPIED = 0.5
"""Share of a copied group's clips that match one clip each of the other group."""

MIN_CLIPS = 20
"""Smallest number of clips of a group that is compared."""

MAX_PAIRS = 2**28
"""Largest number of pairs of tested and training clips that are compared."""


def permutations(examples: Examples, spec: PipelineSpec, metric: Metric, n_draws: int) -> Permutations:
    """Return the scores of a pipeline on permuted labels.

    Of every draw between groups, the predictions are scored by the labels of their own draw, and by those of
    the other draws. Nothing that the pipeline learns from other groups says which labels a tested group drew,
    so that both scores are alike, unless a tested group is in the training data too. This is a permutation
    test: the predictions of draw i belong to the labels of draw i + k, for every k.

    Raises
    ------
    PluginError
        If hardly any permutation leaves a class on the training side of every fold.

    References
    ----------
    Ojala and Garriga, "Permutation tests for studying classifier performance", JMLR, 2010. Phipson and Smyth,
    "Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular Biology,
    2010. Winkler et al., "Multi-level block permutation", NeuroImage, 2015 (within and between blocks).
    """
    between = list(_draws(examples, spec, n_draws, splits.permute_labels))
    within = list(_draws(examples, spec, n_draws, splits.shuffle_labels))
    return Permutations(
        between=tuple(_score(metric, labels, y_pred) for labels, y_pred in between),
        within=tuple(_score(metric, labels, y_pred) for labels, y_pred in within),
        shifted=tuple(_shifted(metric, between, shift) for shift in range(1, n_draws)),
        copies=_copies(examples, within) if n_draws >= MIN_DRAWS else None,
    )


def _draws(
    examples: Examples, spec: PipelineSpec, n_draws: int, permute: Callable[..., Labels]
) -> Iterator[Draw]:
    """Yield draws; permutations that the split cannot test are drawn again."""
    cache = ReducerCache()  # the features are the same in every draw
    n_valid = 0
    problem: BenchError | None = None
    for seed in range(MAX_TRIES * n_draws):
        labels = permute(examples.y, examples.split, seed)
        try:
            permuted, shared = replace(examples, y=labels), cache if spec.train_size == 1 else None
            predictions = evaluate(permuted, spec, lambda: 0.0, shared, checks_apart=False).predictions
        except SplitError as error:
            problem = error
            continue
        y_pred = np.full(len(labels), "", dtype=object)
        y_pred[predictions["row"].to_numpy()] = predictions["y_pred"].to_numpy(object)
        yield labels, y_pred.astype(str)
        n_valid += 1
        if n_valid == n_draws:
            return
    raise PluginError(f"only {n_valid} of {n_draws} permutations of the labels can be split ({problem})")


def _score(metric: Metric, labels: Labels, y_pred: Labels) -> float:
    """Return the score of the tested clips."""
    tested = y_pred != ""
    y_true, y_pred = labels[tested], y_pred[tested]
    return metric.score(Predicted(y_true, y_pred, np.union1d(y_true, y_pred)))


def _shifted(metric: Metric, draws: list[Draw], shift: int) -> float:
    """Return the mean score of predictions by the labels of another draw."""
    labels = [draw[0] for draw in draws]
    n = len(draws)
    return float(np.mean([_score(metric, labels[(i + shift) % n], draws[i][1]) for i in range(n)]))


def _copies(examples: Examples, draws: list[Draw]) -> tuple[CopiedGroup, ...] | None:
    """Return the groups whose clips match those of another group one by one; None for too many clips.

    A head that fits single clips answers a copy with the label that its original drew, draw by draw.
    Different clips share matches; copies do not.
    """
    best = _matches(examples, draws)
    if best is None:
        return None
    group = examples.split.groups[examples.split.group].astype(str)
    tested = np.flatnonzero(best >= 0)
    pairs = pd.DataFrame({"clip": tested, "group": group[tested], "match": best[tested]})
    is_only = ~pairs.duplicated(["group", "match"], keep=False).to_numpy()
    back = best[pairs["match"]]
    is_mutual = (back == pairs["clip"].to_numpy()) | (back < 0)  # a clip that is never tested has no match
    copies = []
    for name, rows in pairs.assign(other=group[pairs["match"]], is_pair=is_only & is_mutual).groupby("group"):
        counts = rows.loc[rows["is_pair"], "other"].value_counts()
        if len(rows) >= MIN_CLIPS and len(counts) and counts.iloc[0] >= COPIED * len(rows):
            copies.append(CopiedGroup(str(name), str(counts.index[0]), float(counts.iloc[0] / len(rows))))
    return tuple(copies)


def _matches(examples: Examples, draws: list[Draw]) -> Rows | None:
    """Return the training clip of the same true label whose permuted labels each tested clip repeats best.

    Returns
    -------
    Rows | None
        shape=(n_clips,), -1 for a clip that is not tested; None for more than `MAX_PAIRS`.
    """
    y = examples.y
    names = np.unique(np.concatenate([draw[0] for draw in draws]))
    labels, y_pred = (np.stack([np.searchsorted(names, draw[side]) for draw in draws]) for side in (0, 1))
    best = np.full(len(y), -1, dtype=np.intp)
    sides = [
        (test[y[test] == label], train[y[train] == label])
        for _, train, test in examples.split.rounds()
        for label in np.unique(y[test])
    ]
    if sum(len(tested) * len(trained) for tested, trained in sides) > MAX_PAIRS:
        return None
    for tested, trained in sides:
        if len(trained):
            repeats = np.zeros((len(tested), len(trained)), dtype=np.int32)
            for label, prediction in zip(labels, y_pred, strict=True):
                repeats += prediction[tested][:, None] == label[trained]
            best[tested] = trained[repeats.argmax(axis=1)]
    return best
