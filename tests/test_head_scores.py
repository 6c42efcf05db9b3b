"""Scores of heads compare between clips: likelihood ratios or posteriors, without an offset of each clip."""

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from bench import catalog
from bench.heads.mixtures import Mixtures
from bench.heads.svm import SVM, CalibratedSVM
from bench.testing import check_head


class Likelihoods(Mixtures):
    """Log-likelihoods, as releases before this one gave them."""

    def decision_function(self, X):
        ratios = super().decision_function(X)
        return ratios + self.mixtures_[0].score_samples(X)[:, None]


class Offset(LogisticRegression):
    """Log odds with an offset of each clip."""

    def decision_function(self, X):
        return super().decision_function(X) + 5 * np.linalg.norm(X, axis=1, keepdims=True)

    predict_proba = property()  # type: ignore[assignment]


def rule(factory):
    return next(check for check in check_head(factory) if check.name == "scores_compare")


@pytest.mark.parametrize("factory", [Likelihoods, Offset])
def test_scores_with_an_offset_of_each_clip_break_the_rule(factory):
    with pytest.raises(AssertionError, match=r"ROC AUC 0\.\d+ by decision_function, 0\.\d+ by labels"):
        rule(factory)()


@pytest.mark.parametrize("name", ["gmm", "gmm-clip", "kmeans", "knn", "lda", "logreg", "svm", "svm-linear"])
def test_scores_of_heads_compare_between_clips(name):
    head = catalog.load().heads[name]
    rule(lambda: catalog.build(head))()


def two_classes(n_clips: int = 40) -> tuple[list[np.ndarray], np.ndarray]:
    """Return clips of 5 to 200 frames, of two Gaussians that differ in their mean, and their labels."""
    rng = np.random.default_rng(0)
    y = np.repeat(["a", "b"], n_clips // 2)
    clips = [rng.normal(0.2 * (label == "b"), 1, (rng.integers(5, 200), 4)) for label in y]
    return clips, y


def test_mixtures_give_the_log_odds_of_their_posteriors():
    clips, y = two_classes()
    head = Mixtures(n_components=1).fit(clips, y)
    means = [np.concatenate([c for c, label in zip(clips, y, strict=True) if label == name]) for name in "ab"]
    expected = [
        sum(
            norm(m.mean(0), np.sqrt(m.var(0) + 1e-6)).logpdf(clip).sum() * sign
            for m, sign in zip(means, (1, -1), strict=True)
        )
        for clip in clips
    ]
    np.testing.assert_allclose(
        head.decision_function(clips), np.column_stack([expected, np.negative(expected)])
    )


def test_mixtures_of_three_classes_give_each_against_the_mean_of_the_others():
    rng = np.random.default_rng(1)
    y = np.repeat(["a", "b", "c"], 30)
    X = rng.normal(np.repeat([0.0, 1.0, 3.0], 30)[:, None], 1, (90, 2))
    head = Mixtures(n_components=2).fit(X, y)
    likelihoods = np.stack([mixture.score_samples(X) for mixture in head.mixtures_], axis=1)
    posterior = np.exp(likelihoods - logsumexp(likelihoods, axis=1, keepdims=True))
    log_odds = np.log(posterior) - np.log1p(-posterior)
    exact = np.abs(log_odds) < 15  # nearer to 1, a posterior loses its digits
    np.testing.assert_allclose(head.decision_function(X)[exact], (log_odds + np.log(2))[exact], rtol=1e-6)
    np.testing.assert_array_equal(head.predict(X), head.classes_[likelihoods.argmax(axis=1)])


def test_the_length_of_a_clip_does_not_decide_its_score():
    clips, y = two_classes(200)
    head = Mixtures(n_components=1).fit(clips[::2], y[::2])
    share = np.mean(head.predict(clips[1::2]) == y[1::2])
    assert roc_auc_score(y[1::2] == "b", head.decision_function(clips[1::2])[:, 1]) > share > 0.6
    assert roc_auc_score(y[1::2] == "b", -np.array([len(clip) for clip in clips[1::2]])) < 0.6


def test_a_calibrated_svm_predicts_its_most_probable_label():
    rng = np.random.default_rng(0)
    y = np.repeat([f"c{code}" for code in range(10)], 30)
    X = rng.normal(np.repeat(np.arange(10) % 4, 30)[:, None], 1.0, (300, 6))
    head = CalibratedSVM(C=10.0).fit(X, y)
    top = head.classes_[head.predict_proba(X).argmax(axis=1)]
    assert (top != SVM(C=10.0).fit(X, y).predict(X)).any()  # votes over pairs tie, and go to another label
    np.testing.assert_array_equal(head.predict(X), top)
