from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import audio
from bench.datasets.segments import offsets
from bench.errors import ClipError, UsageError
from bench.inference import windows
from bench.types import Clip

RATE = 16_000


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return 20 s of noise as WAV, as MP3, and as an MP3 that does not say its length."""
    folder = tmp_path_factory.mktemp("noise")
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 20 * RATE)
    paths = {name: folder / f"{name}.{name[:3]}" for name in ("wav", "mp3", "mp3 without a length")}
    soundfile.write(paths["wav"], samples, RATE)
    soundfile.write(paths["mp3"], samples, RATE)
    content = paths["mp3"].read_bytes()
    second_frame = content.find(content[:2], 4)  # the first one says how many there are
    paths["mp3 without a length"].write_bytes(content[second_frame:])
    return paths


def clips_of(path: Path, *lengths: float) -> list[Clip]:
    return windows.clips(Clip(str(path), path), *lengths)


def spans(path: Path, seconds: float, hop: float | None = None) -> list[tuple[float, float]]:
    return [(clip.start, clip.end) for clip in clips_of(path, seconds, hop)]


@pytest.mark.parametrize(
    ("seconds", "hop", "expected"),
    [
        (8.0, None, [(0.0, 8.0), (8.0, 16.0), (12.0, 20.0)]),  # the last one ends with the recording
        (10.0, 5.0, [(0.0, 10.0), (5.0, 15.0), (10.0, 20.0)]),
        (20.0, 1.0, [(0.0, 20.0)]),
        (30.0, 1.0, [(0.0, 20.0)]),
        (3.0, 8.0, [(0.0, 3.0), (8.0, 11.0), (16.0, 19.0)]),  # time between windows is no rest
    ],
)
def test_windows_cover_a_recording(noise, seconds: float, hop: float | None, expected):
    assert spans(noise["wav"], seconds, hop) == expected


def test_a_rest_in_the_gap_behind_a_segment_is_no_segment():
    assert offsets(9.0, 3.0, 10.0, pad=True) == [0.0]
    assert offsets(12.0, 3.0, 10.0, pad=True) == [0.0, 10.0]


@pytest.mark.parametrize("text", ["", "0", "nan", "inf", "-1:1", "3:0", "3:1:1", "a"])
def test_a_wrong_length_of_windows_is_one_line(text: str):
    with pytest.raises(UsageError, match=r"^--segments .*expected .*such as 3:1$"):
        windows.parse(text)


def test_windows_of_no_audio_are_a_clip_error(tmp_path: Path):
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(ClipError, match=r"a\.wav: not decodable"):
        clips_of(tmp_path / "a.wav", 3.0)
    soundfile.write(tmp_path / "b.wav", np.zeros(0), RATE)
    with pytest.raises(ClipError, match=r"b\.wav: has 0 samples"):
        clips_of(tmp_path / "b.wav", 3.0)


def test_a_window_too_many_is_a_usage_error():
    with pytest.raises(UsageError, match="raise the hop"):
        windows.spans(86_400.0 * 365, 3.0, 0.001)


def each(clips: list[Clip], rate: int) -> list[np.ndarray]:
    return [audio.read(clip, rate) for clip in clips]


def test_windows_in_one_pass_are_those_of_a_file_with_an_index(noise):
    clips = clips_of(noise["wav"], 3.0, 0.7)
    assert all(map(np.array_equal, audio.read_windows(clips, 8000), each(clips, 8000)))


@pytest.mark.parametrize("name", ["mp3", "mp3 without a length"])
@pytest.mark.parametrize("rate", [RATE, 22_050])
def test_windows_of_mp3_in_one_pass_are_those_that_are_read_one_by_one(noise, name: str, rate: int):
    clips = clips_of(noise[name], 3.0, 0.7)
    for window, expected in zip(audio.read_windows(clips, rate), each(clips, rate), strict=True):
        np.testing.assert_allclose(window, expected, atol=4 * np.finfo(np.float32).eps)  # steps at full scale


@pytest.mark.parametrize("hop", [0.7, 5.0])
def test_windows_that_ffmpeg_decodes_in_one_pass_are_the_same_to_the_bit(tmp_path: Path, hop: float):
    av = pytest.importorskip("av")
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (1, 1024 * 200)).astype(np.float32)
    with av.open(str(tmp_path / "a.m4a"), "w") as file:
        stream = file.add_stream("aac", rate=RATE, layout="mono")
        for first in range(0, samples.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(samples[:, first : first + 1024].copy(), "fltp", "mono")
            frame.rate, frame.pts = RATE, first
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    clips = clips_of(tmp_path / "a.m4a", 3.0, hop)
    assert all(map(np.array_equal, audio.read_windows(clips, RATE), each(clips, RATE)))


def test_a_file_is_opened_once_for_windows_in_one_pass(noise, monkeypatch: pytest.MonkeyPatch):
    clips = clips_of(noise["mp3"], 3.0, 0.7)
    opened: list[Path] = []
    open_stream = audio.files.open_stream
    monkeypatch.setattr(audio.files, "open_stream", lambda path: opened.append(path) or open_stream(path))
    assert len(list(audio.read_windows(clips, RATE))) == len(clips)
    assert opened == [noise["mp3"]]


def test_a_window_that_cannot_be_read_leaves_the_others(tmp_path: Path):
    samples = np.zeros(4 * RATE, dtype=np.float32)
    samples[RATE + 5] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype="FLOAT")
    outcomes = list(audio.read_windows(clips_of(tmp_path / "a.wav", 1.0), RATE))
    assert [isinstance(outcome, ClipError) for outcome in outcomes] == [False, True, False, False]


def test_a_file_that_cannot_be_read_is_the_error_of_every_window(tmp_path: Path, noise):
    clips = clips_of(noise["mp3"], 10.0)
    clips = [Clip(clip.id, tmp_path / "gone.mp3", clip.start, clip.end) for clip in clips]
    outcomes = list(audio.read_windows(clips, RATE))
    assert [str(outcome) for outcome in outcomes] == [f"{tmp_path / 'gone.mp3'}: no such file"] * 2


def test_blocks_are_the_recording(noise):
    blocks = list(audio.read_windows(windows.blocks(Clip("a", noise["wav"]), 3.0), RATE))
    np.testing.assert_array_equal(np.concatenate(blocks), audio.read(Clip("a", noise["wav"]), RATE))
