"""Pure scores of predictions, and what is to be known of each.

Conventions: `y_true` and `y_pred` have shape=(n_clips,), `scores` shape=(n_clips, n_classes), weights
shape=(n_draws, n_clips). A score by itself is scikit-learn's where it has one; `resampled` is the same
for many weightings of the clips at once, which is how intervals are made.
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
    """The metrics by their names; one of an installed distribution is imported when it is looked up."""

    def __getitem__(self, name: str) -> Metric:
        return BUILT_IN[name] if name in BUILT_IN else _brought(name)

    def __iter__(self) -> Iterator[str]:
        return iter([*BUILT_IN, *entrypoints.installed().get("metrics", {})])

    def __len__(self) -> int:
        return sum(1 for _ in self)


@functools.cache
def _brought(name: str) -> Metric:
    """Return the metric of an installed distribution: one, or a function of labels and predictions.

    Raises
    ------
    KeyError
        If there is none of that name.
    PluginError
        If it cannot be imported, or is neither.
    """
    plugin = entrypoints.find("metrics", name)
    if plugin is None:
        raise KeyError(name)
    made = plugin.load()
    if callable(made):
        made = Metric.of(name, made, plugin.about)
    if not isinstance(made, Metric):
        raise PluginError(f"{plugin.source}: '{name}' is {made!r}; expected a Metric or a function")
    return replace(made, name=name, origin=plugin.source)


METRICS: Mapping[str, Metric] = _Metrics()
