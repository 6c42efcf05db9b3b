import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfilt
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from bench.errors import ClipError, UsageError
from bench.inference import explanations
from bench.inference.explanations import Explanation, Saliency, occlusion, pointing
from bench.inference.explanations.figure import verdict
from bench.types import Audio, View

RATE = 16_000
TONE_HZ = 2000.0


@dataclass
class Waveform:
    sample_rate: int = RATE
    dim: int = 1

    def embed(self, audio: Sequence[Audio]) -> list[Audio]:
        return [clip[:, np.newaxis] for clip in audio]


@dataclass
class ToneDetector:
    """A model that hears `tone` by the energy around 2 kHz alone."""

    labels = ("other", "tone")
    extractor = Waveform()
    pipeline = Pipeline([("head", SVC())])
    view = View()
    unit = "clip"

    def probabilities(self, audio: Sequence[Audio]) -> np.ndarray:
        assert all(clip.any() for clip in audio)  # models refuse silence
        band = butter(4, (0.8 * TONE_HZ, 1.25 * TONE_HZ), "band", fs=RATE, output="sos")
        energy = np.array([np.mean(np.square(sosfilt(band, clip))) for clip in audio])
        tone = energy / (energy + 1e-3)
        return np.column_stack([1 - tone, tone])

    def log_odds(self, audio: Sequence[Audio], label: str) -> np.ndarray:
        return np.array([logit(row[self.labels.index(label)]) for row in self.probabilities(audio)])


@pytest.fixture
def recording() -> Audio:
    """Return 3 s of noise with a tone from 1.8 to 2.2 s."""
    times = np.arange(3 * RATE) / RATE
    tone = 0.3 * np.sin(2 * np.pi * TONE_HZ * times) * ((times >= 1.8) & (times < 2.2))
    return (tone + np.random.default_rng(0).normal(0, 0.01, times.size)).astype(np.float32)


@pytest.mark.parametrize("explainer", [occlusion.occlusion, occlusion.windows])
def test_a_tone_that_decides_is_where_the_map_is_hot(explainer: Callable, recording: Audio):
    saliency = explainer(ToneDetector(), "tone")(recording)
    assert 1.8 <= saliency.peak < 2.2
    assert explainer(ToneDetector(), "other")(recording).profile.argmin() == saliency.profile.argmax()
    if saliency.frequencies is not None:
        hertz = saliency.frequencies[saliency.values.sum(axis=0).argmax()]
        assert abs(hertz - TONE_HZ) < 500  # half the band's width


def test_occluded_background_changes_nothing(recording: Audio):
    saliency = occlusion.occlusion(ToneDetector(), "tone")(recording)
    over_time = saliency.profile - saliency.profile.min()
    silent = (saliency.times < 1.2) | (saliency.times > 2.8)
    assert over_time[silent].max() < 0.01 * over_time.max()


def test_an_explanation_points_at_planted_events_only_if_it_follows_them(recording: Audio):
    def energy(audio: Audio) -> Saliency:
        blocks = np.square(audio[: len(audio) // 100 * 100]).reshape(100, -1).mean(axis=1)
        return Saliency((np.arange(100) + 0.5) * len(audio) / RATE / 100, None, blocks.astype(np.float64))

    def middle(audio: Audio) -> Saliency:
        return Saliency(np.array([0.5 * len(audio) / RATE]), None, np.ones(1))

    event = recording[int(1.8 * RATE) : int(2.2 * RATE)]
    assert pointing.accuracy(energy, event, RATE) == (1.0, 1 / 3)
    share, chance = pointing.accuracy(middle, event, RATE)
    blind = _explanation(pointing=share, chance=chance)
    assert not blind.can_point
    assert verdict(blind).endswith("recordings (chance: 33 %), not significantly better")
    assert _explanation(pointing=1.0, chance=chance).can_point


def test_the_background_of_a_planted_event_is_20_db_below_it_with_its_spectrum(recording: Audio):
    event = recording[int(1.8 * RATE) : int(2.2 * RATE)]
    audio = pointing.planted(event, 0, np.random.default_rng(0))
    background = audio - np.pad(event, (0, 3 * len(event)))
    assert len(audio) == 4 * len(event)
    assert 20 * np.log10(background.std() / event.std()) == pytest.approx(-20, abs=0.1)
    peak = np.abs(np.fft.rfft(background)).argmax() * RATE / len(background)
    assert peak == pytest.approx(TONE_HZ, abs=20)


def test_a_long_recording_is_planted_by_its_loudest_part(recording: Audio):
    part = pointing.loudest(recording, RATE // 2)
    assert len(part) == RATE // 2
    assert np.square(part).sum() == pytest.approx(np.square(recording).sum(), rel=0.1)
    assert pointing.loudest(part, RATE) is part


def test_a_head_without_a_gradient_has_scores_of_windows_and_no_grad_cam(recording: Audio):
    clip = recording[RATE : int(2.5 * RATE)]
    explanation = explanations.explain(ToneDetector(), clip, "saliency")
    assert (explanation.method, explanation.label) == ("windows", "tone")
    with pytest.raises(UsageError, match=r"gradcam: head 'SVC' has no convolutions .* or --explain saliency"):
        explanations.explain(ToneDetector(), clip, "gradcam")
    with pytest.raises(UsageError, match="gradcam: head 'SVC'"):
        explanations.check_method(ToneDetector(), "gradcam")
    explanations.check_method(ToneDetector(), "saliency")
    with pytest.raises(UsageError, match=r"label 'dog': .* expected one of other, tone"):
        explanations.explain(ToneDetector(), clip, "occlusion", "dog")


@pytest.mark.parametrize("n_samples", [1, 2, 100])
def test_the_shortest_recordings_have_an_explanation(n_samples: int, tmp_path: Path):
    clip = np.full(n_samples, 0.1, dtype=np.float32)
    for method in ("saliency", "occlusion"):
        explanation = explanations.explain(ToneDetector(), clip, method)
        assert np.isfinite(explanation.values).all()
        explanations.figure(explanation, clip, RATE, tmp_path / f"{method}.png")


def test_a_gradient_without_captum_names_the_extra(monkeypatch: pytest.MonkeyPatch):
    model = ToneDetector()
    model.pipeline = Pipeline([("head", LogisticRegression().fit([[0.0], [1.0]], model.labels))])
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    monkeypatch.delitem(sys.modules, "bench.inference.explanations.gradients", raising=False)
    monkeypatch.delattr(explanations, "gradients", raising=False)
    with pytest.raises(UsageError, match=r"run: pip install .*\[neural,explain\].*; or --explain occlusion"):
        explanations.check_method(model, "saliency")
    explanations.check_method(model, "occlusion")


def test_a_recording_that_is_too_long_is_refused():
    with pytest.raises(ClipError, match="is 61 s long; expected at most 60 s to explain, so cut it"):
        explanations.explain(ToneDetector(), np.ones(61 * RATE, np.float32), "occlusion")


def test_a_head_without_scores_is_refused(recording: Audio, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ToneDetector, "log_odds", lambda _, audio, label: np.full(len(audio), np.nan))
    with pytest.raises(UsageError, match="the head gives no scores"):
        explanations.explain(ToneDetector(), recording, "occlusion", "tone")


def test_digital_silence_has_the_lowest_score(recording: Audio):
    audio = np.concatenate([np.zeros(2 * RATE, np.float32), recording[RATE:]])
    saliency = occlusion.windows(ToneDetector(), "tone")(audio)
    assert saliency.values[0] == pytest.approx(saliency.values.min())
    assert saliency.values.max() > saliency.values.min() + 1
    with pytest.raises(ClipError, match="is silent; there is nothing to explain"):
        explanations.explain(ToneDetector(), np.zeros(RATE, np.float32), "saliency", "tone")


@pytest.mark.figures
@pytest.mark.parametrize("bands", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_a_figure_has_the_same_bytes_twice(bands: int, recording: Audio, tmp_path: Path):
    values = np.random.default_rng(0).normal(size=(4, bands))
    explanation = _explanation(
        times=np.array([0.3, 1.1, 1.9, 2.6]),
        frequencies=np.array([300.0, 1000.0, 3000.0]) if bands > 1 else None,
        values=values if bands > 1 else values[:, 0],
    )
    for name in ("a.png", "b.png"):
        explanations.figure(explanation, recording, RATE, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 10_000


def _explanation(**fields: object) -> Explanation:
    moment = np.zeros(1)
    about = {"label": "tone", "times": moment, "frequencies": None, "values": moment, "n_planted": 10}
    return Explanation(**{"method": "occlusion", **about, "pointing": 0.4, "chance": 1 / 3, **fields})
