"""Integrated gradients and Grad-CAM, by captum, for heads and extractors that have a gradient."""

from typing import Any

import numpy as np
import torch
from captum.attr import IntegratedGradients, LayerGradCam

from bench import preprocess
from bench.embed.layers import as_layers
from bench.inference.explanations.background import background
from bench.inference.explanations.chain import Chain, EndToEnd, check, network_input, network_of
from bench.inference.explanations.explanation import Classifier, Explainer, Saliency, Values
from bench.types import Audio, Frames, Traits

N_STEPS = 16
"""Number of points of the path from background to recording, by Gauss and Legendre."""

BATCH_FRAMES = 4000
"""Number of frames at once, over all points of the path."""

CELL_SECONDS = 0.01
"""Time between two values of a map over a waveform, in s."""


def integrated_gradients(model: Classifier, label: str) -> Explainer:
    """Return an explainer: integrated gradients of a label's log-odds, from its background to the recording.

    Their sum is the difference of the log-odds of the recording and of its background. The gradient goes
    to the input of an extractor's network if torch runs it, else to the extractor's frames.

    Raises
    ------
    NotImplementedError
        If a step or the head has no gradient here.

    References
    ----------
    Sundararajan, Taly and Yan, "Axiomatic attribution for deep networks", ICML 2017.
    """
    chain = Chain(model, label)
    network = network_of(model.extractor)

    def explain(audio: Audio) -> Saliency:
        clip = _prepared(model, audio)
        quiet = background(clip, model.extractor.sample_rate)
        baseline, layers = _layers(model, [quiet, clip])
        check(chain, model, layers)
        if network is not None:
            return _through_network(model, EndToEnd(network, chain, layers.shape), clip, quiet)
        values = IntegratedGradients(chain).attribute(
            *(torch.as_tensor(x)[None] for x in (layers, baseline)),
            n_steps=N_STEPS,
            internal_batch_size=max(1, BATCH_FRAMES // layers.shape[1]),
        )
        return _saliency(model, values[0].sum(dim=0).numpy(), audio)

    return explain


def _through_network(model: Classifier, chain: EndToEnd, audio: Audio, quiet: Audio) -> Saliency:
    """Return the integrated gradients at the input of an extractor's network.

    Raises
    ------
    NotImplementedError
        If the extractor does more to the output of the network than to cut it to the clip, or the input is
        neither a waveform nor a mel spectrum.
    """
    values, baseline = (network_input(chain.network, model.extractor, clip) for clip in (audio, quiet))
    chain.check(values, _layers(model, [audio])[0])
    method = IntegratedGradients(chain)
    attribution = method.attribute(values, baseline, n_steps=N_STEPS, internal_batch_size=1)[0].numpy()
    rate = model.extractor.sample_rate
    if attribution.ndim == 1:  # a waveform, perhaps with silence behind it
        n_cells = max(1, round(len(audio) / rate / CELL_SECONDS))
        cells = np.array_split(attribution[: len(audio)].astype(np.float64), n_cells)
        times = (np.arange(n_cells) + 0.5) * len(audio) / rate / n_cells
        return Saliency(times, None, np.array([cell.sum() for cell in cells]))
    processor: Any = getattr(model.extractor, "processor", None)
    filters = getattr(processor, "mel_filters", np.empty((0, 0)))  # shape=(n_frequencies, n_mels)
    if attribution.shape[0] != filters.shape[1]:
        raise NotImplementedError
    frequencies = np.linspace(0, rate / 2, len(filters)) @ filters / filters.sum(axis=0)
    step = processor.hop_length / rate
    spectra = attribution.T[: int(np.ceil(len(audio) / rate / step))].astype(np.float64)
    return Saliency((np.arange(len(spectra)) + 0.5) * step, frequencies, spectra)


def grad_cam(model: Classifier, label: str) -> Explainer:
    """Return an explainer: Grad-CAM of a label's log-odds at the last convolutions that keep the time.

    Raises
    ------
    NotImplementedError
        If the head is no network with such convolutions, or a step has no gradient here.

    References
    ----------
    Selvaraju et al., "Grad-CAM: Visual explanations from deep networks via gradient-based localization", ICCV
    2017.
    """
    chain = Chain(model, label)
    layer = _convolutions(model)

    def explain(audio: Audio) -> Saliency:
        (layers,) = _layers(model, [_prepared(model, audio)])
        check(chain, model, layers)
        cam = LayerGradCam(chain, layer).attribute(torch.as_tensor(layers)[None], relu_attributions=True)
        n_frames, dim = layers.shape[1:]
        # Of single frames, the image is a frame's bands; of sequences, bands x time.
        image = cam.detach().cpu()
        if model.unit == "frame":
            image = image[:, 0].T[None, None]
        return _saliency(model, _frame_map(image, n_frames, dim), audio)

    return explain


def _prepared(model: Classifier, audio: Audio) -> Audio:
    """Return a recording after the preprocessing of the model.

    Raises
    ------
    NotImplementedError
        If its length changes, or it is longer than the extractor takes at once.
    """
    clip = preprocess.parse(model.cell.extractor.preprocess).apply(audio)
    longest = Traits.of(model.extractor).max_seconds * model.extractor.sample_rate
    if len(clip) != len(audio) or (longest and len(clip) > longest):
        raise NotImplementedError
    return clip


def _layers(model: Classifier, audio: list[Audio]) -> list[Frames]:
    """Return the frames of clips as `as_layers` returns them."""
    dim, n_layers = model.extractor.dim, Traits.of(model.extractor).n_layers
    return [as_layers(frames, dim, n_layers) for frames in model.extractor.embed(audio)]


def _convolutions(model: Classifier) -> Any:
    """Return the last layer of a network whose output is still an image, or bands of single frames.

    Raises
    ------
    NotImplementedError
        If there is none.
    """
    head = model.pipeline[-1]
    name = getattr(head, "network", "")
    if name and head.sizes_["dim"] != model.extractor.dim:  # components, whose order is no axis
        raise NotImplementedError
    if name in {"Cnn2d", "Vgg"}:
        return head.module_.blocks[-1][-1]
    if name == "BcResNet":
        return head.module_.blocks[-1]
    if name == "Cnn1d" and model.unit == "frame":
        return head.module_[6]  # the ReLU behind the third convolution
    raise NotImplementedError


def _frame_map(image: Any, n_frames: int, dim: int) -> Values:
    """Return an image of n_bands x n_cells at the resolution of the frames, shape=(n_frames, dim).

    Every pooling halves the frames and drops one that is left over.
    """
    n_cells = image.shape[-1]
    stride = 2 ** int(np.log2(max(n_frames / n_cells, 1)))
    size = (dim, n_cells * stride)
    values = torch.nn.functional.interpolate(image, size, mode="bilinear")[0, 0].T.numpy()[:n_frames]
    return np.pad(values, ((0, n_frames - len(values)), (0, 0)), mode="edge")


def _saliency(model: Classifier, values: Values, audio: Audio) -> Saliency:
    """Return a map over the frames of a recording, which are spread evenly over it."""
    seconds = len(audio) / model.extractor.sample_rate
    times = (np.arange(len(values)) + 0.5) * seconds / len(values)
    frequencies = getattr(model.extractor, "frequencies", None)
    if frequencies is None:
        return Saliency(times, None, values.sum(axis=1, dtype=np.float64))
    return Saliency(times, np.asarray(frequencies), values.astype(np.float64))
