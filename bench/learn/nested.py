"""Scores of a pipeline in inner folds of the training side: what a row may be chosen by.

No clip that an outer fold tests is fitted to, predicted or scored here.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from bench.errors import PluginError
from bench.learn.folds import evaluate, groups_of, training_part
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples, Rows
from bench.learn.tuning import INNER_FOLDS
from bench.metrics import Metric, Predicted
from bench.types import Split
from bench.types.data import UNUSED


def inner_scores(
    examples: Examples, spec: PipelineSpec, metric: Metric, clock: Callable[[], float]
) -> tuple[float, ...]:
    """Return the score of a pipeline over the inner folds of every outer fold, in the order of the folds.

    Inner folds are stratified by class, and share no group. With a share of the training groups, they are of
    that share: the other groups choose nothing. Heads that are tuned are tuned within them.

    Parameters
    ----------
    clock : Callable[[], float]
        Returns the time in s.

    Raises
    ------
    PluginError, SplitError
        If a class of a training side has fewer than two groups, or see `evaluate`.
    """
    scores = []
    group, whole = groups_of(examples.split), replace(spec, train_size=1.0)
    for name, candidates, _ in examples.split.rounds():
        train = training_part(candidates, examples.y, group, spec.train_size)
        inner = replace(examples, split=inner_split(examples, name, train))
        predictions = evaluate(inner, whole, clock, checks_apart=False).predictions
        scores.append(metric.score(Predicted.of(predictions)))
    return tuple(scores)


def inner_split(examples: Examples, name: str, train: Rows) -> Split:
    """Return the inner folds of the training side of an outer fold; all other clips are left out.

    Raises
    ------
    PluginError
        If a class of the training side has fewer than two groups.
    """
    y, group = examples.y[train], groups_of(examples.split)[train]
    n_groups = pd.Series(group).groupby(y).nunique()
    if n_groups.min() < 2:
        raise PluginError(
            f"--select: class '{n_groups.idxmin()}' has 1 training group in fold '{name}', expected 2; "
            "add recordings, or run without --select"
        )
    splitter = StratifiedGroupKFold(min(INNER_FOLDS, int(n_groups.min())), shuffle=True, random_state=0)
    fold = np.full(len(examples.y), UNUSED, dtype=object)
    for number, (_, held_out) in enumerate(splitter.split(y, y, group)):
        fold[train[held_out]] = f"inner {number}"
    return replace(examples.split, fold=fold.astype(str))
