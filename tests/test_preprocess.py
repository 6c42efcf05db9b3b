from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile

from bench import audio, preprocess
from bench.errors import UsageError
from bench.types import Audio, Clip


@pytest.fixture
def y(take) -> Audio:
    return audio.read(Clip("a", take("george", 0, 0)), 16000)


def apply(y: Audio, *texts: str) -> Audio:
    return preprocess.parse(texts).apply(y)


def test_trimming_is_what_librosa_trims(y: Audio):
    padded = np.concatenate([np.zeros(8000, np.float32), y, np.zeros(8000, np.float32)])
    expected, _ = librosa.effects.trim(padded, top_db=40)
    np.testing.assert_array_equal(apply(padded, "trim=40"), expected)
    assert expected.size < y.size + 4000


def test_levels_are_what_was_asked_for(y: Audio):
    assert np.abs(apply(y, "peak=-6")).max() == pytest.approx(10 ** (-6 / 20), rel=1e-5)
    assert np.sqrt(np.mean(apply(y, "rms=-30") ** 2)) == pytest.approx(10 ** (-30 / 20), rel=1e-5)


def test_a_level_that_would_clip_is_as_loud_as_can_be(y: Audio):
    loud = apply(y, "rms=0")
    assert np.abs(loud).max() == pytest.approx(1.0)
    np.testing.assert_allclose(loud / np.abs(loud).max(), y / np.abs(y).max(), atol=1e-6)


def test_preemphasis_is_the_difference_over_its_reach(y: Audio):
    expected = (y - 0.97 * np.r_[0, y[:-1]]) / 1.97
    np.testing.assert_allclose(apply(y, "preemphasis"), expected, atol=1e-6)
    assert np.abs(apply(np.float32([1, -1, 1, -1]), "preemphasis=1")).max() == 1.0


@pytest.mark.parametrize("name", preprocess.STEPS)
@pytest.mark.parametrize("y", [np.zeros(1000), np.ones(1), np.full(50, -1.0)])
def test_every_step_takes_silence_single_samples_and_full_scale(name: str, y: Audio):
    samples = apply(y.astype(np.float32), name)
    assert samples.size > 0
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


def test_steps_are_done_in_their_order(y: Audio):
    both = apply(y, "rms=-40", "peak=-6")
    np.testing.assert_allclose(both, apply(y, "peak=-6"), atol=1e-6)
    assert not np.allclose(both, apply(y, "peak=-6", "rms=-40"))


def test_the_quality_of_resampling_is_the_readers(real: Path):
    clip = Clip("a", real / "noise" / "n1.wav")
    rate = soundfile.info(clip.path).samplerate
    qualities = [preprocess.parse(texts).quality for texts in (["resample=QQ"], ["resample=VHQ"], [])]
    quick, fine, default = (audio.read(clip, 16000, quality) for quality in qualities)
    assert rate != 16000
    assert not np.array_equal(quick, fine)
    np.testing.assert_array_equal(audio.read(clip, 16000), default)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trimm", "step 'trimm' is unknown; expected trim, peak, rms, preemphasis or resample=QQ"),
        ("trim=0", "step 'trim=0': expected a value from 1 to 120"),
        ("peak=loud", "step 'peak=loud': expected a value from -60 to 0"),
        ("rms=nan", "expected a value"),
        ("resample=best", "step 'resample=best' is unknown"),
    ],
)
def test_a_step_that_is_none_says_what_is_expected(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        preprocess.parse([text])
