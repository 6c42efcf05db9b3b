"""Devices, runtimes and precisions of networks, and the number of threads."""

import ctypes
import importlib.util
import os
import sys
from pathlib import Path

from bench.catalog.requirements import installation
from bench.errors import UsageError

CPU_FLAGS = Path("/proc/cpuinfo")
"""File of Linux that lists what the processor can do."""

ROCM = Path("/dev/kfd")
"""Driver of AMD's GPUs on Linux."""


def threads() -> int:
    """Return the number of threads for this process: OMP_NUM_THREADS, or else its cores."""
    import joblib  # loads numpy, which `bench --help` does not need

    return int(os.environ.get("OMP_NUM_THREADS") or joblib.cpu_count())


def resolve(device: str, precision: str) -> tuple[str, str]:
    """Return a device and a precision that this machine has; torch is loaded where a GPU may be.

    Parameters
    ----------
    device : str
        Name in torch, such as ``cuda:1``; ``auto`` is the first GPU, or ``cpu`` without a GPU.
    precision : str
        ``fp32``, ``bf16``, or ``auto``: bf16 if the device computes in it natively, else fp32.

    Raises
    ------
    UsageError
        If the machine does not have the device.
    """
    if device == "auto" and not _has_gpu_driver():
        device = "cpu"
    if device == "cpu" and precision != "auto":
        return device, precision
    if device == "cpu" and CPU_FLAGS.is_file():
        return device, "bf16" if "avx512_bf16" in CPU_FLAGS.read_text(encoding="utf-8").split() else "fp32"
    import torch  # optional: only extractors with weights need it

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(f"--device {device}: is not here; expected auto, cpu or cuda") from error
    if precision == "auto":
        on_cpu = torch.device(device).type == "cpu"
        native = torch.cpu._is_avx512_bf16_supported() if on_cpu else torch.cuda.is_bf16_supported(False)
        precision = "bf16" if native else "fp32"
    return device, precision


def _has_gpu_driver() -> bool:
    """Return whether torch may find a GPU here, without loading torch, which takes seconds."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return ROCM.exists()
    return True


def runtime(option: str, device: str) -> str:
    """Return ``torch`` or ``openvino``; ``auto`` is OpenVINO on a CPU if it is installed.

    Raises
    ------
    UsageError
        If the option is OpenVINO and it is not installed, or the device is no CPU.
    """
    on_cpu = device.partition(":")[0] == "cpu"
    installed = importlib.util.find_spec("openvino") is not None
    if option == "openvino" and not on_cpu:
        raise UsageError(f"--runtime openvino: runs on the CPU, not on {device}; add --device cpu")
    if option == "openvino" and not installed:
        raise UsageError(f"--runtime openvino: run: {installation('openvino')}")
    return "openvino" if option != "torch" and on_cpu and installed else "torch"
