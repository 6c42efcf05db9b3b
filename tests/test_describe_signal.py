"""What is measured of a signal, held against standards, known signals and real recordings."""

import csv
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import signal

from bench import audio
from bench.description import words
from bench.description.acoustics import RATE, Acoustics, acoustics
from bench.description.loudness import loudness, weighting
from bench.types import Clip


def sine(hertz: float, decibel: float, seconds: float, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return (10 ** (decibel / 20) * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def noise(seconds: float = 2.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


def measured(path: Path) -> Acoustics:
    return acoustics(audio.read(Clip(path.name, path), RATE))


def test_the_filters_of_loudness_are_those_of_the_tables_of_the_standard():
    shelf = [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585]
    high_pass = [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621]
    np.testing.assert_allclose(weighting(48_000), [shelf, high_pass], atol=1e-9)


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_a_sine_of_full_scale_in_one_channel_is_at_3_lufs_below_0(rate: int):
    assert loudness(sine(997, 0, 5, rate), rate) == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(
    "levels", [[(-36, 10), (-23, 60), (-36, 10)], [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)]]
)
def test_quiet_parts_are_gated_as_in_the_cases_of_the_ebu(levels: list[tuple[float, float]]):
    # Cases 3 and 4 of EBU Tech 3341 are -23 LUFS in stereo; one of the two channels has half the power.
    programme = np.concatenate([sine(1000, *level) for level in levels])
    assert loudness(programme, RATE) == pytest.approx(-26.01, abs=0.1)


def test_silence_has_no_loudness_and_is_told():
    assert loudness(np.zeros(RATE, np.float32), RATE) is None
    assert words.text(acoustics(np.zeros(RATE, np.float32))) == "silent, short"


@pytest.mark.parametrize("hertz", [75.0, 120.0, 210.0, 440.0, 1100.0, 1900.0])
def test_the_pitch_of_a_harmonic_tone_in_noise_is_its_fundamental(hertz: float):
    harmonics = [sine(hertz * n, -12 - 6 * n, 1) for n in range(1, 6) if hertz * n < RATE / 2]
    pitch = acoustics(np.sum(harmonics, axis=0) + 0.1 * noise(1)).pitch
    assert pitch is not None
    assert pitch.share > 0.95
    np.testing.assert_allclose([pitch.low, pitch.median, pitch.high], hertz, rtol=0.01)


@pytest.mark.parametrize("cutoff", [None, 1000])
def test_noise_has_no_pitch(cutoff: int | None):
    samples = noise()
    if cutoff:
        samples = signal.sosfilt(signal.butter(4, cutoff, fs=RATE, output="sos"), samples).astype(np.float32)
    pitch = acoustics(samples).pitch
    assert pitch is None or pitch.share < 0.05
    assert "noise-like" in words.text(acoustics(samples))


def test_the_centroid_and_the_flatness_are_those_of_librosa():
    spectrum = acoustics(noise()).spectrum
    options = {"n_fft": 800, "hop_length": 320, "window": "hann", "center": False}
    power = np.abs(librosa.stft(noise(), **options)) ** 2
    centroid = np.median(librosa.feature.spectral_centroid(S=power, sr=RATE, n_fft=800))
    flatness = np.median(librosa.feature.spectral_flatness(S=power, power=1))
    assert spectrum is not None
    assert spectrum.centroid == pytest.approx(centroid, rel=1e-4)
    assert spectrum.flatness == pytest.approx(flatness, rel=0.02)  # of the band with 99 % of the power


@pytest.mark.parametrize("tempo", [60, 90, 150])
def test_clicks_have_their_tempo_and_noise_has_none(tempo: int):
    clicks = librosa.clicks(times=np.arange(0.1, 8, 60 / tempo), sr=RATE, length=8 * RATE)
    pulse = acoustics((clicks + 0.01 * noise(8)).astype(np.float32)).pulse
    assert pulse is not None
    assert pulse.clarity > 0.5
    assert pulse.tempo == pytest.approx(tempo, rel=0.03)
    assert "pulsing" not in words.text(acoustics(noise(8)))


@settings(max_examples=30)
@given(
    hnp.arrays(np.float32, st.integers(1, 3000), elements=st.floats(-1, 1, width=32)),
    st.sampled_from([0.0, 1e-6, 1.0]),
)
def test_every_recording_gets_words(samples: np.ndarray, gain: float):
    assert words.text(acoustics(np.float32(gain) * samples))


def test_the_words_fit_the_kinds_of_noises(real: Path):
    with (real / "noise" / "noise.csv").open() as file:
        kinds = {row["path"]: row["kind"] for row in csv.DictReader(file)}

    texts = {
        kind: [words.text(measured(real / "noise" / path)) for path, own in kinds.items() if own == kind]
        for kind in ("alarm", "crowd", "water")
    }

    def share(word: str, kind: str) -> float:
        return float(np.mean([word in text.split(", ") for text in texts[kind]]))

    assert share("tonal", "alarm") > 0.7
    assert share("tonal", "water") == share("tonal", "crowd") == 0
    assert share("noise-like", "water") > 0.8


def test_women_speak_higher_than_men(real: Path):
    rows = (real / "LibriSpeech" / "SPEAKERS.TXT").read_text().splitlines()
    gender = {row.split("|")[0].strip(): row.split("|")[1].strip() for row in rows if row[:1] != ";"}
    files = sorted((real / "LibriSpeech" / "test-other").glob("*/*/*.flac"))[::10]
    pitches = [(gender[file.name.split("-")[0]], measured(file).pitch) for file in files]
    of = {sex: [pitch.median for own, pitch in pitches if pitch and own == sex] for sex in "FM"}
    assert len(of["F"]) + len(of["M"]) == len(files) >= 10
    assert np.median(of["M"]) < 150 < 175 < np.median(of["F"])


@pytest.mark.slow  # pyin takes a tenth of the time that a recording takes
def test_the_pitch_of_speech_is_that_of_pyin(real: Path):
    differences = []
    for file in sorted((real / "LibriSpeech" / "test-other").glob("*/*/*.flac"))[::10]:
        samples = audio.read(Clip(file.name, file), RATE)
        hertz, _, _ = librosa.pyin(samples, fmin=60, fmax=500, sr=RATE, frame_length=1024)
        voice = hertz[hertz > 65]  # below is the hum of the mains, where nobody speaks
        pitch = acoustics(samples).pitch
        assert pitch is not None
        differences.append(12 * np.log2(pitch.median / np.median(voice)))
    assert np.abs(differences).max() < 1.5  # semitones


def test_the_median_of_a_clip_of_8_khz_is_that_of_its_voice(take: Callable[[str, int, int], Path]):
    pitch = measured(take("jackson", 0, 0)).pitch
    assert pitch is not None
    assert 80 < pitch.median < 160
