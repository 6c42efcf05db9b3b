import ast
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from bench import audio
from bench.errors import ClipError
from bench.types import Clip

UTTERANCE = "LibriSpeech/test-other/1688/142285/1688-142285-0000.flac"


@pytest.fixture
def speech(real: Path) -> np.ndarray:
    samples, rate = soundfile.read(real / UTTERANCE, dtype="float32")
    assert rate == 16000
    return samples[: 2 * rate]


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_U8", 1e-2),
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_32", 1e-6),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("wav", "ULAW", 3e-2),
        ("flac", "PCM_16", 1e-4),
        ("flac", "PCM_24", 1e-6),
        ("aiff", "PCM_16", 1e-4),
        ("ogg", "VORBIS", 0.2),
        ("mp3", "MPEG_LAYER_III", 0.2),
    ],
)
def test_every_format_and_depth_gives_the_samples(
    suffix: str, subtype: str, tolerance: float, speech, tmp_path: Path
):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, speech, 16000, subtype=subtype)
    samples = audio.read(Clip("a", path), 16000)
    assert samples.dtype == np.float32
    assert len(samples) == len(speech)
    np.testing.assert_allclose(samples, speech, atol=tolerance + 1e-7)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 96000])
@pytest.mark.parametrize("n_channels", [1, 2, 6])
def test_any_rate_and_channel_count_gives_what_librosa_gives(
    rate: int, n_channels: int, speech, tmp_path: Path
):
    path = tmp_path / "a.wav"
    high = librosa.resample(speech, orig_sr=16000, target_sr=rate)
    levels = np.linspace(0.2, 1, n_channels)
    soundfile.write(path, high[:, np.newaxis] * levels, rate, subtype="FLOAT")
    samples = audio.read(Clip("a", path), 16000)
    decoded, _ = soundfile.read(path, dtype="float32", always_2d=True)
    expected = librosa.resample(librosa.to_mono(decoded.T), orig_sr=rate, target_sr=16000, res_type="soxr_hq")
    np.testing.assert_allclose(samples, expected, atol=1e-5)


def test_a_window_is_the_same_samples_and_decodes_no_other_ones(real: Path, monkeypatch: pytest.MonkeyPatch):
    decoded = []
    read = soundfile.SoundFile.read

    def spy(self: soundfile.SoundFile, frames: int = -1, **options: object) -> np.ndarray:
        decoded.append(frames)
        return read(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", spy)
    path = real / UTTERANCE
    window = audio.read(Clip("a", path, start=0.5, end=1.25), 16000)
    whole = audio.read(Clip("a", path), 16000)
    np.testing.assert_array_equal(window, whole[8000:20000])
    assert decoded[0] == 12000


def test_only_an_end_or_only_a_start_makes_a_window_too(real: Path):
    whole = audio.read(Clip("a", real / UTTERANCE), 16000)
    np.testing.assert_array_equal(audio.read(Clip("a", real / UTTERANCE, end=1.0), 16000), whole[:16000])
    np.testing.assert_array_equal(audio.read(Clip("a", real / UTTERANCE, start=1.0), 16000), whole[16000:])


def test_overshoot_is_clipped_to_full_scale(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.array([0.5, 1.5, -1.5]), 16000, subtype="FLOAT")
    np.testing.assert_array_equal(audio.read(Clip("a", tmp_path / "a.wav"), 16000), np.float32([0.5, 1, -1]))


def write(path: Path, samples: object) -> None:
    soundfile.write(path, np.asarray(samples, dtype=float), 16000, subtype="FLOAT")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.mkdir(), "is a directory; expected an audio file"),
        (lambda path: path.touch(), "the file is empty"),
        (lambda path: path.write_text("hello"), "not decodable .Format not recognised.; expected WAV, FLAC"),
        (lambda path: write(path, np.zeros(0)), "has 0 samples"),
        (lambda path: write(path, [0, np.nan]), "NaN or infinite samples"),
        (lambda path: write(path, [0, -np.inf]), "NaN or infinite samples"),
        (lambda path: write(path, [0, 12000]), r"samples reach 1.2e\+04; expected \[-1, 1\]"),
    ],
)
def test_a_bad_file_gives_one_line_that_names_it(spoil, message: str, tmp_path: Path):
    path = tmp_path / "a.wav"
    spoil(path)
    with pytest.raises(ClipError, match=message) as caught:
        audio.read(Clip("a", path), 16000)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_truncated_file_is_refused(suffix: str, speech, tmp_path: Path):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, speech, 16000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ClipError, match=r"truncated|lost sync|not decodable"):
        audio.read(Clip("a", path), 16000)


@pytest.mark.parametrize(("start", "end"), [(3.0, None), (0.0, 3.0), (0.5, 0.5), (0.7, 0.2), (-1.0, 0.5)])
def test_a_window_outside_of_its_file_is_refused(start: float, end: float | None, tmp_path: Path):
    write(tmp_path / "a.wav", np.zeros(16000))
    with pytest.raises(ClipError, match=r"a\.wav: window .* 1.000 s"):
        audio.read(Clip("a", tmp_path / "a.wav", start, end), 16000)


def test_a_clip_too_short_for_the_rate_is_refused(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.array([0.5]), 96000)
    with pytest.raises(ClipError, match=r"a\.wav: .* 16000 Hz"):
        audio.read(Clip("a", tmp_path / "a.wav"), 16000)


def test_the_content_is_that_of_the_file_and_its_window_not_of_its_name(tmp_path: Path):
    for name, samples in {"a.wav": [0, 1], "b.wav": [0, 1], "c.wav": [0, 0.5]}.items():
        write(tmp_path / name, samples)
    a, b, c = (audio.content(Clip(name, tmp_path / f"{name}.wav"), audio.sha256) for name in "abc")
    assert a == b != c
    clips = [
        Clip("x", tmp_path / "a.wav", *window)
        for window in ((None, None), (0.0, 1.0), (0.0, 2.0), (0.5, 1.0))
    ]
    assert len({audio.content(clip, audio.sha256) for clip in clips}) == 4


def test_a_file_that_is_not_there_has_no_content(tmp_path: Path):
    with pytest.raises(ClipError, match=r"a\.wav: no such file"):
        audio.sha256(tmp_path / "a.wav")


def test_the_same_samples_have_one_fingerprint_in_any_format_and_any_window(speech, tmp_path: Path):
    samples, rate = speech, 16000
    for name in ("a.wav", "a.flac"):
        soundfile.write(tmp_path / name, samples, rate, subtype="PCM_16")
    soundfile.write(tmp_path / "other.wav", samples[::-1], rate, subtype="PCM_16")
    end = np.r_[samples[:-1], samples[-1] / 2]  # the same beginning and length
    soundfile.write(tmp_path / "end.wav", end, rate, subtype="PCM_16")
    soundfile.write(tmp_path / "late.wav", np.r_[samples[:100], samples], rate, subtype="PCM_16")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    clips = [
        Clip(name, tmp_path / name) for name in ("a.wav", "other.wav", "end.wav", "broken.wav", "a.flac")
    ]
    clips += [Clip("late", tmp_path / "late.wav", start=100 / rate), Clip("gone", tmp_path / "gone.wav")]
    fingerprints = audio.duplicate_fingerprints(clips)
    assert fingerprints[0] == fingerprints[4] == fingerprints[5] != ""
    assert fingerprints[1:4] + fingerprints[6:] == [""] * 4


def test_clips_of_different_lengths_are_not_decoded(tone, monkeypatch: pytest.MonkeyPatch):
    clips = [Clip(name, tone(name, seconds)) for name, seconds in {"a.wav": 0.5, "b.wav": 0.6}.items()]
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("decoded"))
    assert audio.duplicate_fingerprints(clips) == ["", ""]


def test_a_header_has_rate_channels_and_length(tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", np.zeros((4000, 2)), 8000)
    assert audio.header(tmp_path / "a.wav") == audio.Header(sample_rate=8000, channels=2, seconds=0.5)
    (tmp_path / "text.wav").write_text("hello")
    assert audio.header(tmp_path / "text.wav") is audio.header(tmp_path / "none.wav") is None


def test_a_written_file_holds_the_samples_to_16_bits(speech, tmp_path: Path):
    audio.write(tmp_path / "a.wav", speech, 16000)
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"
    np.testing.assert_allclose(audio.read(Clip("a", tmp_path / "a.wav"), 16000), speech, atol=1e-4)


PACKAGE = Path(__file__).parent.parent / "bench"


def imports(path: Path) -> set[str]:
    """Return the top-level packages that a module imports anywhere."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


def test_no_other_room_opens_audio():
    modules = [path for path in PACKAGE.rglob("*.py") if "soundfile" in imports(path)]
    assert {path.relative_to(PACKAGE).parts[0] for path in modules} == {"audio"}
