"""Transformers over the waveform, run by OpenVINO on the CPU."""

import warnings
from typing import Any

import numpy as np
import openvino
import torch

from bench.errors import PluginError
from bench.extractors.transformer import Transformer
from bench.types import Frames


class OpenVino(Transformer):
    """`Transformer`, converted to OpenVINO's form: the same frames but for rounding, in less time.

    Parameters
    ----------
    checkpoint, precision : str
        As in `Transformer`.
    device : str
        ``cpu``.
    """

    def __init__(self, checkpoint: str, precision: str = "fp32", device: str = "cpu") -> None:
        if device != "cpu":
            raise PluginError(f"{checkpoint}: OpenVINO runs on the CPU here; expected --device cpu")
        super().__init__(checkpoint)
        self.equal_lengths = True
        example = torch.zeros(1, max(2 * self.shortest, self.sample_rate))
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # tracing warns of branches on lengths, which the tests hold
            converted = openvino.convert_model(
                _States(self.model), example_input=(example,), input=[openvino.PartialShape([-1, -1])]
            )
        hint = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
        self.compiled = openvino.Core().compile_model(converted, "CPU", hint)

    def states(self, values: Any, _: Any) -> Frames:
        """Return the hidden states of a batch of equal lengths."""
        return np.asarray(self.compiled(values.numpy())[0])


class _States(torch.nn.Module):  # type: ignore[misc]  # torch counts as untyped
    """A model that returns nothing but its hidden states and the last one, stacked."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, values: Any) -> Any:
        output = self.model(values, output_hidden_states=True)
        return torch.stack([*output.hidden_states, output.last_hidden_state], dim=1)
