"""Speed as ratios in one run: intervals against a loop over scikit-learn's metrics."""

import numpy as np
import pytest
import sklearn.metrics

from bench.metrics import METRICS, Predicted
from bench.stats import N_DRAWS, bounds

LOOPED = 5
"""Draws of the loop, which is slow."""


@pytest.mark.parametrize(("name", "times"), [("accuracy", 5), ("f1_macro", 50)])
def test_a_thousand_draws_of_100_000_predictions(benchmark, fastest, name, times):
    rng = np.random.default_rng(0)
    classes = np.array(list("abcdef"))
    y_true = rng.choice(classes, 100_000)
    y_pred = np.where(rng.random(100_000) < 0.8, y_true, "a")
    group = rng.integers(500, size=100_000).astype(str)
    of = {
        "accuracy": sklearn.metrics.accuracy_score,
        "f1_macro": lambda *labels: sklearn.metrics.f1_score(*labels, average="macro"),
    }[name]
    rows = {each: np.flatnonzero(group == each) for each in np.unique(group)}

    def loop() -> None:
        for _ in range(LOOPED):
            drawn = np.concatenate([rows[each] for each in rng.choice(list(rows), len(rows))])
            of(y_true[drawn], y_pred[drawn])

    def ours() -> None:
        bounds(METRICS[name], Predicted(y_true, y_pred, classes), group)

    loop_s, ours_s = fastest(loop, ours, rounds=2)
    ratio = loop_s * N_DRAWS / LOOPED / ours_s
    benchmark.extra_info |= {"ratio": ratio, "ours_s": ours_s}
    benchmark.pedantic(ours, rounds=1)
    assert ratio >= times
