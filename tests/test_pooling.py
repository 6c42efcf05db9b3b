import numpy as np
import pytest

from bench.embed import pooling
from bench.embed.layers import as_layers, select_layer
from bench.errors import PluginError, UsageError
from bench.types import View

RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(7, 3)).astype(np.float32)
LAYERS = RNG.normal(size=(4, 7, 3)).astype(np.float32)


def summarised(frames: np.ndarray, n_layers: int | None = None) -> list[np.ndarray]:
    return [pooling.summarise(as_layers(frames, 3, n_layers))]


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ("mean", FRAMES.mean(axis=0)),
        ("std", FRAMES.std(axis=0)),
        ("max", FRAMES.max(axis=0)),
        ("first", FRAMES[0]),
        ("mean+std", np.concatenate([FRAMES.mean(axis=0), FRAMES.std(axis=0)])),
    ],
)
def test_every_pooling_is_what_numpy_says(pool: str, expected: np.ndarray):
    statistics = summarised(FRAMES)
    np.testing.assert_allclose(pooling.select(statistics, View(pool=pool))[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "frames"), [(0, LAYERS[0]), (2, LAYERS[2]), ("last", LAYERS[3]), ("mean", LAYERS.mean(axis=0))]
)
def test_every_layer_can_be_chosen_of_the_same_statistics(layer, frames: np.ndarray):
    statistics = summarised(LAYERS)
    expected = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
    np.testing.assert_allclose(
        pooling.select(statistics, View(layer=layer))[0], expected, rtol=1e-4, atol=1e-6
    )


def test_one_vector_per_clip_is_one_frame():
    statistics = summarised(FRAMES[0])
    np.testing.assert_array_equal(pooling.select(statistics, View(pool="mean"))[0], FRAMES[0])
    assert not pooling.select(statistics, View(pool="std")).any()


@pytest.mark.parametrize(("frames", "last"), [(FRAMES, 0), (LAYERS, 3)])
def test_a_layer_that_is_not_there_says_which_are(frames: np.ndarray, last: int):
    with pytest.raises(UsageError, match=f"there is no layer {last + 1}; expected @layer=0 to {last}"):
        pooling.select(summarised(frames), View(layer=last + 1))


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (FRAMES[:, :2], r"shape \(7, 2\); expected \(n_frames, 3\)"),
        (FRAMES[:0], r"shape \(0, 3\)"),
        (np.float32(1), r"shape \(\)"),
        (np.where(FRAMES > 1, np.nan, FRAMES), "not all finite"),
        (np.full((2, 3), np.inf), "not all finite"),
        (np.ones((2, 3), dtype=int), "returned int64 frames; expected floats"),
    ],
)
def test_frames_that_break_the_contract_are_refused(frames: np.ndarray, message: str):
    with pytest.raises(PluginError, match=message):
        summarised(frames)


@pytest.mark.parametrize(
    ("chosen", "expected"), [(1, LAYERS[1]), ("last", LAYERS[3]), ("mean", LAYERS.mean(axis=0))]
)
def test_a_layer_of_the_frames_is_chosen_as_it_is_of_the_statistics(chosen, expected: np.ndarray):
    np.testing.assert_allclose(select_layer(as_layers(LAYERS, 3), chosen), expected, rtol=1e-6)


def test_a_layer_of_the_frames_that_is_not_there_says_which_are():
    with pytest.raises(UsageError, match="expected @layer=0 to 3"):
        select_layer(as_layers(LAYERS, 3), 4)


def test_the_last_state_may_be_no_layer():
    made = summarised(LAYERS, n_layers=3)
    chosen = [View(layer=name, pool="mean") for name in ("last", 2, "mean")]
    last, second, mean = (pooling.select(made, view)[0] for view in chosen)
    np.testing.assert_allclose(last, LAYERS[3].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(second, LAYERS[2].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(mean, LAYERS[:3].mean(axis=(0, 1)), rtol=1e-5)
    with pytest.raises(UsageError, match="expected @layer=0 to 2"):
        pooling.select(made, View(layer=3))


@pytest.mark.parametrize("n_layers", [2, 6])
def test_another_number_of_layers_than_was_declared_is_refused(n_layers: int):
    with pytest.raises(PluginError, match=f"returned 4 layers; expected {n_layers}, and one more"):
        as_layers(LAYERS, 3, n_layers)


@pytest.mark.parametrize("cuts", [[3], [1, 2, 6]])
@pytest.mark.parametrize("frames", [FRAMES, LAYERS, LAYERS * 1e-3 + 1e3])
def test_windows_have_the_statistics_of_the_whole(frames: np.ndarray, cuts: list[int]):
    parts = np.split(as_layers(frames.astype(np.float32), 3), cuts, axis=1)
    merged = pooling.merge([(part.shape[1], pooling.summarise(part)) for part in parts])
    np.testing.assert_allclose(merged, summarised(frames.astype(np.float32))[0], rtol=1e-3, atol=1e-4)
