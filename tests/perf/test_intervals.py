"""Speed as ratios in one run: intervals against a loop over scikit-learn's metrics."""

import numpy as np
import pytest
import sklearn.metrics

from bench.metrics import METRICS, Predicted
from bench.stats import N_DRAWS, bounds, draws

LOOP_DRAWS = 5
"""Number of draws of the slow loop."""


@pytest.mark.parametrize("function", [draws, bounds])
@pytest.mark.parametrize(("name", "times"), [("accuracy", 5), ("f1_macro", 50)])
def test_a_thousand_draws_of_100_000_predictions(benchmark, fastest, name, times, function):
    rng = np.random.default_rng(0)
    classes = np.array(list("abcdef"))
    y_true = rng.choice(classes, 100_000)
    y_pred = np.where(rng.random(100_000) < 0.8, y_true, "a")
    group = rng.integers(500, size=100_000).astype(str)
    score = {
        "accuracy": sklearn.metrics.accuracy_score,
        "f1_macro": lambda *labels: sklearn.metrics.f1_score(*labels, average="macro"),
    }[name]
    members = [np.flatnonzero(group == name) for name in np.unique(group)]

    def loop() -> None:
        for _ in range(LOOP_DRAWS):
            rows = np.concatenate([members[i] for i in rng.integers(len(members), size=len(members))])
            score(y_true[rows], y_pred[rows])

    def ours() -> None:
        function(METRICS[name], Predicted(y_true, y_pred, classes), group)

    loop_s, ours_s = fastest(loop, ours, rounds=2)
    ratio = loop_s * N_DRAWS / LOOP_DRAWS / ours_s
    benchmark.extra_info |= {"ratio": ratio, "ours_s": ours_s, "rows_30_s": 30 * ours_s}
    benchmark.pedantic(ours, rounds=1)
    assert ratio >= times
