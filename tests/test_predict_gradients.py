"""Explanations by gradients: axioms, sanity checks of Adebayo et al. (NeurIPS 2018), and a planted tone."""

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline

from bench.embed import pooling
from bench.embed.layers import as_layers
from bench.errors import UsageError
from bench.extractors.spectral import LogMel
from bench.inference import explanations
from bench.inference.explanations.background import background
from bench.learn.pipeline import PipelineSpec
from bench.types import Audio, Unit, View

torch = pytest.importorskip("torch")
pytest.importorskip("captum")

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

    labels = ("other", "tone")
    extractor = EXTRACTOR

    @property
    def cell(self) -> Any:
        return SimpleNamespace(extractor=SimpleNamespace(preprocess=self.preprocess))

    def probabilities(self, audio: list[Audio]) -> np.ndarray:
        return self.pipeline.predict_proba(samples(audio, self.unit, self.view))


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


@pytest.mark.parametrize(
    "steps", [{}, {"limit": 3.0}, {"steps": [("pca", lambda: PCA(5))]}, {"scale": False}]
)
def test_scaling_and_components_have_a_gradient(steps: dict[str, Any]):
    model = fitted(LogisticRegression, **steps)
    assert explanations.explain(model, CLIPS[1], "saliency").method == "integrated-gradients"


def test_a_step_or_head_without_a_gradient_falls_back_to_windows():
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
