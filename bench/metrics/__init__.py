"""Scores of predictions, as pure functions.

Conventions
-----------
``y_true`` and ``y_pred`` have shape=(n_clips,), class scores shape=(n_clips, n_classes), weights of clips
shape=(n_draws, n_clips). `Metric.score` is scikit-learn's function where there is one; `Metric.draw_scores`
is the same formula for many weightings of the clips at once, from which intervals are computed.

Metrics
-------
- of labels: accuracy, balanced accuracy, precision, recall, F1, MCC, Cohen's kappa
- of scores: ROC AUC, average precision, top-k accuracy, EER, detection cost
- of probabilities: log loss, Brier score, expected calibration error
- of clusters: ARI, NMI, V-measure, purity
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bench.catalog import entrypoints
from bench.errors import PluginError
from bench.metrics.base import Floats, Metric, Predicted
from bench.metrics.clusters import CLUSTERINGS
from bench.metrics.labels import LABEL_METRICS, per_class
from bench.metrics.scores import SCORE_METRICS, detection_cost, equal_error_rate

__all__ = [
    "BUILT_IN",
    "CLUSTERINGS",
    "METRICS",
    "Floats",
    "Metric",
    "Predicted",
    "detection_cost",
    "equal_error_rate",
    "per_class",
]

BUILT_IN: Mapping[str, Metric] = {metric.name: metric for metric in (*LABEL_METRICS, *SCORE_METRICS)}


class _Metrics(Mapping[str, Metric]):
    """Metrics by name; a metric of an installed distribution is imported on its first look-up."""

    def __getitem__(self, name: str) -> Metric:
        return BUILT_IN[name] if name in BUILT_IN else _plugin_metric(name)

    def __iter__(self) -> Iterator[str]:
        return iter([*BUILT_IN, *entrypoints.installed().get("metrics", {})])

    def __len__(self) -> int:
        return sum(1 for _ in self)


@functools.cache
def _plugin_metric(name: str) -> Metric:
    """Return the metric that an installed distribution declares as a `Metric` or as a function.

    Raises
    ------
    KeyError
        If no distribution declares the name.
    PluginError
        If the entry point cannot be imported, or is no metric.
    """
    plugin = entrypoints.find("metrics", name)
    if plugin is None:
        raise KeyError(name)
    metric = plugin.load()
    if callable(metric):
        metric = Metric.of(name, metric, plugin.about)
    if not isinstance(metric, Metric):
        raise PluginError(f"{plugin.source}: '{name}' is {metric!r}; expected a Metric or a function")
    return replace(metric, name=name, origin=plugin.source)


METRICS: Mapping[str, Metric] = _Metrics()
"""Every metric by its name, built-in ones first."""
