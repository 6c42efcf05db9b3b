"""Speed as ratios in one run: ranks and the test against chance, against bare numpy for the same table.

A quarter of the speed of bare numpy is the limit: ranks step down, and compare every row with the best one.
"""

import numpy as np
import pytest

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.stats import N_DRAWS

N_ROWS, N_CLIPS, N_GROUPS, N_CLASSES = 30, 20_000, 200, 6
LOOP_DRAWS = 20
"""Number of draws of the slow loops."""

LEAST = 0.25
"""Smallest ratio: bare numpy takes a single step."""

ACCURACY = METRICS["accuracy"]


@pytest.fixture(scope="module")
def codes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the true class of every clip, its group, and the predictions of all rows, a row each."""
    rng = np.random.default_rng(0)
    y_true, group = rng.integers(N_CLASSES, size=N_CLIPS), rng.integers(N_GROUPS, size=N_CLIPS)
    share = np.linspace(0.6, 0.8, N_ROWS)[:, None]
    guesses = rng.integers(N_CLASSES, size=(N_ROWS, N_CLIPS))
    return y_true, group, np.where(rng.random((N_ROWS, N_CLIPS)) < share, y_true, guesses)


@pytest.fixture(scope="module")
def rows(codes) -> list[list[Predicted]]:
    y_true, _, predictions = (np.asarray(part).astype(str) for part in codes)
    classes = np.arange(N_CLASSES).astype(str)
    return [[Predicted(y_true, y_pred, classes)] for y_pred in predictions]


def test_ranks_of_30_rows(benchmark, fastest, codes, rows):
    y_true, group, predictions = codes
    names = group.astype(str)

    first, second = np.triu_indices(N_ROWS, 1)
    right = np.array([np.bincount(group, y_true == y_pred, N_GROUPS) for y_pred in predictions])
    difference = right[first] - right[second]
    scale = np.sqrt((difference**2).sum(axis=1))

    def units_alone() -> None:
        for y_pred in predictions:
            np.bincount(group, y_true == y_pred, N_GROUPS)

    def flips_alone() -> None:
        """Flip whole groups: the largest difference of any pair of rows, without steps down."""
        rng = np.random.default_rng(0)
        for _ in range(LOOP_DRAWS):
            (np.abs(difference @ rng.choice([-1.0, 1.0], N_GROUPS)) / scale).max()

    def ours() -> None:
        units = [stats.contributions(ACCURACY, predicted, names) for [predicted] in rows]
        stats.standings(np.array(units))

    units_s, flips_s, ours_s = fastest(units_alone, flips_alone, ours, rounds=2)
    bare_s = units_s + flips_s * N_DRAWS / LOOP_DRAWS
    benchmark.extra_info |= {"ratio": bare_s / ours_s, "ours_s": ours_s}
    benchmark.pedantic(ours, rounds=1)
    assert bare_s / ours_s >= LEAST


def test_30_rows_against_chance(benchmark, fastest, codes, rows):
    y_true, group, predictions = codes
    names = group.astype(str)

    def bare() -> None:
        """Compute Cohen's kappa of every row by permuted labels, from counts of pairs of classes."""
        rng = np.random.default_rng(0)
        for _ in range(LOOP_DRAWS):
            labels = rng.permutation(y_true)
            for y_pred in predictions:
                pairs = np.bincount(labels * N_CLASSES + y_pred, minlength=N_CLASSES**2)
                counts = pairs.reshape(N_CLASSES, N_CLASSES) / N_CLIPS
                chance = counts.sum(axis=0) @ counts.sum(axis=1)
                (np.trace(counts) - chance) / (1 - chance)

    def ours() -> None:
        stats.above_chance(ACCURACY, rows, names)

    n_draws = min(N_DRAWS, max(199, 2**29 // (N_CLIPS * N_ROWS)))
    bare_s, ours_s = fastest(bare, ours, rounds=2)
    ratio = bare_s * n_draws / LOOP_DRAWS / ours_s
    benchmark.extra_info |= {"ratio": ratio, "ours_s": ours_s}
    benchmark.pedantic(ours, rounds=1)
    assert ratio >= LEAST
