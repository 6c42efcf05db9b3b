"""Zero training: what a ready-made classifier says, in the words of the task."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from bench.types import Embeddings, Labels


class ReadyMade(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no type hints
    """The label with the highest probability by the logits of `extractors.classifier`; nothing is learnt.

    Parameters
    ----------
    labels : Sequence[str]
        What each output of the classifier is called in the dataset; several may be called the same, and one
        that is called nothing there is left out.
    """

    def __init__(self, labels: Sequence[str] = ()) -> None:
        self.labels = labels

    def fit(self, X: Embeddings, y: Labels) -> Self:
        """Take note of the labels that there are.

        Raises
        ------
        ValueError
            If a label of the dataset is none of the classifier's, or X has fewer logits than labels.
        """
        self.classes_ = np.unique(y)
        unknown = sorted(set(self.classes_.tolist()) - set(self.labels))
        if unknown:
            raise ValueError(
                f"no output of the classifier is called {', '.join(unknown)}; add it to `labels`"
            )
        if X.shape[1] < len(self.labels):
            raise ValueError(f"{X.shape[1]} logits for {len(self.labels)} labels; name each output once")
        return self

    def predict_proba(self, X: Embeddings) -> Any:
        """Return the probabilities of the dataset's labels, columns as in `classes_`."""
        # Behind the means of the logits may come other statistics.
        probabilities = softmax(X[:, : len(self.labels)].astype(np.float64), axis=1)
        own = np.array(list(self.labels)) == self.classes_[:, np.newaxis]
        known = probabilities @ own.T
        return known / known.sum(axis=1, keepdims=True)

    def predict(self, X: Embeddings) -> Labels:
        """Return the most probable label of each clip."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])
