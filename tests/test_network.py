import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra 'neural'")

from bench.heads.network import Network  # noqa: E402


def test_training_stops_when_the_loss_of_held_out_groups_does_not_fall():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 10)).astype(np.float32)
    y = np.array(["a", "b"])[np.arange(60) % 2]
    head = Network(epochs=30, patience=3, lr=0.01).fit(X, y)
    assert len(head.history_) < 30, "noise has no classes"


def test_sequences_learn_which_layer_matters():
    rng = np.random.default_rng(0)
    y = np.array(["a", "b"])[np.arange(80) % 2]
    X = rng.normal(size=(80, 4, 8)).astype(np.float32)
    X[:, 2, 0] += 4 * (y == "a")
    head = Network("LayerWeights", lr=0.05).fit(X, y)
    assert head.module_.weights.argmax() == 2
    assert (head.predict(X) == y).mean() > 0.9
