"""A head whose output for a clip depends on the other tested clips fails its cell."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from bench.errors import PluginError
from bench.learn.folds import evaluate
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.types import Split


class BatchNorm(LogisticRegression):
    """Scores of clips that are standardised over the batch."""

    def predict_proba(self, X):
        return super().predict_proba(X - X.mean(axis=0))


class Median:
    """Labels by a threshold over the batch."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[(X[:, 0] > np.median(X[:, 0])).astype(int)]


def examples() -> Examples:
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 30)
    split = Split("cv:2", np.repeat(["f1", "f2"], 30), {"speaker": np.repeat(np.arange(6).astype(str), 10)})
    return Examples(rng.normal(1.0 * (y == "b"), 1, (3, 60)).T, y, split)


@pytest.mark.parametrize("head", [BatchNorm, Median])
def test_a_head_that_looks_at_the_batch_fails_in_a_run(head):
    with pytest.raises(
        PluginError, match=r"another (scores \(.* apart\)|label) alone than among others; its"
    ):
        evaluate(examples(), PipelineSpec(head=head), time.perf_counter)


def test_a_head_that_looks_at_one_clip_passes():
    evaluate(examples(), PipelineSpec(head=LogisticRegression), time.perf_counter)
