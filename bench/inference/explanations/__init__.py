"""Explanations: where in a recording a model sees a label, checked on events at chosen places."""

from types import ModuleType

from bench.errors import UsageError
from bench.inference.explanations import occlusion, pointing
from bench.inference.explanations.explanation import (
    Classifier,
    Explainer,
    Explanation,
    Method,
    Procedure,
    Saliency,
)
from bench.inference.explanations.figure import figure
from bench.types import Audio

__all__ = ["Classifier", "Explanation", "Method", "Procedure", "Saliency", "explain", "figure"]


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
        If the model has no such label, the head does not fit the method, or captum is not installed.
    """
    labels = list(model.labels)
    label = label or labels[int(model.probabilities([audio])[0].argmax())]
    if label not in labels:
        raise UsageError(f"label '{label}': the model has no such label; expected one of {', '.join(labels)}")
    procedure, explainer = _explainer(model, label, method)
    saliency = explainer(audio)
    share, chance = pointing.accuracy(explainer, audio, model.extractor.sample_rate)
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


def _explainer(model: Classifier, label: str, method: Method) -> tuple[Procedure, Explainer]:
    """Return the procedure that fits a model, and its explainer."""
    if method == "occlusion":
        return "occlusion", occlusion.occlusion(model, label)
    head = model.pipeline[-1]
    has_gradient = hasattr(head, "module_") or (hasattr(head, "coef_") and hasattr(head, "predict_proba"))
    try:
        if method == "gradcam":
            return "gradcam", _gradients().grad_cam(model, label)
        if has_gradient:
            return "integrated-gradients", _gradients().integrated_gradients(model, label)
    except NotImplementedError as error:
        if method == "gradcam":
            fix = (
                "expected a network with convolutions over time or bands, or --explain saliency or occlusion"
            )
            raise UsageError(f"--explain gradcam: head '{type(head).__name__}' has none; {fix}") from error
    return "windows", occlusion.windows(model, label)


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
