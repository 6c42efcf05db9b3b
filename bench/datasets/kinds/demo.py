"""A synthetic corpus of source-filter voices, for a first run without a download.

A voice is a train of glottal pulses and breath noise through a cascade of formant resonators. The vowels'
formants are the men's averages of Peterson and Barney, scaled by each speaker's vocal-tract length.

References
----------
Rosenberg, "Effect of glottal pulse shape on the quality of natural vowels", JASA 49, 1971.
Klatt, "Software for a cascade/parallel formant synthesizer", JASA 67, 1980.
Peterson and Barney, "Control methods used in a study of the vowels", JASA 24, 1952.
"""

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy

from bench import audio
from bench.datasets.layouts import manifest
from bench.errors import UsageError, reason
from bench.types import Card, Dataset

Samples = npt.NDArray[np.float64]

SAMPLE_RATE = 16_000
N_SPEAKERS = 20
N_SESSIONS = 3
BLOCK = 160
"""Number of samples (10 ms) with constant formants."""

VOWELS = {
    "i": (270, 2290, 3010),
    "e": (530, 1840, 2480),
    "a": (730, 1090, 2440),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "ae": (660, 1720, 2410),
    "er": (490, 1350, 1690),
}
"""Vowel -> its first three formants in Hz."""

CONSONANTS = {
    "s": (4500, 7500),
    "sh": (2200, 5500),
    "f": (1500, 7000),
    "t": (3000, 6500),
    "k": (1200, 3000),
    "m": (0, 0),
}
"""Consonant -> band of its noise in Hz; m is voiced and has none."""

PHRASES = {
    "one": "s-a m-i t-o k-e sh-u m-a t-er f-i",
    "two": "k-u s-e m-o f-a t-i sh-ae k-a m-er",
    "three": "t-ae m-u sh-i s-o k-i f-er m-e t-a",
    "four": "f-o k-ae m-i sh-a t-e s-u m-o k-er",
}
NOISES = ("white", "pink", "hum", "babble", "engine", "clicks")
SNRS_DB = (0, 5, 10, 15, 20)


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker's voice, the same in every session."""

    gender: str
    pitch: float
    """Mean f0 in Hz."""
    tract: float
    """Factor on the men's average formants: a shorter vocal tract has higher formants."""
    habits: dict[str, Samples]
    """Vowel -> factors on its formants."""
    open_quotient: float
    tilt: float
    """Coefficient of the source's low-pass filter, in [0, 1)."""
    breath: float
    syllable: float
    """Seconds per syllable."""


def from_card(card: Card, home: Path) -> Dataset:
    """Return the corpus of the card's version.

    Raises
    ------
    UsageError
        If `home` is not writable.
    """
    try:
        return load(home, card.version)
    except OSError as error:
        fault = f"cannot be written ({reason(error)}); set BENCH_CACHE to another folder"
        raise UsageError(f"{home}: {fault}") from error


def load(home: Path, version: str) -> Dataset:
    """Return the corpus from the folder `home`; the first call writes it there."""
    folder = home / f"demo-{version}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix="demo-", dir=home))
        try:
            make(partial)
            partial.rename(folder)
        except OSError:
            if not folder.is_dir():  # unless another process was faster
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    dataset = manifest.load(folder / "clips.csv")
    # Clips stay in the order of the table, as in baselines of before tables were sorted by clip.
    return replace(dataset, table=dataset.table.sort_index())


def make(folder: Path) -> None:
    """Write the corpus: 240 WAV files of 2 to 3 s at 16 kHz, and clips.csv.

    Half of the clips of a session are noisy, at an SNR of 0 to 20 dB over the whole clip. No two clips share
    a noise, so a clip is one recording; the babble has voices outside of the corpus.
    """
    voices = [
        _voice(np.random.default_rng([0, number]), female=number % 2 == 0) for number in range(N_SPEAKERS)
    ]
    crowd = _crowd()
    rows = []
    for number, voice in enumerate(voices):
        for session in range(N_SESSIONS):
            acoustics = _acoustics(np.random.default_rng([1, number, session]))
            for index, phrase in enumerate(PHRASES):
                rng = np.random.default_rng([2, number, session, index])
                speech = _record(_say(voice, PHRASES[phrase], rng), acoustics, rng)
                count = (number * N_SESSIONS + session) * len(PHRASES) + index
                noisy = (index + session + number) % 2 == 0
                kind = NOISES[count // 2 % len(NOISES)] if noisy else "none"
                snr_db = int(rng.choice(SNRS_DB)) if noisy else None
                if snr_db is not None:
                    speech = mix(speech, _noise(kind, len(speech), crowd, rng), snr_db)
                name = f"s{number:02}-{session}-{phrase}.wav"
                gain = rng.uniform(0.2, 0.9) / np.abs(speech).max()
                audio.write(folder / name, speech * gain, SAMPLE_RATE)
                rows.append(
                    {
                        "path": name,
                        "speaker": f"s{number:02}",
                        "gender": voice.gender,
                        "session": f"s{number:02}-{session}",
                        "phrase": phrase,
                        "noise": "noisy" if noisy else "clean",
                        "noise_kind": kind,
                        "snr_db": "none" if snr_db is None else str(snr_db),
                    }
                )
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)


def mix(speech: Samples, noise: Samples, snr_db: float) -> Samples:
    """Return the sum of speech and noise at an SNR in dB; the noise is scaled."""
    gain = np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    return speech + gain * noise


def _voice(rng: np.random.Generator, *, female: bool) -> Voice:
    """Return a random voice."""
    return Voice(
        gender="female" if female else "male",
        pitch=rng.uniform(160, 250) if female else rng.uniform(85, 165),
        tract=rng.uniform(1.06, 1.24) if female else rng.uniform(0.92, 1.1),
        habits={vowel: rng.normal(1.0, 0.04, size=3) for vowel in VOWELS},
        open_quotient=rng.uniform(0.45, 0.75),
        tilt=rng.uniform(0.5, 0.93),
        breath=10 ** rng.uniform(-2.2, -1.0),
        syllable=rng.uniform(0.26, 0.36),
    )


def _say(voice: Voice, phrase: str, rng: np.random.Generator) -> Samples:
    """Return a voice's utterance of a phrase, with random rate, pitch and durations."""
    parts = []
    rate = rng.normal(1.0, 0.06)
    pitch = voice.pitch * rng.normal(1.0, 0.05)
    syllables = [syllable.split("-") for syllable in phrase.split()]
    for index, (consonant, vowel) in enumerate(syllables):
        seconds = voice.syllable * rate * rng.uniform(0.85, 1.15)
        falling = 1.1 - 0.25 * index / len(syllables)
        n_consonant, n_vowel = (int(seconds * share * SAMPLE_RATE) // BLOCK * BLOCK for share in (0.3, 0.7))
        parts.append(_consonant(voice, consonant, n_consonant, rng))
        parts.append(_vowel(voice, vowel, n_vowel, pitch * falling * rng.normal(1.0, 0.03), rng))
    return np.concatenate(parts)


def _source(voice: Voice, f0: Samples, rng: np.random.Generator) -> Samples:
    """Return the derivative of the glottal flow, with breath noise; `f0` has one value in Hz per sample."""
    wander = scipy.signal.lfilter([0.02], [1, -0.98], rng.normal(size=len(f0)))
    phase = np.cumsum(f0 * (1 + 0.05 * wander) / SAMPLE_RATE) % 1.0
    opening, closing = 0.66 * voice.open_quotient, 0.34 * voice.open_quotient
    rise = 0.5 * (1 - np.cos(np.pi * phase / opening))
    fall = np.cos(np.pi / 2 * (phase - opening) / closing)
    flow = np.where(phase < opening, rise, np.where(phase < opening + closing, fall, 0.0))
    pulses = scipy.signal.lfilter([1 - voice.tilt], [1, -voice.tilt], np.diff(flow, prepend=flow[0]))
    return pulses / np.abs(pulses).max() + voice.breath * rng.normal(size=len(f0)) * (0.3 + flow)


def _vowel(voice: Voice, vowel: str, n_samples: int, pitch: float, rng: np.random.Generator) -> Samples:
    """Return a vowel that starts from neutral formants, with a fade at both ends."""
    steps = np.linspace(0, 1, n_samples)
    source = _source(voice, pitch * (1 + 0.06 * np.sin(np.pi * steps)), rng)
    goal = np.array(VOWELS[vowel]) * voice.habits[vowel] * voice.tract
    neutral = np.array([500.0, 1500.0, 2500.0]) * voice.tract
    upper = np.array([3500.0, 4500.0]) * voice.tract
    state = np.zeros((5, 2))
    out = np.empty(n_samples)
    for first in range(0, n_samples, BLOCK):
        glide = min(1.0, 0.4 + first / (0.06 * SAMPLE_RATE))
        formants = np.concatenate([neutral + glide * (goal - neutral), upper])
        block = slice(first, first + BLOCK)
        out[block], state = scipy.signal.sosfilt(_resonators(formants), source[block], zi=state)
    fade = np.minimum(1.0, np.minimum(steps, 1 - steps) * 8)
    return out / np.abs(out).max() * fade


def _resonators(formants: Samples) -> Samples:
    """Return second-order sections of unit gain at 0 Hz, one per formant (Klatt 1980, eq. 2)."""
    bandwidths = 50 + 0.04 * formants
    radius = np.exp(-np.pi * bandwidths / SAMPLE_RATE)
    b = 2 * radius * np.cos(2 * np.pi * formants / SAMPLE_RATE)
    c = -(radius**2)
    zero, one = np.zeros_like(b), np.ones_like(b)
    return np.stack([1 - b - c, zero, zero, one, -b, -c], axis=1)


def _consonant(voice: Voice, name: str, n_samples: int, rng: np.random.Generator) -> Samples:
    """Return a consonant: filtered noise with an envelope, or a hum for m."""
    low, high = (edge * (1 + 0.5 * (voice.tract - 1)) for edge in CONSONANTS[name])
    if name == "m":
        hum = _source(voice, np.full(n_samples, voice.pitch), rng)
        return 0.3 * scipy.signal.sosfilt(_resonators(np.array([280.0, 1000.0]) * voice.tract), hum)
    sos = scipy.signal.butter(2, [low, min(high, 7800)], "bandpass", fs=SAMPLE_RATE, output="sos")
    sound = 0.25 * scipy.signal.sosfilt(sos, rng.normal(size=n_samples))
    steps = np.linspace(0, 1, n_samples)
    # A plosive is a silence and a burst, a fricative swells and ebbs.
    envelope = (
        np.where(steps < 0.6, 0.0, np.exp(-8 * (steps - 0.6)))
        if name in {"t", "k"}
        else np.sin(np.pi * steps)
    )
    return sound * envelope


def _acoustics(rng: np.random.Generator) -> tuple[Samples, Samples, float]:
    """Return a session's room response, its microphone as second-order sections, and its SNR in dB."""
    decay = rng.uniform(0.08, 0.35)
    n_samples = int(decay * SAMPLE_RATE)
    tail = rng.normal(size=n_samples) * np.exp(-6.9 * np.arange(n_samples) / n_samples)
    room = tail * rng.uniform(0.03, 0.12) / np.sqrt(np.sum(tail**2)) * 3
    room[0] = 1.0
    low, high = rng.uniform(40, 160), rng.uniform(5500, 7600)
    band = scipy.signal.butter(1, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos")
    resonance = scipy.signal.iirpeak(rng.uniform(800, 4000), rng.uniform(1, 3), fs=SAMPLE_RATE)
    peak = np.hstack(resonance)[np.newaxis]
    peak[:, :3] = peak[:, 3:] + rng.uniform(-0.4, 0.9) * peak[:, :3]
    return room, np.vstack([band, peak]), rng.uniform(45, 60)


def _record(speech: Samples, acoustics: tuple[Samples, Samples, float], rng: np.random.Generator) -> Samples:
    """Return speech after the room, the microphone and its noise floor."""
    room, microphone, floor_db = acoustics
    filtered = scipy.signal.sosfilt(microphone, scipy.signal.fftconvolve(speech, room)[: len(speech)])
    return mix(filtered, rng.normal(size=len(filtered)), floor_db)


def _crowd() -> list[Samples]:
    """Return utterances of six voices outside of the corpus, for the babble."""
    streams = [np.random.default_rng([3, number]) for number in range(6)]
    phrases = list(PHRASES.values())
    return [
        _say(_voice(rng, female=number % 2 == 0), f"{phrases[number % 4]} {phrases[(number + 1) % 4]}", rng)
        for number, rng in enumerate(streams)
    ]


def _noise(kind: str, n_samples: int, crowd: list[Samples], rng: np.random.Generator) -> Samples:
    """Return a noise of a kind from `NOISES`, at an arbitrary level."""
    seconds = np.arange(n_samples) / SAMPLE_RATE
    white = rng.normal(size=n_samples)
    if kind == "white":
        return white
    if kind == "pink":
        spectrum = np.fft.rfft(white)
        return np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), n_samples)
    if kind == "hum":
        mains = rng.choice([50.0, 60.0])
        harmonics = np.arange(1, 9)[:, np.newaxis]
        levels, phases = rng.uniform(0.2, 1, harmonics.shape) / harmonics, rng.random(harmonics.shape)
        return (levels * np.sin(2 * np.pi * (harmonics * mains * seconds + phases))).sum(axis=0)
    if kind == "babble":
        voices = [np.roll(np.resize(voice, n_samples), rng.integers(n_samples)) for voice in crowd]
        return rng.uniform(0.5, 1, len(crowd)) @ np.array(voices)
    if kind == "engine":
        speed = rng.uniform(25, 60) * (1 + 0.05 * np.sin(2 * np.pi * rng.uniform(0.2, 1) * seconds))
        phase = 2 * np.pi * np.cumsum(speed) / SAMPLE_RATE
        strokes = np.arange(1, 13)[:, np.newaxis]
        firing = np.sin(strokes * phase + rng.uniform(0, 6, strokes.shape)) / np.sqrt(strokes)
        return firing.sum(axis=0) + scipy.signal.lfilter([0.4], [1, -0.95], white)
    clicks = np.where(rng.random(n_samples) < 12 / SAMPLE_RATE, rng.uniform(-1, 1, n_samples), 0.0)
    clicks[rng.integers(n_samples)] = 1.0
    return scipy.signal.sosfilt(_resonators(np.array([rng.uniform(1500, 4000)])), clicks)
