"""Zero-shot heads: the labels of a trained classifier, renamed to the labels of the task."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from bench.types import Embeddings, Labels


class ReadyMade(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """The most probable label by the logits of `extractors.classifier`, without any training.

    Parameters
    ----------
    labels : Sequence[str]
        Label in the dataset for every output of the classifier, in their order. Several outputs may have one
        label; an output whose label does not occur in the dataset is ignored.
    """

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self.labels = labels

    def fit(self, X: Embeddings, y: Labels) -> Self:
        """Store the labels of the dataset.

        Raises
        ------
        ValueError
            If a label of the dataset is not in `labels`, or X has fewer columns than `labels` has entries.
        """
        self.classes_ = np.unique(y)
        unknown = sorted(set(self.classes_.tolist()) - set(self.labels))
        if unknown:
            raise ValueError(
                f"no output of the classifier is called {', '.join(unknown)}; add it to `labels`"
            )
        if X.shape[1] < len(self.labels):
            raise ValueError(
                f"{X.shape[1]} logits for {len(self.labels)} labels; expected one label per logit"
            )
        return self

    def predict_proba(self, X: Embeddings) -> Any:
        """Return the probabilities, shape=(n_clips, n_classes), columns as in `classes_`."""
        # X starts with the means of the logits; other statistics may follow.
        probabilities = softmax(X[:, : len(self.labels)].astype(np.float64), axis=1)
        has_label = np.array(list(self.labels)) == self.classes_[:, np.newaxis]
        totals = probabilities @ has_label.T
        return totals / totals.sum(axis=1, keepdims=True)

    def predict(self, X: Embeddings) -> Labels:
        """Return the most probable label of every clip."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
