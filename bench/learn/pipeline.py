"""Pipelines of scaling, reducers and a head, over every shape that a head sees."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from bench.learn.samples import Fold
from bench.learn.scaling import LimitedScaler
from bench.learn.stopwatch import Phase, Stopwatch
from bench.types import Embeddings, Head, Samples, Unit


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """Description of a pipeline, which is built afresh for every fold.

    Parameters
    ----------
    head : Callable[[], Head]
        Builds a head.
    unit : Unit
        What the head sees of a clip.
    steps : Sequence[tuple[str, Callable[[], Any]]]
        Name and builder of every reducer, in their order.
    scale : bool
        Whether features are standardised first.
    limit : float
        Largest absolute value of a standardised feature; 0 for no limit.
    grid : Mapping[str, Sequence[Any]]
        Values of the head's parameters to choose from in inner folds; empty for a head without tuning.
    train_size : float
        Share of the training groups of every class to fit to, in (0, 1].
    n_layers : int
        Number of layers to choose one from in inner folds; 0 for samples of one layer.
    """

    head: Callable[[], Head]
    unit: Unit = "clip"
    steps: Sequence[tuple[str, Callable[[], Any]]] = ()
    scale: bool = True
    limit: float = 0.0
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    train_size: float = 1.0
    n_layers: int = 0

    @property
    def candidates(self) -> Mapping[str, Sequence[Any]]:
        """Return the parameters of the pipeline that inner folds choose, with their values."""
        layers = {f"{LAYER}__layer": range(self.n_layers)} if self.n_layers else {}
        return {**layers, **{f"head__{name}": values for name, values in self.grid.items()}}

    def feature_steps(self) -> Pipeline:
        """Return unfitted scaling and reducers, behind the choice of a layer if there is one."""
        layer = [(LAYER, LayerSelector())] if self.n_layers else []
        vector_scaler = LimitedScaler(self.limit) if self.limit else StandardScaler()
        has_vectors = self.unit in {"clip", "frame"}
        scaler = vector_scaler if has_vectors else FlatTransformer(vector_scaler)
        reducers = [(name, FlatTransformer(build())) for name, build in self.steps]
        return Pipeline([*layer, ("scale", scaler if self.scale else "passthrough"), *reducers])

    def pipeline(self) -> Pipeline:
        """Return the unfitted steps and head; the head is the last step."""
        return with_head(self.feature_steps(), self.head())


LAYER = "layer"
"""Name of the step that selects a layer."""


class LayerSelector(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """One layer of the pooled vectors of all layers.

    Parameters
    ----------
    layer : int
        Number of the layer.
    """

    def __init__(self, layer: int = 0) -> None:
        self.layer = layer

    def fit(self, X: Embeddings, y: object = None) -> Self:
        """Keep the number of layers of X, shape=(n_clips, n_layers, dim)."""
        self.n_layers_ = X.shape[1]
        return self

    def transform(self, X: Embeddings) -> Embeddings:
        """Return the vectors of the layer, shape=(n_clips, dim)."""
        return X[:, self.layer]


def selected_layer(pipeline: Pipeline) -> int | None:
    """Return the layer that inner folds chose; None for a pipeline of one layer."""
    selector = pipeline.named_steps.get(LAYER)
    return None if selector is None else int(selector.layer)


def with_head(steps: Pipeline, head: Head) -> Pipeline:
    """Return the pipeline of some steps and a head."""
    return Pipeline([*steps.steps, ("head", head)])


class FlatTransformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """A transformer of vectors that also takes sequences of frames, and layers side by side."""

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def fit(self, X: Samples, y: object = None) -> Self:
        """Fit the transformer to every frame of every clip, or to the layers of a clip as one vector."""
        self.transformer_ = clone(self.transformer).fit(_vectors(X))
        return self

    def transform(self, X: Samples) -> Samples:
        """Return the samples in the shape of X; a reducer changes the dim of vectors and frames."""
        values = self.transformer_.transform(_vectors(X))
        if not isinstance(X, np.ndarray):
            return np.split(values, np.cumsum([len(frames) for frames in X])[:-1])
        return np.asarray(values.reshape(X.shape) if X.ndim > 2 else values)


def _vectors(X: Samples) -> Embeddings:
    """Return one vector per frame, or per clip for an array."""
    return X.reshape(len(X), -1) if isinstance(X, np.ndarray) else np.concatenate(X)


@dataclass(frozen=True, slots=True, eq=False)
class FittedSteps:
    """Steps fitted to the training side of a fold, and both sides after them.

    Parameters
    ----------
    seconds : Mapping[Phase, float]
        Time to fit the steps, and to transform the test side, in s.
    """

    steps: Pipeline
    X_train: Samples
    X_test: Samples
    seconds: Mapping[Phase, float]


class ReducerCache:
    """Fitted reducers of the folds of one problem, so that heads with equal reducers fit them once.

    Scaling alone is not cached: to scale again costs less than to hold the arrays.
    """

    def __init__(self) -> None:
        self._fitted: dict[object, FittedSteps] = {}

    def fit(self, spec: PipelineSpec, fold: Fold, clock: Callable[[], float]) -> FittedSteps:
        """Return the steps of a pipeline, fitted to a fold now or earlier."""
        key = (fold.name, spec.scale, spec.limit, tuple(name for name, _ in spec.steps))
        if key in self._fitted:
            return self._fitted[key]
        steps, stopwatch = spec.feature_steps(), Stopwatch(clock)
        with stopwatch.measure("fit"):
            X_train = steps.fit_transform(fold.train.X)
        with stopwatch.measure("predict"):
            X_test = steps.transform(fold.test.X)
        fitted = FittedSteps(steps=steps, X_train=X_train, X_test=X_test, seconds=stopwatch.seconds)
        if spec.steps:
            self._fitted[key] = fitted
        return fitted
