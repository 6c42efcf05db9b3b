"""Errors of learners that have fewer clips than they need, in one line."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.errors import PluginError, one_line
from bench.learn.pipeline import FlatTransformer, PipelineSpec
from bench.learn.samples import Fold

LEAST: Mapping[str, Callable[[Any, int], int]] = {
    "KNeighborsClassifier": lambda head, n_classes: int(head.n_neighbors),
    "LinearDiscriminantAnalysis": lambda head, n_classes: n_classes + 1,
    "PCA": lambda reducer, n_classes: _whole(reducer.n_components),
    # Its first layout takes one eigenvector more than it has dimensions, of a matrix that is larger still.
    "Umap": lambda reducer, n_classes: int(reducer.n_components) + 2,
}
"""Class of a learner -> the least number of samples that it can be fitted to, of so many classes."""


@contextmanager
def named(fold: Fold, spec: PipelineSpec, n_clips: int) -> Iterator[None]:
    """Raise PluginError with the number of samples that are needed, if a learner that fails has fewer.

    Any other error stays as it is.

    Parameters
    ----------
    n_clips : int
        Number of training clips of the fold.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        n_samples = len(fold.y_train)
        least = _least(fold, spec)
        if n_samples >= least:
            raise
        unit = "clips" if n_samples == n_clips else "samples"
        problem = f"{n_samples} training {unit} in fold '{fold.name}' are too few ({one_line(error)})"
        fix = "add clips, ask for fewer folds, or take another head"
        raise PluginError(f"{problem}; expected {least} or more; {fix}") from error


def _least(fold: Fold, spec: PipelineSpec) -> int:
    """Return the least number of samples that all learners of a pipeline need, as far as it is known."""
    if spec.unit not in {"clip", "frame"}:  # a sample is one vector, for reducers and heads alike
        return 0
    n_features, n_classes = np.shape(fold.train.X)[-1], len(set(fold.y_train.tolist()))
    needs = [0]
    for _, step in spec.pipeline().steps:
        learner = step.transformer if isinstance(step, FlatTransformer) else step
        is_wider = _whole(getattr(learner, "n_components", 0)) > n_features  # which no sample can help
        needs.append(0 if is_wider else LEAST.get(type(learner).__name__, _nothing)(learner, n_classes))
    return max(needs)


def _nothing(learner: object, n_classes: int) -> int:
    return 0


def _whole(value: object) -> int:
    """Return a number of components; 0 for a share of the variance."""
    return value if isinstance(value, int) else 0
