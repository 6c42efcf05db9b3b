"""Audio that FFmpeg decodes through PyAV, held against the recording that was encoded."""

import itertools
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from bench import audio
from bench.audio import ffmpeg
from bench.errors import ClipError
from bench.types import Clip

needs_av = pytest.mark.skipif(not ffmpeg.is_installed(), reason=f"needs PyAV: {ffmpeg.INSTALLATION}")

UTTERANCE = "LibriSpeech/test-other/1688/142285/1688-142285-0000.flac"
SECONDS = 3

CODECS = {  # name -> codec, its rate in Hz, and its delay in s at both ends together
    "a.m4a": ("aac", 16_000, 0.15),
    "stereo.m4a": ("aac", 44_100, 0.06),
    "lossless.m4a": ("alac", 16_000, 0.0),
    "a.aac": ("aac", 16_000, 0.15),
    "a.mp4": ("aac", 16_000, 0.15),
    "a.mov": ("pcm_s16be", 16_000, 0.0),
    "a.webm": ("libopus", 48_000, 0.02),
    "a.mkv": ("pcm_s24le", 16_000, 0.0),
    "double.mka": ("pcm_f64le", 16_000, 0.0),
    "bytes.mkv": ("pcm_u8", 16_000, 0.0),
    "a.wma": ("wmav2", 16_000, 0.3),
    "a.amr": ("libopencore_amrnb", 8_000, 0.06),
    "a.opus": ("libopus", 48_000, 0.02),
}


@pytest.fixture(scope="session")
def speech(real: Path) -> np.ndarray:
    samples, rate = soundfile.read(real / UTTERANCE, dtype="float32")
    assert rate == 16_000
    return samples[: SECONDS * rate]


@pytest.fixture
def encoded(speech: np.ndarray, tmp_path: Path) -> Callable[[str], Path]:
    """Return a writer of the speech, by the names of `CODECS`."""
    av = pytest.importorskip("av", reason=f"needs PyAV: {ffmpeg.INSTALLATION}")

    def write(name: str, **options: str) -> Path:
        codec, rate, _ = CODECS[name]
        layout = "stereo" if name.startswith("stereo") else "mono"
        with av.open(str(tmp_path / name), "w", options=options) as file:
            track = file.add_stream(codec, rate=rate, layout=layout)
            track.bit_rate = 12_200 if name.endswith(".amr") else 64_000
            sample_format = track.codec_context.format or track.codec_context.codec.audio_formats[0]
            converter = av.AudioResampler(sample_format, layout, rate, track.codec_context.frame_size)
            channels = np.tile(speech, (1 if layout == "mono" else 2, 1))
            frame = av.AudioFrame.from_ndarray(channels, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = 16_000, 0
            for part in itertools.chain(converter.resample(frame), converter.resample(None)):
                file.mux(track.encode(part))
            file.mux(track.encode(None))
        return tmp_path / name

    return write


def correlation(samples: np.ndarray, expected: np.ndarray) -> float:
    """Return the highest correlation over all shifts of up to 0.2 s at 16 kHz."""
    n = max(samples.size, expected.size) + 3200
    spectra = np.fft.rfft(samples, 2 * n) * np.conj(np.fft.rfft(expected, 2 * n))
    products = np.fft.irfft(spectra)
    near = np.r_[products[:3200], products[-3200:]]
    return float(near.max() / np.linalg.norm(samples) / np.linalg.norm(expected))


@pytest.mark.parametrize("name", CODECS)
def test_every_container_gives_what_was_encoded(name: str, encoded, speech):
    path = encoded(name)
    _, rate, delay = CODECS[name]
    samples = audio.read(Clip("a", path), 16_000)
    assert samples.dtype == np.float32
    assert SECONDS - delay / 10 - 1e-3 <= samples.size / 16_000 <= SECONDS + delay + 1e-3
    band = soxr.resample(soxr.resample(speech, 16_000, min(rate, 16_000)), min(rate, 16_000), 16_000)
    assert correlation(samples, band) > (0.65 if rate == 8_000 else 0.98)
    assert np.abs(samples).max() == pytest.approx(np.abs(speech).max(), rel=0.25)
    header = audio.header(path)
    assert (header.sample_rate, header.channels) == (rate, 2 if name.startswith("stereo") else 1)
    assert header.seconds == pytest.approx(samples.size / 16_000, abs=1e-3)


def test_channels_are_averaged_and_lossless_samples_are_exact(encoded, speech):
    expected = np.round(speech * 2**15) / 2**15
    for name in ("lossless.m4a", "a.mov", "a.mkv", "double.mka"):
        np.testing.assert_allclose(audio.read(Clip("a", encoded(name)), 16_000), expected, atol=1e-6)
    stereo = audio.read(Clip("a", encoded("stereo.m4a")), 44_100)
    energy = np.linalg.norm(soxr.resample(speech, 16_000, 44_100))
    np.testing.assert_allclose(np.linalg.norm(stereo), energy, rtol=0.05)


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.wma"])
def test_a_window_is_a_part_of_the_whole(name: str, encoded):
    path = encoded(name)
    rate = CODECS[name][1]
    whole, window = audio.read(Clip("a", path), rate), audio.read(Clip("a", path, 0.5, 1.25), rate)
    np.testing.assert_array_equal(window, whole[round(0.5 * rate) : round(1.25 * rate)])
    with pytest.raises(ClipError, match="is not within the file's"):
        audio.read(Clip("a", path, 2.0, 9.0), rate)


@pytest.mark.parametrize("name", ["a.m4a", "a.mov", "a.webm", "a.mkv", "a.wma"])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.9, 0.999])
def test_a_file_without_its_end_is_never_a_shorter_clip(name: str, share: float, encoded):
    path = encoded(name)
    path.write_bytes(path.read_bytes()[: round(share * path.stat().st_size)])
    with pytest.raises(ClipError, match=r"a\.\w+: (truncated|not decodable|the file is empty)"):
        audio.read(Clip("a", path), 16_000)


@pytest.mark.parametrize("options", [{"movflags": "faststart"}, {"movflags": "frag_keyframe+empty_moov"}])
def test_an_mp4_with_its_index_first_is_refused_without_its_end(options, encoded):
    path = encoded("a.m4a", **options)
    whole = audio.read(Clip("a", path), 16_000)
    assert whole.size >= SECONDS * 16_000
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(ClipError, match=r"truncated; its header claims"):
        audio.read(Clip("a", path), 16_000)


def test_a_stream_that_a_browser_recorded_has_no_length_and_is_read_to_its_end(encoded):
    path = encoded("a.webm", live="1")
    assert audio.read(Clip("a", path), 16_000).size == pytest.approx(SECONDS * 16_000, abs=400)


@pytest.mark.parametrize("content", [b"", b"\0\0\0\x18ftypM4A junk", b"\x1aE\xdf\xa3" + bytes(60), b"text"])
def test_what_is_no_audio_is_the_clips_own_error(content: bytes, tmp_path: Path):
    (tmp_path / "a.m4a").write_bytes(content)
    with pytest.raises(ClipError, match=r"a\.m4a: "):
        audio.read(Clip("a", tmp_path / "a.m4a"), 16_000)
    assert audio.header(tmp_path / "a.m4a") is None


@needs_av
@pytest.mark.parametrize(
    "lines", ["#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST", "ffconcat version 1.0\nfile {}"]
)
def test_a_playlist_opens_no_other_file(lines: str, tone, tmp_path: Path):
    (tmp_path / "list.m4a").write_text(lines.format(tone("a.wav").name))
    with pytest.raises(ClipError, match=r"list\.m4a: not decodable"):
        ffmpeg.FfmpegStream(tmp_path / "list.m4a")


@needs_av
def test_a_film_without_sound_says_so(tmp_path: Path):
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as file:
        track = file.add_stream("mpeg4", rate=5)
        track.width = track.height = 16
        file.mux(track.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")))
        file.mux(track.encode(None))
    with pytest.raises(ClipError, match=r"a\.mp4: holds no sound; leave this file out"):
        audio.read(Clip("a", tmp_path / "a.mp4"), 16_000)


def test_a_wrong_suffix_changes_nothing(encoded, tone):
    misnamed = encoded("a.m4a").rename(encoded("a.m4a").with_name("b.wav"))
    assert audio.read(Clip("a", misnamed), 16_000).size >= SECONDS * 16_000
    assert audio.read(Clip("a", tone("c.wav").rename(misnamed.with_name("c.m4a"))), 8_000).size == 4_000


def test_only_what_pyav_decodes_has_its_version_in_its_digest(encoded, tone, monkeypatch):
    wav, m4a = Clip("a", tone("a.wav")), Clip("b", encoded("a.m4a"))
    before = [audio.content(clip, audio.sha256) for clip in (wav, m4a)]
    monkeypatch.setattr(ffmpeg, "version", lambda _: "0")
    after = [audio.content(clip, audio.sha256) for clip in (wav, m4a)]
    assert before[0] == after[0]
    assert before[1] != after[1]
    assert version("av") != "0"


@pytest.fixture
def three_classes(take, tmp_path: Path) -> Path:
    """Return a folder with the classes zero, one and two; class two holds MP4 alone, of no content."""
    for digit, name in enumerate(("zero", "one")):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for speaker in ("george", "jackson", "theo"):
            source = take(speaker, digit, 0)
            (tmp_path / "tree" / name / source.name).write_bytes(source.read_bytes())
    (tmp_path / "tree" / "two").mkdir()
    return tmp_path / "tree"


def test_without_pyav_the_message_names_the_extra_and_the_number_of_clips(
    bench, three_classes: Path, monkeypatch
):
    for number in range(3):
        (three_classes / "two" / f"{number}.m4a").write_bytes(b"\0\0\0\x18ftypM4A ")
    for module, name in ((ffmpeg, "is_installed"), (audio, "has_av")):
        monkeypatch.setattr(module, name, lambda: False)
    line = f"Files that need PyAV: 3 .m4a; run: {ffmpeg.INSTALLATION}"
    assert line in bench("data", "check", three_classes).output
    call = ["run", "--datasets", three_classes, "--extractors", "mfcc-13", "--heads", "lda", "--plain"]
    done = bench(*call, "--split", "cv:3")
    assert done.exit_code == 1
    assert line in done.output
    assert "3 of 9 clips of tree cannot be decoded" in done.output
    assert f"0.m4a: needs PyAV, which reads .m4a files; run: {ffmpeg.INSTALLATION}" in done.output


@needs_av
def test_a_class_of_m4a_is_a_class(bench, three_classes: Path, take, tmp_path: Path):
    import av

    for number, speaker in enumerate(("george", "jackson", "theo")):
        samples, rate = soundfile.read(take(speaker, 2, 0), dtype="float32")
        with av.open(str(three_classes / "two" / f"{number}.m4a"), "w") as file:
            track = file.add_stream("aac", rate=rate, layout="mono")
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = rate
            file.mux(track.encode(frame))
            file.mux(track.encode(None))
    call = [
        "run",
        "--datasets",
        three_classes,
        "--extractors",
        "mfcc-13",
        "--heads",
        "lda",
        "--split",
        "cv:3",
    ]
    assert bench(*call, "--out", tmp_path / "out").exit_code == 0
    labels = pd.read_parquet(tmp_path / "out" / "labels" / "tree.parquet")
    assert labels["class"].value_counts().to_dict() == {"zero": 3, "one": 3, "two": 3}
