"""What runs a network: torch, or OpenVINO on the CPU."""

import ctypes
import sys
import warnings
from collections.abc import Callable

import numpy as np
import torch

from bench.types import Frames

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's malloc.h."""

LARGE = 2**30
"""In bytes: larger than what a layer makes of a batch."""


def prepared(
    network: torch.nn.Module, example: torch.Tensor, runtime: str, precision: str, device: str
) -> Callable[..., Frames]:
    """Return a function that runs a network on batches without gradients.

    Parameters
    ----------
    network : torch.nn.Module
        Returns one tensor.
    example : torch.Tensor
        A batch of its first input, by which OpenVINO follows what the network does; batches may have any
        number of clips of any length.
    runtime : str
        ``torch``, or ``openvino``, which passes on no second input, such as a mask.
    precision : str
        ``fp32`` or ``bf16``.
    device : str
        As torch calls it.
    """
    if runtime == "openvino":
        return _converted(network, example, precision)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    network = network.to(device, dtype).eval()
    if torch.device(device).type == "cpu":
        _reuse_memory()

    def run(values: torch.Tensor, *more: torch.Tensor) -> Frames:
        try:
            with torch.inference_mode():
                states = network(values.to(device, dtype), *(each.to(device) for each in more))
                return np.asarray(states.float().cpu().numpy())
        except torch.OutOfMemoryError as error:
            raise MemoryError(str(error)) from error

    return run


def _converted(network: torch.nn.Module, example: torch.Tensor, precision: str) -> Callable[..., Frames]:
    """Return a function that runs a network in OpenVINO's form."""
    import openvino  # optional

    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # tracing warns of branches on lengths, which the tests hold
        shape = openvino.PartialShape([-1, *example.shape[1:-1], -1])
        converted = openvino.convert_model(network.eval(), example_input=(example,), input=[shape])
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    compiled = openvino.Core().compile_model(converted, "CPU", hint)

    def run(values: torch.Tensor) -> Frames:
        return np.asarray(compiled(values.numpy())[0])

    return run


def _reuse_memory() -> None:
    """Let malloc keep what a layer frees for the next one.

    By default, glibc returns large blocks to the kernel, which fills them with zeros when they are asked for
    again: about a tenth of the time that a transformer takes. See mallopt(3).
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_TRIM_THRESHOLD, LARGE)
