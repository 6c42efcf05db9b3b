"""Rules for heads that see one vector per clip.

Conventions: X has shape=(n_clips, 8) and three well separated classes; the first 120 rows are for training,
the other 60 for testing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.metrics import roc_auc_score

from bench.errors import shortlist
from bench.testing.checks import Check, Rule, Subject, build_checks
from bench.types import Embeddings, Head, Labels

N_TRAIN, N_TEST = 120, 60

CLASSES = ("ash", "beech", "cedar")

LEAST_SHARE = 0.9
"""Smallest share of tested rows with the right label."""

SLACK = 0.02
"""Largest loss of ROC AUC from labels to scores: ties of scores cost a little."""


class HeadSubject(Subject[Head]):
    """A head under test, with rows to train and test on."""

    def __init__(self, factory: Callable[[], Head]) -> None:
        super().__init__(factory)
        X, codes = make_blobs(
            N_TRAIN + N_TEST, 8, centers=3, cluster_std=1.0, center_box=(-8, 8), random_state=3
        )
        self.X, self.y = X.astype(np.float32), np.array(CLASSES)[codes]

    @property
    def train(self) -> tuple[Embeddings, Labels]:
        """Return copies of the training rows and their labels."""
        return self.X[:N_TRAIN].copy(), self.y[:N_TRAIN].copy()

    @property
    def test(self) -> tuple[Embeddings, Labels]:
        """Return copies of the tested rows and their labels."""
        return self.X[N_TRAIN:].copy(), self.y[N_TRAIN:].copy()

    @property
    def uneven(self) -> Embeddings:
        """Return all rows with the last four columns replaced by noise, whose size differs between rows."""
        rng = np.random.default_rng(5)
        sizes = rng.lognormal(sigma=1.5, size=(len(self.X), 1))
        return np.hstack([self.X[:, :4], sizes * rng.standard_normal((len(self.X), 4))]).astype(np.float32)

    @cached_property
    def fitted(self) -> Any:
        """Return the fitted head that the rules share."""
        return self.fit()

    def seeded(self) -> Any:
        """Return a new head, with `random_state` 0 if it has that parameter."""
        head: Any = self.factory()
        if "random_state" in getattr(head, "get_params", dict)():
            head.set_params(random_state=0)
        return head

    def fit(self) -> Any:
        """Return a new fitted head."""
        return self.seeded().fit(*self.train)


def predicts_labels(subject: HeadSubject) -> None:
    """Every row gets one of the training labels."""
    y_pred = np.asarray(subject.fitted.predict(subject.test[0]))
    assert y_pred.shape == (N_TEST,), f"shape {y_pred.shape}"
    strange = set(y_pred.astype(str).tolist()) - set(CLASSES)
    assert not strange, f"labels {shortlist(strange)}"


def learns(subject: HeadSubject) -> None:
    """At least 90 % of new rows of well separated classes get the right label."""
    X_test, y_test = subject.test
    share = float(np.mean(np.asarray(subject.fitted.predict(X_test)).astype(str) == y_test))
    assert share >= LEAST_SHARE, f"{share:.2f} right"


def two_classes(subject: HeadSubject) -> None:
    """Two classes are enough to fit and predict."""
    X, y = subject.train
    rows = y != "cedar"
    y_pred = np.asarray(subject.factory().fit(X[rows], y[rows]).predict(subject.test[0])).astype(str)
    assert set(y_pred.tolist()) <= {"ash", "beech"}


def repeats_itself(subject: HeadSubject) -> None:
    """Two heads with the same seed and training rows predict the same labels."""
    first, second = (np.asarray(subject.fit().predict(subject.test[0])) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def forgets(subject: HeadSubject) -> None:
    """A second fit replaces the first one."""
    X, y = subject.train
    renamed = np.char.add("other ", y)
    y_pred = np.asarray(subject.fit().fit(X, renamed).predict(subject.test[0])).astype(str)
    assert all(label.startswith("other ") for label in y_pred.tolist())


def rows_stay_apart(subject: HeadSubject) -> None:
    """A row gets the same label alone and in a batch."""
    X_test, _ = subject.test
    together = np.asarray(subject.fitted.predict(X_test))
    alone = np.concatenate([np.asarray(subject.fitted.predict(row[None])) for row in X_test])
    np.testing.assert_array_equal(together, alone)


def leaves_its_data_alone(subject: HeadSubject) -> None:
    """Neither fit nor predict modifies X or y."""
    (X, y), (X_test, _) = subject.train, subject.test
    subject.factory().fit(X, y).predict(X_test)
    np.testing.assert_array_equal(X, subject.train[0])
    np.testing.assert_array_equal(y, subject.train[1])
    np.testing.assert_array_equal(X_test, subject.test[0])


def scores(subject: HeadSubject) -> None:
    """Probabilities, if there are any, have a column per sorted class, are finite and sum to 1."""
    if not hasattr(subject.fitted, "predict_proba"):
        return
    p = np.asarray(subject.fitted.predict_proba(subject.test[0]))
    assert list(subject.fitted.classes_) == list(CLASSES), f"classes_ {list(subject.fitted.classes_)}"
    assert p.shape == (N_TEST, len(CLASSES)), f"shape {p.shape}"
    assert np.isfinite(p).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-4)


def likeliest(subject: HeadSubject) -> None:
    """The predicted label has the highest probability in at least 90 % of the rows."""
    if hasattr(subject.fitted, "predict_proba"):
        X_test, _ = subject.test
        columns = np.argmax(subject.fitted.predict_proba(X_test), axis=1)
        top_labels = np.asarray(subject.fitted.classes_)[columns]
        share = float(np.mean(top_labels == np.asarray(subject.fitted.predict(X_test))))
        assert share >= LEAST_SHARE, f"{share:.2f} agree"


def scores_compare(subject: HeadSubject) -> None:
    """Scores of one class rank rows as well as labels do: no offset of a row, such as its likelihood."""
    X, (_, y), (_, y_test) = subject.uneven, subject.train, subject.test
    head: Any = subject.seeded().fit(X[:N_TRAIN], y)
    method = next((name for name in ("predict_proba", "decision_function") if hasattr(head, name)), None)
    if method is None:
        return
    values = np.asarray(getattr(head, method)(X[N_TRAIN:]), dtype=np.float64)
    y_pred = np.asarray(head.predict(X[N_TRAIN:])).astype(str)
    pairs = [(y_test == label, values[:, code], y_pred == label) for code, label in enumerate(CLASSES)]
    of_scores = float(np.mean([roc_auc_score(target, score) for target, score, _ in pairs]))
    of_labels = float(np.mean([roc_auc_score(target, hit) for target, _, hit in pairs]))
    assert of_scores >= of_labels - SLACK, (
        f"ROC AUC {of_scores:.3f} by {method}, {of_labels:.3f} by labels; return posteriors or ratios"
    )


def clones(subject: HeadSubject) -> None:
    """The head can be cloned by scikit-learn, as tuning requires."""
    clone(subject.factory())


RULES: Sequence[Rule] = (
    predicts_labels,
    learns,
    two_classes,
    repeats_itself,
    forgets,
    rows_stay_apart,
    leaves_its_data_alone,
    scores,
    likeliest,
    scores_compare,
    clones,
)


def check_head(
    factory: Callable[[], Head], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the checks of a head that sees one vector per clip; parameters as in `check_extractor`."""
    return build_checks(RULES, HeadSubject(factory), expected_failures)
