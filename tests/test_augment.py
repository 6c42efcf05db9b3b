import numpy as np
import pytest

from bench import audio, augment
from bench.errors import UsageError
from bench.types import Audio, Clip

RATE = 16000


@pytest.fixture
def y(take) -> Audio:
    return audio.read(Clip("a", take("george", 0, 0)), RATE)


def augmented(y: Audio, *texts: str, seed: int = 0) -> Audio:
    return augment.apply(augment.parse(texts), y, RATE, seed)


def pitch(y: Audio) -> float:
    """Return the strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size)))
    return float(np.fft.rfftfreq(y.size, 1 / RATE)[spectrum.argmax()])


def test_stretching_changes_the_length_and_not_the_pitch():
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    faster = augmented(tone, "stretch=1.25:1.25")
    assert faster.size == pytest.approx(RATE / 1.25, abs=2)
    assert pitch(faster) == pytest.approx(440, abs=5)


def test_shifting_changes_the_pitch_and_not_the_length():
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    higher = augmented(tone, "pitch=12:12")
    assert higher.size == RATE
    assert pitch(higher) == pytest.approx(880, abs=10)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 20.0])
def test_noise_has_its_snr_over_the_active_parts(y: Audio, snr_db: float):
    y = y / np.abs(y).max() / 8  # so that the mixture needs no turning down
    noise = augmented(y, f"noise={snr_db}:{snr_db}").astype(np.float64) - y
    level_db = 10 * np.log10(np.mean(noise**2))
    assert audio.active_level(y, RATE) - level_db == pytest.approx(snr_db, abs=0.1)


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
def test_a_change_is_its_seeds(y: Audio, name: str):
    one, again, other = (augmented(y, name, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_nothing_else_draws_other_numbers_for_it(y: Audio):
    state = np.random.get_state()[1].copy()  # noqa: NPY002  # the global state is what must not be touched
    augmented(y, *augment.AUGMENTATIONS)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


@pytest.mark.parametrize("name", augment.AUGMENTATIONS)
@pytest.mark.parametrize("y", [np.zeros(1000, np.float32), np.ones(1, np.float32), np.ones(4000, np.float32)])
def test_every_change_takes_silence_single_samples_and_full_scale(name: str, y: Audio):
    samples = augmented(y, name)
    assert samples.size > 0
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("echo", "augmentation 'echo' is unknown; expected stretch, pitch, noise"),
        ("pitch=2", "augmentation 'pitch=2': expected pitch=LOW:HIGH within -24 to 24"),
        ("pitch=2:1", "expected pitch=LOW:HIGH"),
        ("stretch=0:1", "expected stretch=LOW:HIGH within 0.1 to 10"),
        ("noise=a:b", "expected noise=LOW:HIGH"),
    ],
)
def test_a_change_that_is_none_says_what_is_expected(text: str, message: str):
    with pytest.raises(UsageError, match=message):
        augment.parse([text])
