from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal

from bench import audio, registry
from bench.extractors.mfcc import Mfcc
from bench.types import Clip, Extractor


@pytest.fixture
def clips(real: Path) -> list[np.ndarray]:
    names = ["LibriSpeech/test-other/1688/142285/1688-142285-0000.flac", "fsdd/3_theo_1.wav", "noise/n7.wav"]
    return [audio.read(Clip(name, real / name), 16000) for name in names]


@pytest.mark.parametrize("name", ["mfcc", "mfcc-13"])
def test_frames_have_the_declared_width_and_ten_milliseconds(name: str, clips):
    extractor = registry.build(registry.load().extractors[name])
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


def test_a_clips_frames_do_not_depend_on_its_batch(clips):
    together = Mfcc().embed(clips)
    for clip, frames in zip(clips, together, strict=True):
        np.testing.assert_array_equal(Mfcc().embed([clip])[0], frames)


@pytest.mark.parametrize("n_samples", [1, 10, 400, 511, 512, 1000])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_short_silent_and_constant_clips_give_finite_frames(n_samples: int, level: float):
    [frames] = Mfcc().embed([np.full(n_samples, level, dtype=np.float32)])
    assert np.isfinite(frames).all()
    assert len(frames) >= 1


@pytest.mark.parametrize("n_mfcc", [0, 41])
def test_a_number_of_coefficients_that_cannot_be_is_refused(n_mfcc: int):
    with pytest.raises(ValueError, match=f"n_mfcc is {n_mfcc}; expected 1 to 40"):
        Mfcc(n_mfcc=n_mfcc)
