"""Results of one system over repeats of a cross-validation: their folds, spread and expected score."""

from collections.abc import Iterable, Sequence

import numpy as np

from bench import stats
from bench.metrics import METRICS
from bench.types import Level, Result, Score


def folds(results: Iterable[Result], metric: str, level: Level = "clip") -> list[float]:
    """Return the score of every fold of every repeat, each the mean over the seeds."""
    repeats: dict[int, list[tuple[float, ...]]] = {}
    for result, score in _scores(results, metric, level):
        repeats.setdefault(result.repeat, []).append(score.folds)
    return [fold for seeds in repeats.values() for fold in np.mean(seeds, axis=0).tolist()]


def spread(results: Iterable[Result], metric: str) -> float:
    """Return the standard deviation of a metric over the seeds, each the mean over the repeats."""
    seeds: dict[int, list[float]] = {}
    for result, score in _scores(results, metric, "clip"):
        seeds.setdefault(result.seed, []).append(score.value)
    return float(np.std([np.mean(values) for values in seeds.values()]))


def expected(results: Sequence[Result], metric: str, value: float) -> tuple[float, float] | None:
    """Return the interval of the score that fits to other training sets have on average.

    Returns
    -------
    tuple[float, float] | None
        None without repeats, and where `stats.expected_bounds` gives none.
    """
    repeats = {result.repeat: result for result in results}
    if len(repeats) < 2:
        return None
    first = results[0]
    of_folds = folds(results, metric)
    n_folds = len(of_folds) // len(repeats)
    tested = first.n_test / n_folds
    trained = first.n_train if n_folds == 1 else (first.n_test - tested) * first.train_size
    bounds = stats.expected_bounds(value, of_folds, tested / trained, first.n_groups)
    if bounds is None:
        return None
    limits = METRICS[metric]
    return max(bounds[0], limits.low), min(bounds[1], limits.high)


def _scores(results: Iterable[Result], metric: str, level: Level) -> Iterable[tuple[Result, Score]]:
    """Yield the results that have a score, with it."""
    for result in results:
        score = result.score(metric, level)
        if score is not None:
            yield result, score
