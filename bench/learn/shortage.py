"""Errors of learners that have fewer clips than they need, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import PluginError, one_line
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Fold

COUNTS = ("n_neighbors", "n_components", "n_clusters")
"""Parameters of learners that are numbers of samples at least."""

FEW = 10
"""Number of training samples up to which an error is put down to their number."""


@contextmanager
def named(fold: Fold, spec: PipelineSpec, n_clips: int) -> Iterator[None]:
    """Raise PluginError with the number of clips, and how many are needed, if a learner has too few of them.

    Parameters
    ----------
    n_clips : int
        Number of training clips of the fold.
    """
    try:
        yield
    except (ValueError, TypeError) as error:
        n_samples, n_classes = len(fold.y_train), len(set(fold.y_train.tolist()))
        params = spec.pipeline().get_params().items()
        counts = [
            value
            for name, value in params
            if name.rpartition("__")[2] in COUNTS and isinstance(value, int) and value > n_samples
        ]
        if not counts and n_samples > max(FEW, n_classes):
            raise
        least = max([*counts, n_classes + 1, n_samples + 1])
        problem = f"{n_clips} training clips in fold '{fold.name}' are too few ({one_line(error)})"
        fix = "add clips, ask for fewer folds, or take another head"
        raise PluginError(f"{problem}; expected {least} or more; {fix}") from error
