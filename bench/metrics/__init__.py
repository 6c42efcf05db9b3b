"""Pure scores of predictions, and what is to be known of each.

Conventions: `y_true` and `y_pred` have shape=(n_clips,), `scores` shape=(n_clips, n_classes), weights
shape=(n_draws, n_clips). A score by itself is scikit-learn's where it has one; `resampled` is the same
for many weightings of the clips at once, which is how intervals are made.
"""

from collections.abc import Mapping

from bench.metrics.clusters import CLUSTERINGS
from bench.metrics.labels import LABEL_METRICS, per_class
from bench.metrics.predicted import Floats, Metric, Predicted
from bench.metrics.scores import SCORE_METRICS, detection_cost, equal_error_rate

__all__ = [
    "CLUSTERINGS",
    "METRICS",
    "Floats",
    "Metric",
    "Predicted",
    "detection_cost",
    "equal_error_rate",
    "per_class",
]

METRICS: Mapping[str, Metric] = {metric.name: metric for metric in (*LABEL_METRICS, *SCORE_METRICS)}
