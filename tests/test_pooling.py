import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bench import cli
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


def test_the_vectors_of_every_layer_are_those_of_each():
    statistics = [pooling.summarise(LAYERS), pooling.summarise(LAYERS[:, :4])]
    n_layers = len(LAYERS) - 1  # the last state is no layer
    per_layer = [pooling.select(statistics, View(layer=layer, pool="mean+std")) for layer in range(n_layers)]
    every = pooling.every_layer(statistics, View(layer="all", pool="mean+std"))
    np.testing.assert_array_equal(every, np.stack(per_layer, axis=1))


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
    statistics = summarised(LAYERS, n_layers=3)
    chosen = [View(layer=name, pool="mean") for name in ("last", 2, "mean")]
    last, second, mean = (pooling.select(statistics, view)[0] for view in chosen)
    np.testing.assert_allclose(last, LAYERS[3].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(second, LAYERS[2].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(mean, LAYERS[:3].mean(axis=(0, 1)), rtol=1e-5)
    with pytest.raises(UsageError, match="expected @layer=0 to 2"):
        pooling.select(statistics, View(layer=3))


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


@pytest.mark.parametrize(
    ("text", "view"),
    [
        ("", View()),
        ("pool=max", View(pool="max")),
        ("pool=none", View(pool="none")),
        ("layer=3", View(layer=3)),
        ("layer=mean@pool=first", View("mean", "first")),
    ],
)
def test_a_view_is_parsed(text: str, view: View):
    assert pooling.parse(text) == view


@pytest.mark.parametrize("text", ["pool=men", "layer=-1", "layer=first", "width=3", "pool"])
def test_an_unknown_view_lists_the_layers_and_poolings(text: str):
    with pytest.raises(UsageError, match=rf"view '@{text}' .*@layer=N.*@pool=mean\|std") as caught:
        pooling.parse(text)
    assert "|".join(pooling.names()) in str(caught.value)


def test_the_docs_list_every_pooling():
    page = (Path(__file__).parent.parent / "docs" / "extractors.md").read_text(encoding="utf-8")
    [sentence] = re.findall(r"Pooling\s+is over time: (.*?) for heads that see frames", page, re.DOTALL)
    assert re.findall(r"`(.+?)`", sentence) == pooling.names()


def test_the_help_lists_every_pooling():
    text = CliRunner().invoke(cli.main, ["run", "--help"], terminal_width=1000).output
    assert f"@pool={'|'.join(pooling.names())}." in "".join(text.split())


def test_a_median_over_windows_is_that_of_all_frames(monkeypatch: pytest.MonkeyPatch):
    before = pooling.merge([(4, pooling.summarise(LAYERS[:, :4])), (3, pooling.summarise(LAYERS[:, 4:]))])
    median = pooling.Statistic(lambda layers: np.median(layers, axis=1))
    monkeypatch.setattr(pooling, "STATISTICS", {**pooling.STATISTICS, "median": median})
    monkeypatch.setattr(pooling, "POOLINGS", {**pooling.POOLINGS, "median": ["median"]})
    assert pooling.needs_frames()
    windows = [LAYERS[:, :4], LAYERS[:, 4:]]
    merged = pooling.merge([(part.shape[1], pooling.summarise(part)) for part in windows], windows)
    np.testing.assert_allclose(
        pooling.select([merged], View(layer=1, pool="median"))[0], np.median(LAYERS[1], axis=0), rtol=1e-6
    )
    np.testing.assert_array_equal(merged[:, :4], before)
