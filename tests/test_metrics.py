import warnings

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import METRICS

REFERENCES = {
    "accuracy": sklearn.metrics.accuracy_score,
    "balanced_accuracy": sklearn.metrics.balanced_accuracy_score,
    "f1_macro": lambda y_true, y_pred: sklearn.metrics.f1_score(
        y_true, y_pred, average="macro", zero_division=0
    ),
}
pairs = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcd")), min_size=1, max_size=30)


@pytest.mark.parametrize("name", METRICS)
@given(pairs=pairs)
def test_a_metric_is_what_scikit_learn_says(name: str, pairs: list[tuple[str, str]]):
    y_true, y_pred = (np.array(labels) for labels in zip(*pairs, strict=True))
    with warnings.catch_warnings():
        # The references warn of classes that were predicted and never occur, and of a single class.
        warnings.simplefilter("ignore")
        expected = REFERENCES[name](y_true, y_pred)
    value = METRICS[name].score(y_true, y_pred)
    assert value == pytest.approx(expected)
    assert METRICS[name].low <= value <= METRICS[name].high


def test_every_metric_has_a_reference():
    assert set(REFERENCES) == set(METRICS)
