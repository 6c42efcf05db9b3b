"""Explanations: where in a recording a model sees a label, checked on events at chosen places."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import TypeAlias

from bench.errors import ClipError, UsageError
from bench.inference.explanations import occlusion, pointing
from bench.inference.explanations.explanation import (
    Classifier,
    Explainer,
    Explanation,
    Method,
    Procedure,
    Saliency,
    has_gradient,
)
from bench.inference.explanations.figure import figure
from bench.types import Audio

__all__ = [
    "Classifier",
    "Explanation",
    "Method",
    "Procedure",
    "Saliency",
    "check_method",
    "explain",
    "figure",
]

LONGEST_SECONDS = 60
"""Longest recording that is explained, in s."""

ExplainerOf: TypeAlias = Callable[[Classifier, str], Explainer]


def explain(model: Classifier, audio: Audio, method: Method, label: str | None = None) -> Explanation:
    """Explain a model's label for a recording, and check the explanation on planted recordings.

    Parameters
    ----------
    audio : Audio
        At the rate of the model's extractor.
    method : Method
        ``saliency``: integrated gradients, or for a head without a gradient the scores of windows of at most
        1 s; ``occlusion``; ``gradcam``, for networks with convolutions over time.
    label : str | None
        One of the model's labels; None for the most probable one.

    Raises
    ------
    UsageError
        If the model has no such label, the head does not fit the method or gives no probabilities, or captum
        is not installed.
    ClipError
        If the recording is silent or longer than `LONGEST_SECONDS`.
    """
    rate = model.extractor.sample_rate
    if not audio.any():
        raise ClipError("is silent; there is nothing to explain")
    if len(audio) > LONGEST_SECONDS * rate:
        seconds = len(audio) / rate
        raise ClipError(
            f"is {seconds:.0f} s long; expected at most {LONGEST_SECONDS} s to explain, so cut it"
        )
    labels = list(model.labels)
    label = label or labels[int(model.probabilities([audio])[0].argmax())]
    if label not in labels:
        raise UsageError(f"label '{label}': the model has no such label; expected one of {', '.join(labels)}")
    for procedure, explainer_of in _procedures(model, method):
        with suppress(NotImplementedError):
            return _explanation(procedure, explainer_of(model, label), label, audio, rate)
    raise UsageError(_misfit(model))


def check_method(model: Classifier, method: Method) -> None:
    """Check that a model can be explained by a method, before any recording is.

    Raises
    ------
    UsageError
        If the head does not fit the method, or captum is not installed.
    """
    for _, explainer_of in _procedures(model, method):
        with suppress(NotImplementedError):
            explainer_of(model, model.labels[0])
            return
    raise UsageError(_misfit(model))


def _misfit(model: Classifier) -> str:
    """Return why a model has no Grad-CAM, the only method that does not fit every head."""
    return (
        f"--explain gradcam: head '{type(model.pipeline[-1]).__name__}' has no convolutions over an image of "
        "bands and time; expected cnn2d, vgg, bcresnet or cnn1d-frames, or --explain saliency or occlusion"
    )


def _procedures(model: Classifier, method: Method) -> Iterator[tuple[Procedure, ExplainerOf]]:
    """Yield the procedures of a method, the best first; one that does not fit raises NotImplementedError."""
    if method == "occlusion":
        yield "occlusion", occlusion.occlusion
    elif method == "gradcam":
        if hasattr(model.pipeline[-1], "module_"):
            yield "gradcam", _gradients().grad_cam
    else:
        if has_gradient(model.pipeline[-1]):
            yield "integrated-gradients", _gradients().integrated_gradients
        yield "windows", occlusion.windows


def _explanation(
    procedure: Procedure, explainer: Explainer, label: str, audio: Audio, rate: int
) -> Explanation:
    """Return the explanation of a recording, with the explainer's pointing accuracy."""
    saliency = explainer(audio)
    share, chance = pointing.accuracy(explainer, audio, rate)
    return Explanation(
        method=procedure,
        label=label,
        times=saliency.times,
        frequencies=saliency.frequencies,
        values=saliency.values,
        pointing=share,
        chance=chance,
        n_planted=pointing.N_PLANTED,
    )


def _gradients() -> ModuleType:
    """Return the module that needs captum.

    Raises
    ------
    UsageError
        If captum or torch is not installed.
    """
    try:
        from bench.inference.explanations import gradients  # imports torch and captum, which are optional
    except ImportError as error:
        install = 'pip install "audio-embedding-bench[neural,explain]"'
        raise UsageError(
            f"gradients need the module '{error.name}'; run: {install}; or --explain occlusion"
        ) from error
    return gradients
