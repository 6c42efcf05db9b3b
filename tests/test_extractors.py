import sys
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.fft
import scipy.signal

from bench import audio, catalog
from bench.extractors.mfcc import Mfcc
from bench.extractors.spectral import LogMel, Spectral
from bench.types import Clip, Extractor


@pytest.fixture
def clips(real: Path) -> list[np.ndarray]:
    names = ["LibriSpeech/test-other/1688/142285/1688-142285-0000.flac", "fsdd/3_theo_1.wav", "noise/n7.wav"]
    return [audio.read(Clip(name, real / name), 16000) for name in names]


SIGNAL = ["mfcc", "mfcc-13", "mfcc-cmvn", "logmel", "spectral", "raw", "egemaps", "compare16"]


@pytest.fixture(params=SIGNAL)
def extractor(request: pytest.FixtureRequest) -> Extractor:
    """Return every built-in extractor without weights, one after the other."""
    spec = catalog.load().extractors[request.param]
    if catalog.missing(spec):
        pytest.skip(f"needs: {catalog.missing(spec)}")
    return catalog.build(spec)


@pytest.mark.parametrize("name", ["mfcc", "mfcc-13", "mfcc-cmvn", "logmel", "spectral"])
def test_frames_have_the_declared_width_and_ten_milliseconds(name: str, clips):
    extractor = catalog.build(catalog.load().extractors[name])
    assert isinstance(extractor, Extractor)
    for clip, frames in zip(clips, extractor.embed(clips), strict=True):
        assert frames.shape == (1 + clip.size // 160, extractor.dim)
        assert frames.dtype == np.float32


def test_mfcc_is_the_dct_of_the_log_mel_spectrum(clips):
    y = clips[0]
    window = np.pad(scipy.signal.get_window("hann", 400), 56)
    padded = np.pad(y, 256)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160] * window
    power = np.abs(scipy.fft.rfft(frames)) ** 2
    mel = power @ librosa.filters.mel(sr=16000, n_fft=512, n_mels=40).T
    db = 10 * np.log10(np.maximum(mel, 1e-10))
    expected = scipy.fft.dct(np.maximum(db, db.max() - 80), norm="ortho")[:, :13]
    [frames] = Mfcc(n_mfcc=13, deltas=False).embed([y])
    np.testing.assert_allclose(frames, expected, atol=1e-2)


def test_deltas_are_slopes_of_the_coefficients(clips):
    [frames] = Mfcc(n_mfcc=13).embed(clips[:1])
    steps = np.arange(-4, 5)
    t = 50
    slopes = [np.polyfit(steps, frames[t + steps, i], 1)[0] for i in range(13)]
    np.testing.assert_allclose(frames[t, 13:], slopes, atol=1e-3)


@pytest.mark.no_cover
def test_a_clips_frames_do_not_depend_on_its_batch_or_order(extractor: Extractor, clips):
    clips = [*clips, clips[0][:800], clips[1][::-1].copy()]
    together, backwards = extractor.embed(clips), extractor.embed(clips[::-1])[::-1]
    for clip, frames, again in zip(clips, together, backwards, strict=True):
        np.testing.assert_array_equal(extractor.embed([clip])[0], frames)
        np.testing.assert_array_equal(again, frames)


@pytest.mark.parametrize("n_samples", [1, 10, 400, 511, 512, 1000, 16000])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_short_silent_and_constant_clips_give_finite_frames(
    extractor: Extractor, n_samples: int, level: float
):
    [frames] = extractor.embed([np.full(n_samples, level, dtype=np.float32)])
    assert frames.shape[-1] == extractor.dim
    assert np.isfinite(frames).all()


def test_normalised_coefficients_have_mean_0_and_variance_1_over_the_clip(clips):
    [frames], [plain] = Mfcc(cmvn=True).embed(clips[:1]), Mfcc().embed(clips[:1])
    np.testing.assert_allclose(frames.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(frames.std(axis=0), 1, atol=1e-4)
    assert np.corrcoef(frames[:, 3], plain[:, 3])[0, 1] == pytest.approx(1, abs=1e-5)


def test_log_mel_bands_are_those_of_a_plain_spectrogram(clips):
    y = clips[0]
    frequencies, _, spectrum = scipy.signal.stft(y, 16000, "hann", 400, 240, 512, padded=False, scaling="psd")
    [frames] = LogMel().embed([y])
    assert len(frequencies) == 257
    mel = librosa.filters.mel(sr=16000, n_fft=512, n_mels=80) @ np.abs(spectrum) ** 2
    middle = slice(50, 500)  # scipy's frames are half a window later: compare means over the middle
    expected = 10 * np.log10(mel[:, middle].mean(axis=1))
    got = 10 * np.log10((10 ** (frames[middle] / 10)).mean(axis=0))
    shift = np.median(got - expected)
    np.testing.assert_allclose(got - shift, expected, atol=1.0)


@pytest.mark.parametrize("hertz", [100.0, 220.0, 400.0])
def test_spectral_features_of_a_tone_match_its_pitch_and_level(hertz: float):
    tone = (0.5 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)).astype(np.float32)
    [frames] = Spectral().embed([tone])
    middle = frames[20:80].mean(axis=0)
    centroid, _, rolloff, flatness, *_, crossings, rms, pitch = middle
    assert centroid == pytest.approx(hertz, abs=40)
    assert rolloff == pytest.approx(hertz, abs=80)
    assert flatness < 1e-3
    assert crossings == pytest.approx(2 * hertz / 16000, rel=0.1)
    assert rms == pytest.approx(0.5 / np.sqrt(2), rel=0.05)
    assert pitch == pytest.approx(hertz, rel=0.02)


def test_opensmile_vectors_equal_a_plain_call(clips):
    opensmile = pytest.importorskip("opensmile", reason="needs the extra 'opensmile'")
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    [vector] = catalog.build(catalog.load().extractors["egemaps"]).embed(clips[:1])
    expected = smile.process_signal(clips[0], 16000).to_numpy()[0]
    np.testing.assert_array_equal(vector, expected.astype(np.float32))


HEAR = """
import torch

class Model(torch.nn.Module):
    sample_rate, scene_embedding_size, timestamp_embedding_size = 16000, 2, 3

def load_model(path=""):
    return Model()

def get_scene_embeddings(audio, model):
    return torch.stack([audio.mean(dim=1), audio.std(dim=1)], dim=1)

def get_timestamp_embeddings(audio, model):
    frames = audio[:, : audio.shape[1] // 160 * 160].reshape(len(audio), -1, 160)
    embeddings = torch.stack([frames.mean(dim=2), frames.amax(dim=2), frames.amin(dim=2)], dim=2)
    return embeddings, 10.0 * torch.arange(embeddings.shape[1]).expand(len(audio), -1)
"""


def test_a_hear_module_is_an_extractor_by_its_name(bench, digits: Path, tmp_path: Path, monkeypatch):
    pytest.importorskip("torch", reason="needs the extra 'neural'")
    (tmp_path / "my_hear.py").write_text(HEAR)
    (tmp_path / "registry").mkdir()
    entry = (
        '[timed]\nfactory = "bench.extractors.hear:Hear"\nparams = {module = "my_hear", timestamps = true}\n'
    )
    (tmp_path / "registry" / "extractors.toml").write_text(entry)
    monkeypatch.syspath_prepend(tmp_path)
    views = "hear:my_hear@pool=mean,timed@pool=mean"
    result = bench("embed", digits, "--extractors", views, "--out", "e.parquet")
    assert result.exit_code == 0, result.stderr
    table = pd.read_parquet(tmp_path / "e.parquet")
    scenes, timed = (table[table["extractor"] == name] for name in ("hear:my_hear", "timed"))
    assert (len(scenes), len(timed)) == (48, 48)
    path = pd.read_csv(digits)["path"][0]
    y = audio.read(Clip("a", Path(path)), 16000)
    np.testing.assert_allclose(scenes["embedding"].iloc[0], [y.mean(), y.std(ddof=1)], rtol=1e-4, atol=1e-6)
    assert len(timed["embedding"].iloc[0]) == 3
    (tmp_path / "my_hear.py").write_text("x = 1\n")
    monkeypatch.delitem(sys.modules, "my_hear")
    failure = bench("embed", digits, "--extractors", "hear:my_hear", "--out", "e.parquet")
    assert failure.exit_code == 2
    assert "lacks load_model, get_scene_embeddings, get_timestamp_embeddings" in failure.stderr
