"""Runtimes of networks: torch, or OpenVINO on the CPU."""

import ctypes
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import cast

import numpy as np
import torch

from bench.types import Frames

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Options of mallopt, as in glibc's malloc.h."""

MALLOC_THRESHOLD = 2**30
"""In bytes: larger than the output of a layer for one batch."""


def prepare(
    network: torch.nn.Module, example: torch.Tensor, runtime: str, precision: str, device: str
) -> Callable[..., Frames]:
    """Return a function that runs a network on batches, without gradients.

    Parameters
    ----------
    network : torch.nn.Module
        A network that returns one tensor.
    example : torch.Tensor
        A batch of the network's first input, with which OpenVINO traces the network. Later batches may have
        any number of clips of any length.
    runtime : str
        ``torch``, or ``openvino``, whose function accepts no second input, such as a mask.
    precision : str
        ``fp32`` or ``bf16``.
    device : str
        A device of torch, such as ``cpu`` or ``cuda``.

    Notes
    -----
    In ``fp32``, convolutions do not round to TF32, as cuDNN does by default.

    Raises
    ------
    MemoryError
        If a batch does not fit into the memory of the GPU; raised by the function.
    """
    if runtime == "openvino":
        return _compile(network, example, precision)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    network = network.to(device, dtype).eval()
    if torch.device(device).type == "cpu":
        _reuse_memory()

    return TorchNetwork(network, dtype, device)


@dataclass(frozen=True, slots=True)
class TorchNetwork:
    """A network that torch runs on batches without gradients; explanations take the network itself."""

    network: torch.nn.Module
    dtype: torch.dtype
    device: str

    def __call__(self, values: torch.Tensor, *masks: torch.Tensor) -> Frames:
        """Return the output for a batch, as float32."""
        try:
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                states = self.network(
                    values.to(self.device, self.dtype), *(mask.to(self.device) for mask in masks)
                )
                return np.asarray(states.float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            message = str(error)
        # The traceback of torch's error refers to the tensors of the batch, so that it must not be the cause.
        raise MemoryError(message)


def _compile(network: torch.nn.Module, example: torch.Tensor, precision: str) -> Callable[..., Frames]:
    """Return a function that runs a network with OpenVINO."""
    # Else `convert_model` starts a process that tells Google Analytics about the network. OpenVINO replaces a
    # package that cannot be imported with a stub, and has no other switch that is not a file in the home.
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
    import openvino  # optional

    for module in network.modules():
        if hasattr(
            type(module), "loss_function"
        ):  # tracing reads it, and transformers warns that there is none
            module.loss_function = None
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing warns of branches on lengths, which the tests cover
        shape = openvino.PartialShape([-1, *example.shape[1:-1], -1])
        converted = openvino.convert_model(network.eval(), example_input=(example,), input=[shape])
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    compiled = openvino.Core().compile_model(converted, "CPU", hint)

    def run(values: torch.Tensor) -> Frames:
        return np.asarray(compiled(values.numpy())[0])

    return run


def _reuse_memory() -> None:
    """Let malloc keep the memory that a layer frees for the next layer.

    By default, glibc returns large blocks to the kernel, which fills them with zeros before their next use.
    That is about 10 % of a transformer's time. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, MALLOC_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, MALLOC_THRESHOLD)
