"""The way from frames to a label's log-odds as one differentiable function of torch."""

from typing import Any

import numpy as np
import torch

from bench.embed import pooling
from bench.embed.layers import select_layer
from bench.inference.explanations.explanation import Classifier, has_gradient
from bench.types import UNPOOLED, Audio, Extractor, Frames, Traits

TOLERANCE = 1e-3
"""Largest difference of a probability from that of the pipeline itself."""

MIN_VARIANCE = 1e-8
"""Smallest variance over time whose root has a gradient."""


class Chain(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """Frames of every layer -> log-odds of a label, with the gradient of the steps and the head.

    Parameters
    ----------
    label : str
        Label that it gives the log-odds of: its logit minus the log of the sum of the others' exponentials.

    Raises
    ------
    NotImplementedError
        If a step or the head has no gradient here.
    """

    def __init__(self, model: Classifier, label: str) -> None:
        super().__init__()
        self.head = _head(model.pipeline[-1])
        self.steps = [_step(step) for _, step in model.pipeline.steps[:-1] if not isinstance(step, str)]
        self.unit, self.view = model.unit, model.view
        self.n_layers = Traits.of(model.extractor).n_layers or 1
        self.position = [str(name) for name in model.pipeline[-1].classes_].index(label)

    def forward(self, layers: Any) -> Any:
        """Return the log-odds of the label, of single frames their mean, shape=(n_clips,).

        Parameters
        ----------
        layers : torch.Tensor
            As `as_layers` returns them, shape=(n_clips, n_layers, n_frames, dim).
        """
        logits = self.logits(layers)
        others = logits.clone()
        others[..., self.position] = -torch.inf
        odds = logits[..., self.position] - others.logsumexp(-1)
        return odds.mean(1) if odds.ndim > 1 else odds

    def logits(self, layers: Any) -> Any:
        """Return the logits, shape=(n_clips, n_classes), of single frames (n_clips, n_frames, n_classes)."""
        features = self._features(layers)
        for step in self.steps:
            features = step(features)
        if self.unit == "sequence":
            return self.head(features, torch.full((len(features),), features.shape[1]))
        if self.unit == "frame":
            return self.head(features.flatten(0, 1)).unflatten(0, features.shape[:2])
        return self.head(features)

    def _features(self, layers: Any) -> Any:
        """Return what the pipeline gets: frames, vectors, or vectors per layer."""
        name = self.view.layer
        if name in {"all", "best"}:
            pooled = [_pool(layers[:, i], self.view.pool) for i in range(self.n_layers)]
            return torch.stack(pooled, dim=1)
        if name == "mean":
            frames = layers[:, : self.n_layers].mean(dim=1)
        else:
            frames = layers[:, -1 if name == "last" else name]
        return frames if self.unit in {"sequence", "frame"} else _pool(frames, self.view.pool)


class EndToEnd(torch.nn.Module):  # type: ignore[misc]
    """Input of an extractor's network -> log-odds of a label.

    Parameters
    ----------
    shape : tuple[int, ...]
        Layers, frames of the clip itself, and dim, of what `as_layers` returns for the clip.
    """

    def __init__(self, network: Any, chain: Chain, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.chain, self.shape = network, chain, shape

    def forward(self, values: Any) -> Any:
        """Return the log-odds, shape=(n_clips,)."""
        return self.chain(self.layers(values))

    def layers(self, values: Any) -> Any:
        """Return the layers of frames, shape=(n_clips, n_layers, n_frames, dim)."""
        weight = next(self.network.parameters())
        layers = self.network(values.to(weight.device, weight.dtype)).float().cpu()
        if layers.ndim != 4:
            raise NotImplementedError
        layers = layers[:, :, : self.shape[1]]
        # As in `as_layers`: the last layer stands for a last hidden state.
        return layers if layers.shape[1] == self.shape[0] else torch.cat([layers, layers[:, -1:]], dim=1)

    def check(self, values: Any, layers: Frames) -> None:
        """Compare the network's layers with those of the extractor.

        Raises
        ------
        NotImplementedError
            If they differ: the extractor does more to the output of the network than to cut it.
        """
        with torch.no_grad():
            actual = self.layers(values)[0].numpy()
        limit = TOLERANCE * np.abs(layers).max()
        if actual.shape != layers.shape or not np.abs(actual - layers).max() <= limit:
            raise NotImplementedError


def network_of(extractor: Extractor) -> Any:
    """Return the network of an extractor that torch runs; None for an extractor without one."""
    runtimes = (getattr(value, "network", None) for value in getattr(extractor, "__dict__", {}).values())
    return next((network for network in runtimes if isinstance(network, torch.nn.Module)), None)


def network_input(network: Any, extractor: Extractor, audio: Audio) -> Any:
    """Return the input that a network gets while an extractor embeds a clip."""
    inputs: list[Any] = []
    handle = network.register_forward_pre_hook(
        lambda _, values: inputs.append(values[0].float().cpu().numpy())
    )
    try:
        extractor.embed([audio])
    finally:
        handle.remove()
    return torch.tensor(inputs[0])


def check(chain: Chain, model: Classifier, layers: Frames) -> None:
    """Compare the probabilities of a chain with those of the pipeline.

    Parameters
    ----------
    layers : Frames
        A clip's frames as `as_layers` returns them.

    Raises
    ------
    NotImplementedError
        If they differ by more than `TOLERANCE`: a step or the head does something else than the chain.
    """
    if model.unit in {"sequence", "frame"}:
        frames = select_layer(layers, model.view.layer)
        X: Any = [frames] if model.unit == "sequence" else frames
    else:
        has_layers = model.view.layer in {"all", "best"}
        vectors = pooling.every_layer if has_layers else pooling.select
        X = vectors([pooling.summarise(layers)], model.view)
    expected = np.asarray(model.pipeline.predict_proba(X))
    with torch.no_grad():
        logits = chain.logits(torch.as_tensor(layers)[None])
    actual = logits.softmax(-1).reshape(-1, logits.shape[-1]).numpy()
    if actual.shape != expected.shape or not np.abs(actual - expected).max() <= TOLERANCE:
        raise NotImplementedError


def _pool(frames: Any, pool: str) -> Any:
    """Return the pooled frames, shape=(n_clips, dim * n_statistics)."""
    if pool == UNPOOLED:
        raise NotImplementedError
    statistics = {
        "mean": lambda: frames.mean(dim=1),
        "std": lambda: frames.var(dim=1, correction=0).clamp_min(MIN_VARIANCE).sqrt(),
        "max": lambda: frames.amax(dim=1),
        "first": lambda: frames[:, 0],
    }
    return torch.cat([statistics[name]() for name in pooling.POOLINGS[pool]], dim=-1)


def _step(step: Any) -> Any:
    """Return a fitted step as a function of tensors."""
    transformer = getattr(step, "transformer_", step)
    name = type(transformer).__name__
    if name == "LayerSelector":
        return lambda x: x[:, transformer.layer]
    if name in {"StandardScaler", "LimitedScaler"}:
        mean, scale = _tensor(transformer.mean_), _tensor(transformer.scale_)
        limit = getattr(transformer, "limit", torch.inf)
        return lambda x: ((_flat(x, mean) - mean) / scale).clamp(-limit, limit).reshape(x.shape)
    if name == "PCA" and not transformer.whiten:
        mean, components = _tensor(transformer.mean_), _tensor(transformer.components_)
        return lambda x: (_flat(x, mean) - mean) @ components.T
    raise NotImplementedError


def _flat(x: Any, mean: Any) -> Any:
    """Return layers as one vector where a step was fitted to such vectors."""
    return x if x.shape[-1] == len(mean) else x.flatten(1)


def _head(head: Any) -> Any:
    """Return a fitted head as a function of tensors that returns logits."""
    if hasattr(head, "module_"):
        device = next(head.module_.parameters()).device
        return lambda *inputs: head.module_(*(tensor.to(device) for tensor in inputs)).cpu()
    if not has_gradient(head):
        raise NotImplementedError
    weight, bias = _tensor(head.coef_), _tensor(np.atleast_1d(head.intercept_))

    def logits(x: Any) -> Any:
        values = x @ weight.T + bias
        return torch.cat([torch.zeros_like(values), values], dim=-1) if len(weight) == 1 else values

    return logits


def _tensor(values: Any) -> Any:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)
