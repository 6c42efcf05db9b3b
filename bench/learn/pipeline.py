"""What comes between embeddings and a head: scaling and reducers, over whatever shape the head sees."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from bench.types import Embeddings, Head, Samples, Unit


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is made afresh for every fold, and what it sees.

    Parameters
    ----------
    head : Callable[[], Head]
        Returns a fresh head.
    unit : Unit
        What the head sees of a clip.
    steps : Sequence[tuple[str, Callable[[], Any]]]
        Name -> a fresh reducer, in their order.
    scaled : bool
        Whether features are standardised first.
    grid : Mapping[str, Sequence[Any]]
        Values of the head's parameters to choose from in inner folds; empty for none.
    train_size : float
        The share of the training groups of every class that is learnt from, in (0, 1].
    """

    head: Callable[[], Head]
    unit: Unit = "clip"
    steps: Sequence[tuple[str, Callable[[], Any]]] = ()
    scaled: bool = True
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    train_size: float = 1.0

    def before(self) -> Pipeline:
        """Return fresh steps: all but the head."""
        flat = self.unit in {"clip", "frame"}
        scaler = StandardScaler() if flat else Flat(StandardScaler())
        reducers = [(name, Flat(build())) for name, build in self.steps]
        return Pipeline([("scale", scaler if self.scaled else "passthrough"), *reducers])

    def pipeline(self) -> Pipeline:
        """Return fresh steps and a fresh head, the last step."""
        return Pipeline([*self.before().steps, ("head", self.head())])


class Flat(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """A transformer of vectors that learns without labels, also for frames, or for layers side by side."""

    def __init__(self, transformer: Any) -> None:
        self.transformer = transformer

    def fit(self, X: Samples, y: object = None) -> Self:
        """Fit the transformer on every frame of every clip, or on the layers of every clip as one vector."""
        self.transformer_ = clone(self.transformer).fit(_flat(X))
        return self

    def transform(self, X: Samples) -> Samples:
        """Return the same shape as X, but for a reduced dim of vectors and frames."""
        values = self.transformer_.transform(_flat(X))
        if not isinstance(X, np.ndarray):
            return np.split(values, np.cumsum([len(frames) for frames in X])[:-1])
        return np.asarray(values.reshape(X.shape) if X.ndim > 2 else values)


def _flat(X: Samples) -> Embeddings:
    """Return vectors, one per row."""
    return X.reshape(len(X), -1) if isinstance(X, np.ndarray) else np.concatenate(X)


def taken(X: Samples, rows: npt.NDArray[np.bool_]) -> Samples:
    """Return the samples that `rows` selects."""
    return X[rows] if isinstance(X, np.ndarray) else [X[int(row)] for row in np.flatnonzero(rows)]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Fitted steps, what they make of the two sides of a fold, and how long either took, in s."""

    steps: Pipeline
    X_train: Samples
    X_test: Samples
    fit_s: float
    transform_s: float


class Shared:
    """What the steps of recipes made of the folds of one problem, so that heads fit equal steps once.

    Only reducers are shared: to scale again costs less than to keep.
    """

    def __init__(self) -> None:
        self._made: dict[object, Prepared] = {}

    def prepared(
        self, recipe: Recipe, fold: str, X_train: Samples, X_test: Samples, clock: Callable[[], float]
    ) -> Prepared:
        """Return what a recipe's steps, fitted on the training side, make of both sides."""
        key = (fold, recipe.scaled, tuple(name for name, _ in recipe.steps))
        if key in self._made:
            return self._made[key]
        steps = recipe.before()
        times = [clock()]
        train = steps.fit_transform(X_train)
        times.append(clock())
        test = steps.transform(X_test)
        made = Prepared(steps, train, test, times[1] - times[0], clock() - times[1])
        if recipe.steps:
            self._made[key] = made
        return made
