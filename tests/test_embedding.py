"""The engine that sends clips through extractors, with extractors written for the test."""

import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import audio, catalog
from bench.embed import pooling
from bench.embed.engine import EmbeddingBatch, embed
from bench.embed.layers import as_layers
from bench.errors import PluginError
from bench.types import Audio, Clip, Frames, Layer, Spec

RATE = 8000
CALLS: list[list[int]] = []


class Blocks:
    """The mean and the spread of every block of 80 samples; takes note of what it is called with."""

    sample_rate = RATE
    dim = 2
    most = 10**9

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        sizes = [clip.size for clip in audio]
        CALLS.append(sizes)
        if len(sizes) * max(sizes) > self.most:
            raise MemoryError
        blocks = [clip[: clip.size // 80 * 80].reshape(-1, 80) for clip in audio]
        return [np.stack([block.mean(axis=1), block.std(axis=1)], axis=1) for block in blocks]


class Windowed(Blocks):
    max_seconds = 0.5
    batch_seconds = 2.0


class Small(Blocks):
    most = 4 * RATE


class Tiny(Blocks):
    most = 100


class PaddedTo(Blocks):
    padded_seconds = 30.0
    batch_seconds = 60.0


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, Clip]:
    """Return content digest -> clip of 0.5 s to 3.5 s."""
    rng = np.random.default_rng(0)
    clips = {}
    for number in range(7):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal((number + 1) * RATE // 2), RATE)
        clips[f"{number:032x}"] = Clip(f"c{number}", path)
    CALLS.clear()
    return clips


def spec(factory: type, **more: object) -> Spec:
    return Spec(
        "extractor",
        factory.__name__,
        f"{__name__}:{factory.__name__}",
        root=str(Path(__file__).parent),
        **more,
    )


def run(
    clips: dict[str, Clip], factory: type, *, frame_layers: Sequence[Layer] = (), **of: object
) -> list[EmbeddingBatch]:
    longest_first = dict(sorted(clips.items(), key=lambda item: -audio.seconds(item[1])))
    extractor = spec(factory, **of)
    return list(embed(longest_first, extractor, catalog.build(extractor), frame_layers=frame_layers))


def whole(clip: Clip) -> np.ndarray:
    [frames] = Blocks().embed([audio.read(clip, RATE)])
    return pooling.summarise(as_layers(frames, 2))


@pytest.mark.parametrize("factory", [Blocks, Windowed, Small, PaddedTo])
def test_statistics_do_not_depend_on_batches_windows_or_memory(factory: type, clips: dict[str, Clip]):
    embeddings = {content: row for batch in run(clips, factory) for content, row in batch.embeddings.items()}
    assert set(embeddings) == set(clips)
    for content, clip in clips.items():
        np.testing.assert_allclose(embeddings[content].statistics, whole(clip), rtol=1e-4, atol=1e-6)
        assert embeddings[content].audio_s == pytest.approx(soundfile.info(clip.path).duration)


def test_every_clip_has_the_number_of_threads_that_its_embedding_could_use(
    clips: dict[str, Clip], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert {row.threads for batch in run(clips, Blocks) for row in batch.embeddings.values()} == {3}


def test_long_clips_come_in_equal_windows_within_the_budget(clips: dict[str, Clip]):
    run(clips, Windowed)
    assert max(size for call in CALLS for size in call) == RATE // 2
    assert all(len(call) * max(call) <= 2 * RATE for call in CALLS)
    assert sum(size for call in CALLS for size in call) == sum(range(1, 8)) * RATE // 2


def test_clips_of_like_lengths_share_a_batch_the_longest_first(clips: dict[str, Clip]):
    run(clips, Blocks)
    assert [size for call in CALLS for size in call] == [n * RATE // 2 for n in range(7, 0, -1)]


def test_padding_counts_in_the_budget(clips: dict[str, Clip]):
    run(clips, PaddedTo)
    assert [len(call) for call in CALLS] == [2, 2, 2, 1]


def test_what_is_too_much_is_halved_and_less_is_taken_from_then_on(clips: dict[str, Clip]):
    run(clips, Small)
    refused = [call for call in CALLS if len(call) * max(call) > Small.most]
    assert refused
    assert refused[0] == [n * RATE // 2 for n in range(7, 0, -1)]


def test_the_arrays_of_a_batch_that_did_not_fit_are_gone_when_its_halves_are_tried(clips: dict[str, Clip]):
    batches: list[weakref.ref[np.ndarray]] = []

    class Hungry(Small):
        def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
            assert [batch for batch in batches if batch() is not None] == []
            padded = np.zeros((len(audio), max(clip.size for clip in audio)))
            batches.append(weakref.ref(padded))
            return super().embed(audio)

    [batch] = embed(clips, spec(Hungry), Hungry())
    assert len(batch.embeddings) == len(clips) < len(batches)


def test_a_clip_that_does_not_fit_alone_is_a_failure(clips: dict[str, Clip]):
    with pytest.raises(PluginError, match="extractor 'Tiny' ran out of memory on one clip"):
        run(clips, Tiny)


@pytest.mark.parametrize("factory", [Blocks, Windowed])
def test_frames_of_windows_are_joined_in_their_order(factory: type, clips: dict[str, Clip]):
    embeddings = {
        content: row
        for batch in run(clips, factory, frame_layers=["last"])
        for content, row in batch.embeddings.items()
    }
    for content, clip in clips.items():
        [frames] = Blocks().embed([audio.read(clip, RATE)])
        np.testing.assert_array_equal(embeddings[content].frames["last"], frames)


def test_a_clip_that_cannot_be_decoded_is_named_and_the_rest_goes_on(clips: dict[str, Clip], tmp_path: Path):
    (tmp_path / "3.wav").write_bytes(b"RIFF")
    [batch] = run(clips, Blocks)
    assert set(batch.errors) == {f"{3:032x}"}
    assert len(batch.embeddings) == 6


def test_steps_are_done_before_the_extractor_hears_a_clip(clips: dict[str, Clip]):
    [plain], [loud] = run(clips, Blocks), run(clips, Blocks, preprocess=("peak=0",))
    first = f"{0:032x}"
    gain = 1 / np.abs(audio.read(clips[first], RATE)).max()
    ratio = loud.embeddings[first].statistics[0, 1] / plain.embeddings[first].statistics[0, 1]
    np.testing.assert_allclose(ratio[1], gain, rtol=1e-3)
