import ast
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from bench import audio
from bench.audio import files, streams
from bench.errors import ClipError
from bench.types import Clip, Noise

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


NOISE = 0.1 * np.random.default_rng(0).standard_normal(30_011)

CODECS = [
    ("WAV", "PCM_24"),
    ("WAV", "GSM610"),
    ("WAV", "IMA_ADPCM"),
    ("AU", "G721_32"),
    ("AIFF", "PCM_16"),
    ("W64", "PCM_16"),
    ("RF64", "PCM_16"),
    ("CAF", "ALAC_16"),
    ("NIST", "PCM_16"),
    ("SVX", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


@pytest.fixture
def coded(tmp_path: Path) -> Callable[[str, str], Path]:
    """Return a writer of noise, by format and subtype."""

    def write(kind: str, subtype: str) -> Path:
        path = tmp_path / f"a.{kind.lower()}"
        soundfile.write(path, NOISE, 16_000, format=kind, subtype=subtype)
        return path

    return write


@pytest.mark.parametrize(("kind", "subtype"), CODECS)
def test_blocks_are_what_soundfile_reads_at_once(kind: str, subtype: str, coded, monkeypatch):
    monkeypatch.setattr(streams, "BLOCK_SAMPLES", 1000)
    path = coded(kind, subtype)
    with soundfile.SoundFile(path) as file:
        expected = file.read(file.frames, dtype="float32")
    np.testing.assert_array_equal(audio.read(Clip("a", path), 16_000), expected)
    window = audio.read(Clip("a", path, 0.5, 1.0), 16_000)
    np.testing.assert_allclose(window, expected[8_000:16_000], atol=1e-7)


@pytest.mark.parametrize(("kind", "subtype"), CODECS)
@pytest.mark.parametrize("share", [0.5, 0.95])
def test_a_file_without_its_end_is_refused(share: float, kind: str, subtype: str, coded):
    path = coded(kind, subtype)
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    with pytest.raises(ClipError, match=r"truncated|not decodable"):
        audio.read(Clip("a", path), 16_000)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0xFFFFFFFF])
def test_a_recorder_need_not_know_the_length_of_a_wav(size: int, coded):
    path = coded("WAV", "PCM_16")
    whole, data = audio.read(Clip("a", path), 16_000), bytearray(path.read_bytes())
    data[40:44] = size.to_bytes(4, "little")
    if not size:  # a file that was never closed
        data[4:8] = (8).to_bytes(4, "little")
    path.write_bytes(data)
    np.testing.assert_array_equal(audio.read(Clip("a", path), 16_000), whole)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_its_number_of_frames_is_decoded_whole(mode: str, tmp_path: Path):
    path, speech = tmp_path / "a.mp3", np.r_[NOISE, np.zeros(16_000), NOISE]
    soundfile.write(path, speech, 16_000, bitrate_mode=mode)
    data = path.read_bytes()
    tag = b"ID3\3\0\0\0\0\1\0" + bytes(128)
    path.write_bytes(tag + data[data.find(data[:2], 2) :])  # the first frame has the number
    samples = audio.read(Clip("a", path), 16_000)
    assert speech.size <= samples.size < speech.size + 4 * 1152
    assert audio.header(path).seconds == samples.size / 16_000
    window = audio.read(Clip("a", path, start=4.0), 16_000)
    np.testing.assert_allclose(window, samples[64_000:], atol=1e-6)


def without_info(path: Path) -> bytes:
    """Remove the first frame of an MP3, which holds the number of frames, and return the rest."""
    data = path.read_bytes()
    path.write_bytes(data[data.find(data[:2], 2) :])
    return path.read_bytes()


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_mp3_of_any_rate_without_info_is_whole_and_a_cut_of_it_is_told(
    rate: int, channels: int, tmp_path: Path
):
    path = tmp_path / "a.mp3"
    soundfile.write(path, np.tile(NOISE[:, None], (1, channels)), rate, bitrate_mode="CONSTANT")
    data = without_info(path)
    n_samples = audio.read(Clip("a", path), rate).size
    assert NOISE.size <= n_samples < NOISE.size + 3 * 1152
    path.write_bytes(data[:-50])
    with pytest.raises(ClipError, match=r"a\.mp3: "):
        audio.read(Clip("a", path), rate)


def with_flac_length(path: Path, n_samples: int) -> None:
    """Write another length, of 36 bits, to the header of a FLAC file."""
    data = bytearray(path.read_bytes())
    data[21] = data[21] & 0xF0 | n_samples >> 32
    data[22:26] = (n_samples & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(data)


def test_a_flac_of_unknown_length_is_decoded_to_its_end(coded):
    path = coded("FLAC", "PCM_16")
    whole = audio.read(Clip("a", path), 16_000)
    with_flac_length(path, 0)
    np.testing.assert_array_equal(audio.read(Clip("a", path), 16_000), whole)
    np.testing.assert_array_equal(audio.read(Clip("a", path, 0.5, 1.0), 16_000), whole[8_000:16_000])
    assert audio.header(path).seconds == whole.size / 16_000
    with pytest.raises(ClipError, match=r"window 1 to 9 s is not within the file's 1.876 s"):
        audio.read(Clip("a", path, 1.0, 9.0), 16_000)


@pytest.mark.parametrize(("n_samples", "message"), [(40_000, "truncated"), (2**36 - 1, "claims 68719476735")])
def test_a_flac_that_claims_more_than_it_holds_is_refused(n_samples: int, message: str, coded):
    path = coded("FLAC", "PCM_16")
    with_flac_length(path, n_samples)
    with pytest.raises(ClipError, match=message):
        audio.read(Clip("a", path), 16_000)


@pytest.mark.parametrize("rate", [1, 999, 10_000_001])
def test_a_rate_that_no_audio_has_is_refused(rate: int, tmp_path: Path):
    soundfile.write(tmp_path / "a.wav", NOISE, rate)
    with pytest.raises(ClipError, match=rf"sample rate {rate} Hz is no rate of audio; expected 1000 to"):
        audio.read(Clip("a", tmp_path / "a.wav"), 16_000)
    assert audio.header(tmp_path / "a.wav") is None


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)


@pytest.mark.parametrize(
    ("create", "kind"),
    [
        (os.mkfifo, "FIFO"),
        (lambda path: path.symlink_to("/dev/zero"), "device"),
        (listen, "socket"),
        (Path.mkdir, "directory"),
    ],
)
def test_what_is_no_regular_file_is_never_opened(create, kind: str, tone, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    path = tmp_path / "a.wav"
    create(path)
    noisy = Clip("b", tone("b.wav"), noise=Noise(path, 0.0, 6.0))
    for look in (lambda: audio.read(Clip("a", path), 16_000), lambda: audio.content(noisy, audio.sha256)):
        with pytest.raises(ClipError, match=rf"a\.wav: is a {kind}; expected an audio file"):
            look()
    assert audio.header(path) is None


@pytest.mark.parametrize("error", [MemoryError(), ValueError("odd"), RuntimeError(), AssertionError()])
def test_whatever_one_clip_raises_is_its_own_error(error: Exception, tone, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise error

    path = tone("a.wav")
    monkeypatch.setattr(soundfile.SoundFile, "read", fail)
    with pytest.raises(ClipError, match=rf"a\.wav: cannot be read \({type(error).__name__}"):
        audio.read(Clip("a", path), 16_000)


def test_a_raw_file_is_named(tmp_path: Path):
    (tmp_path / "a.raw").write_bytes(bytes(1000))
    with pytest.raises(ClipError, match=r"a\.raw: cannot be read"):
        audio.read(Clip("a", tmp_path / "a.raw"), 16_000)


def test_libsndfile_has_the_formats_that_a_message_names():
    names = set(re.findall(r"[A-Z0-9]{2,}", files.FORMATS))
    assert names <= set(soundfile.available_formats())
    assert {"VORBIS", "OPUS"} <= set(soundfile.available_subtypes("OGG"))


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
