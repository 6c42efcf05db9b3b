import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.preprocessing import LabelEncoder, StandardScaler
from xgboost import XGBClassifier

from bench import registry
from bench.types import BASELINE

HEADS = registry.load().heads


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    return X[::2].astype(np.float32), np.array(["red", "rosé", "white"])[y[::2]], X[1::2].astype(np.float32)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_takes_labels_of_text_and_gives_the_same_again(name: str, wine):
    X, y, unseen = wine
    head = registry.build(HEADS[name])
    first = head.fit(X, y).predict(unseen)
    assert set(first) <= set(y)
    np.testing.assert_array_equal(clone(head).fit(X, y).predict(unseen), first)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_takes_two_classes(name: str, wine):
    X, y, unseen = wine
    two = y != "white"
    assert set(registry.build(HEADS[name]).fit(X[two], y[two]).predict(unseen)) <= {"red", "rosé"}


def test_gbdt_is_xgboost_with_labels(wine):
    X, y, unseen = wine
    head = registry.build(HEADS["gbdt"]).fit(X, y)
    encoder = LabelEncoder().fit(y)
    reference = XGBClassifier(tree_method="hist", n_jobs=1, **HEADS["gbdt"].params).fit(
        X, encoder.transform(y)
    )
    np.testing.assert_array_equal(head.predict(unseen), encoder.inverse_transform(reference.predict(unseen)))
    np.testing.assert_array_equal(head.predict_proba(unseen), reference.predict_proba(unseen))
    assert head.classes_.tolist() == ["red", "rosé", "white"]


def test_the_baseline_is_the_majority_class(wine):
    X, y, unseen = wine
    assert set(registry.build(HEADS[BASELINE]).fit(X, y).predict(unseen)) == {"rosé"}
