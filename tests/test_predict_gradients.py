"""Explanations by gradients: axioms, sanity checks of Adebayo et al. (NeurIPS 2018), and a planted tone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from bench.audio import read as audio_of
from bench.embed import pooling
from bench.embed.layers import as_layers
from bench.errors import UsageError
from bench.extractors.spectral import LogMel
from bench.inference import explanations
from bench.inference.explanations.background import background
from bench.learn.pipeline import PipelineSpec
from bench.types import Audio, Clip, Unit, View

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

from bench.extractors.runtimes import TorchNetwork  # noqa: E402
from bench.heads import architectures  # noqa: E402
from bench.heads.network import Network  # noqa: E402  # needs torch
from bench.inference.explanations import gradients  # noqa: E402

RATE = 16_000
TONE_HZ = 2000.0
EXTRACTOR = LogMel(n_mels=40)


def recording(start: float | None, seconds: float, seed: int) -> Audio:
    """Return noise, with a tone of 0.2 s from a moment on."""
    times = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).normal(0, 0.01, times.size)
    tone = (
        0 if start is None else 0.1 * np.sin(2 * np.pi * TONE_HZ * times) * (abs(times - start - 0.1) < 0.1)
    )
    return (noise + tone).astype(np.float32)


CLIPS = [recording(0.1 * (i % 3) if i % 2 else None, 0.5, seed=i) for i in range(24)]
Y = np.array(["other", "tone"] * 12)


@dataclass
class Toy:
    """A model that was fitted to 24 clips, half of them with a tone."""

    pipeline: Pipeline
    unit: Unit
    view: View
    preprocess: tuple[str, ...] = ()
    extractor: Any = EXTRACTOR

    labels = ("other", "tone")

    @property
    def cell(self) -> Any:
        return SimpleNamespace(extractor=SimpleNamespace(preprocess=self.preprocess))

    def probabilities(self, audio: list[Audio]) -> np.ndarray:
        return self.pipeline.predict_proba(samples(audio, self.unit, self.view))

    def log_odds(self, audio: list[Audio], label: str) -> np.ndarray:
        probability = self.probabilities(audio)[:, self.labels.index(label)].astype(np.float64)
        return logit(probability.clip(1e-6, 1 - 1e-6))


def samples(audio: list[Audio], unit: Unit, view: View) -> Any:
    frames = EXTRACTOR.embed(audio)
    if unit == "sequence":
        return frames
    return pooling.select([pooling.summarise(as_layers(clip, EXTRACTOR.dim)) for clip in frames], view)


def fitted(head: Callable[[], Any], unit: Unit = "clip", pool: str = "mean+std", **options: Any) -> Toy:
    view = View(pool=pool)
    spec = PipelineSpec(head, unit=unit, **options)
    return Toy(spec.pipeline().fit(samples(CLIPS, unit, view), Y), unit, view)


@pytest.fixture(scope="module")
def network() -> Toy:
    """Return a small convolutional network."""
    options = {"blocks": ((8,), (8,), (8,))}
    toy = fitted(lambda: Network("Cnn2d", options, lr=0.01, epochs=12, device="cpu"), "sequence")
    assert (toy.pipeline.predict(EXTRACTOR.embed(CLIPS)) == Y).all()
    return toy


@pytest.fixture(scope="module")
def linear() -> Toy:
    """Return a linear model without scaling, so that its large weights are at the tone alone."""
    return fitted(LogisticRegression, pool="mean", scale=False)


@pytest.mark.parametrize(
    ("model", "explainer"),
    [
        ("linear", gradients.integrated_gradients),
        ("network", gradients.integrated_gradients),
        ("network", gradients.grad_cam),
    ],
)
def test_a_tone_that_decides_is_where_the_map_is_hot(
    model: str, explainer: Callable, request: pytest.FixtureRequest
):
    toy, audio = request.getfixturevalue(model), recording(0.4, 0.7, seed=99)
    assert toy.probabilities([audio])[0, 1] > 0.5
    saliency = explainer(toy, "tone")(audio)
    assert 0.4 <= saliency.peak < 0.6
    assert saliency.values.shape == (71, 40)
    inside = abs(saliency.times - 0.5) < 0.1
    hertz = saliency.frequencies[saliency.values[inside].sum(axis=0).argmax()]
    assert abs(hertz - TONE_HZ) < 400  # two bands


def test_integrated_gradients_of_a_linear_model_are_its_weights_times_the_change(linear: Toy):
    """Sundararajan et al. (2017): exact for a linear function."""
    audio = CLIPS[1]
    clip, quiet = EXTRACTOR.embed([audio, background(audio, RATE)])
    expected = (clip - quiet) * linear.pipeline[-1].coef_[0] / len(clip)
    for label, sign in (("tone", 1), ("other", -1)):
        values = gradients.integrated_gradients(linear, label)(audio).values
        np.testing.assert_allclose(values, sign * expected, rtol=1e-3, atol=1e-4 * abs(expected).max())


def test_integrated_gradients_of_a_network_add_up_to_the_change_of_the_log_odds(network: Toy):
    audio = CLIPS[1]
    values = gradients.integrated_gradients(network, "tone")(audio).values
    p = network.pipeline.predict_proba(EXTRACTOR.embed([background(audio, RATE), audio]))[:, 1].astype(
        np.float64
    )
    change = np.diff(np.log(p / (1 - p)))[0]
    assert values.sum() == pytest.approx(change, rel=0.05)


def test_grad_cam_needs_convolutions_over_time_or_bands(linear: Toy):
    with pytest.raises(UsageError, match=r"--explain gradcam: head 'LogisticRegression' has no convolutions"):
        explanations.explain(linear, CLIPS[1], "gradcam")


@pytest.mark.parametrize("explainer", [gradients.integrated_gradients, gradients.grad_cam])
def test_random_weights_change_the_map_and_the_same_weights_do_not(network: Toy, explainer: Callable):
    audio = recording(0.7, 1.2, seed=7)
    before = explainer(network, "tone")(audio).values
    np.testing.assert_array_equal(explainer(network, "tone")(audio).values, before)
    head = network.pipeline[-1]
    weights = {name: values.clone() for name, values in head.module_.state_dict().items()}
    try:
        with torch.random.fork_rng([]):
            torch.manual_seed(1)
            for layer in head.module_.modules():
                if hasattr(layer, "reset_parameters"):
                    layer.reset_parameters()
        after = explainer(network, "tone")(audio).values
    finally:
        head.module_.load_state_dict(weights)
    assert abs(spearmanr(before.ravel(), after.ravel()).statistic) < 0.5


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the ten planted recordings that check an explanation."""
    monkeypatch.setattr(explanations.pointing, "accuracy", lambda *_: (0.5, 1 / 3))


@pytest.mark.parametrize(
    "steps", [{}, {"limit": 3.0}, {"steps": [("pca", lambda: PCA(5))]}, {"scale": False}]
)
def test_scaling_and_components_have_a_gradient(steps: dict[str, Any], unchecked: None):
    model = fitted(LogisticRegression, **steps)
    assert explanations.explain(model, CLIPS[1], "saliency").method == "integrated-gradients"


def test_a_step_or_head_without_a_gradient_falls_back_to_windows(unchecked: None):
    whitened = fitted(LogisticRegression, steps=[("pca", lambda: PCA(5, whiten=True))])
    changed = fitted(LogisticRegression)
    changed.pipeline = Pipeline([*changed.pipeline.steps[:-1], ("head", _Sharpened())])
    changed.pipeline.fit(samples(CLIPS, "clip", changed.view), Y)
    for model in (whitened, changed, fitted(GaussianNB)):
        assert explanations.explain(model, CLIPS[1], "saliency").method == "windows"
    trimmed = fitted(LogisticRegression)
    trimmed.preprocess = ("trim=20",)
    assert explanations.explain(trimmed, CLIPS[1], "saliency").method == "windows"


class _Sharpened(LogisticRegression):
    """A head with coefficients whose probabilities are no softmax of them."""

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        return super().predict_proba(X).round()


def untrained(name: str) -> Network:
    """Return a network over 40 bands with random weights."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        weights = getattr(architectures, name)(40, 2).state_dict()
    head = Network(name, device="cpu")
    tensors = {key: values.numpy() for key, values in weights.items()}
    head.restore(tensors, np.array(Toy.labels), {"dim": 40, "n_classes": 2})
    return head


def test_grad_cam_needs_bands_and_no_components():
    toy = Toy(Pipeline([("head", untrained("Cnn2d"))]), "sequence", View())
    explanations.check_method(toy, "gradcam")
    toy.extractor = LogMel(n_mels=80)  # before a reducer to 40 components
    with pytest.raises(UsageError, match="has no convolutions over an image"):
        explanations.check_method(toy, "gradcam")


@pytest.mark.parametrize("name", ["Cnn2d", "Vgg", "BcResNet", "Cnn1d"])
@pytest.mark.parametrize("seconds", [0.1, 0.7])
def test_grad_cam_of_every_network_has_the_frames_and_bands_of_its_input(name: str, seconds: float):
    head = untrained(name)
    toy = Toy(Pipeline([("head", head)]), "frame" if name == "Cnn1d" else "sequence", View())
    audio = recording(None, seconds, seed=3)
    maps = [gradients.grad_cam(toy, label)(audio).values for label in toy.labels]
    assert maps[0].shape == (round(100 * seconds) + 1, 40)
    assert 0 <= np.min(maps) < np.max(maps)


class _Bands(torch.nn.Module):
    """Waveforms -> two layers of log energies in blocks of 10 ms: of all of it, and of its changes."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        blocks = (self.gain * waveform).unfold(1, 160, 160)
        bands = torch.stack([blocks.square().mean(-1), blocks.diff().square().mean(-1)], dim=-1)
        layer = (bands + 1e-6).log()
        return torch.stack([layer, 2 * layer], dim=1)


class Waveforms:
    """An extractor whose network torch runs, with silence behind every clip."""

    sample_rate, dim, n_layers = RATE, 2, 2

    def __init__(self, factor: float = 1.0) -> None:
        self.states = TorchNetwork(_Bands(), torch.float32, "cpu")
        self.factor = factor

    def embed(self, audio: list[Audio]) -> list[np.ndarray]:
        padded = [torch.as_tensor(np.pad(clip, (0, RATE)))[None] for clip in audio]
        frames = [self.states(clip)[0] for clip in padded]
        return [self.factor * x[:, : len(clip) // 160] for x, clip in zip(frames, audio, strict=True)]


def test_the_gradient_goes_through_the_network_of_an_extractor():
    extractor, view = Waveforms(), View(layer=1, pool="mean")

    def vectors(audio: list[Audio]) -> np.ndarray:
        return pooling.select([pooling.summarise(as_layers(x, 2, 2)) for x in extractor.embed(audio)], view)

    pipeline = PipelineSpec(LogisticRegression).pipeline().fit(vectors(CLIPS), Y)
    toy = Toy(pipeline, "clip", view, extractor=extractor)
    audio = recording(0.4, 0.7, seed=99)
    saliency = gradients.integrated_gradients(toy, "tone")(audio)
    assert 0.4 <= saliency.peak < 0.6
    assert saliency.frequencies is None
    assert saliency.values.shape == (70,)
    odds = pipeline.decision_function(vectors([background(audio, RATE), audio]))
    assert saliency.values.sum() == pytest.approx(np.diff(odds)[0], rel=0.05)
    toy.extractor = Waveforms(factor=1.5)  # does more to the output than to cut it
    with pytest.raises(NotImplementedError):
        gradients.integrated_gradients(toy, "tone")(audio)


@pytest.mark.slow
def test_whisper_shows_the_time_and_the_bands_of_a_digit(real: Path, weights: Path):
    from bench.extractors.whisper import Whisper

    extractor, view = Whisper(str(weights / "whisper-tiny.en"), short=True), View(layer=4)
    n_layers = extractor.n_layers

    def vectors(audio: list[Audio]) -> np.ndarray:
        frames = [as_layers(x, extractor.dim, n_layers) for x in extractor.embed(audio)]
        return pooling.select([pooling.summarise(x) for x in frames], view)

    def read(digit: int, take: int) -> Audio:
        return audio_of(Clip(id="x", path=real / "fsdd" / f"{digit}_theo_{take}.wav"), RATE)

    clips = [read(digit, take) for digit in (3, 6) for take in range(8)]
    pipeline = PipelineSpec(LogisticRegression).pipeline().fit(vectors(clips), np.repeat(["3", "6"], 8))
    toy = Toy(pipeline, "clip", view, extractor=extractor)
    digit = read(3, 40)
    saliency = gradients.integrated_gradients(toy, "3")(digit)
    assert saliency.values.shape == (-(-len(digit) // 160), 80)
    assert saliency.frequencies.max() < RATE / 2
    odds = -pipeline.decision_function(vectors([background(digit, RATE), digit]))
    assert saliency.values.sum() == pytest.approx(np.diff(odds)[0], rel=0.2)
