"""Windows, batches, the invariance check and the accumulator, each by itself."""

import numpy as np
import pytest

from bench.embed import batches, invariance, pooling
from bench.embed.accumulator import ClipAccumulator
from bench.embed.batches import BatchBuilder, Window
from bench.errors import PluginError

FRAMES = np.random.default_rng(0).normal(size=(1, 6, 2)).astype(np.float32)


def sizes(windows: list[int], max_samples: int, padded_samples: int = 0) -> list[list[int]]:
    builder = BatchBuilder(padded_samples)
    full = [builder.add(Window("a", np.zeros(n, np.float32)), max_samples) for n in windows]
    return [[window.audio.size for window in batch] for batch in (*full, builder.flush()) if batch]


@pytest.mark.parametrize(
    ("windows", "padded_samples", "expected"),
    [
        ([4, 4, 4], 0, [[4, 4], [4]]),
        ([3, 2, 2, 2], 0, [[3, 2, 2], [2]]),
        ([1, 1, 1], 5, [[1, 1], [1]]),
        ([11, 2, 12], 0, [[11], [2], [12]]),
        ([], 0, []),
    ],
)
def test_a_batch_with_its_padding_stays_within_the_limit(windows, padded_samples, expected):
    assert sizes(windows, 10, padded_samples) == expected


def test_a_batch_holds_a_limited_number_of_windows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "BATCH_CLIPS", 2)
    assert sizes([1, 1, 1, 1, 1], 100) == [[1, 1], [1, 1], [1]]


def test_the_same_frames_alone_and_in_a_batch_pass():
    y = np.ones(4, np.float32)
    invariance.check("a", y, y, FRAMES, lambda _: FRAMES * 1.01)


@pytest.mark.parametrize(
    ("after", "alone", "message"),
    [
        (0.0, FRAMES, "extractor 'a' changed the audio"),
        (1.0, FRAMES[:, :5], r"extractor 'a' .*\(1, 5, 2\) .*\(1, 6, 2\)"),
        (1.0, FRAMES * 1.2, "extractor 'a' .* 17% apart"),
    ],
)
def test_other_frames_or_changed_audio_are_refused(after: float, alone: np.ndarray, message: str):
    with pytest.raises(PluginError, match=message):
        invariance.check("a", np.ones(4, np.float32), np.full(4, after, np.float32), FRAMES, lambda _: alone)


def test_an_accumulator_joins_windows_and_adds_their_time():
    clip = ClipAccumulator(audio_s=3.0, n_windows=2, frame_layers=["last"])
    clip.add(FRAMES[:, :4], pooling.summarise(FRAMES[:, :4]), 0.5)
    assert not clip.complete
    clip.add(FRAMES[:, 4:], pooling.summarise(FRAMES[:, 4:]), 0.25)
    assert clip.complete
    embedding = clip.embedding(n_params=7)
    np.testing.assert_array_equal(embedding.frames["last"], FRAMES[0])
    np.testing.assert_allclose(embedding.statistics, pooling.summarise(FRAMES), rtol=1e-5)
    assert (embedding.audio_s, embedding.usage.seconds, embedding.params) == (3.0, 0.75, 7)
