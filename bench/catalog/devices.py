"""Where networks run, by what, and in which precision."""

import importlib.util
import os

from bench.errors import UsageError


def threads() -> int:
    """Return how many threads this process may keep busy: its cores, or OMP_NUM_THREADS if that is set."""
    import joblib  # loads numpy, which `bench --help` needs none of

    return int(os.environ.get("OMP_NUM_THREADS") or joblib.cpu_count())


def resolve(device: str, precision: str) -> tuple[str, str]:
    """Return a device and a precision that this machine has.

    Parameters
    ----------
    device : str
        As torch calls it, such as ``cuda:1``; ``auto`` for the first GPU if there is one, else ``cpu``.
    precision : str
        ``fp32``, ``bf16``, or ``auto`` for bf16 where the device computes in it by itself, else fp32.

    Raises
    ------
    UsageError
        If there is no such device.
    """
    import torch  # optional: only extractors with weights come here

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


def runtime(asked: str, device: str) -> str:
    """Return ``torch`` or ``openvino``; ``auto`` is OpenVINO on the CPU where it is installed.

    Raises
    ------
    UsageError
        If OpenVINO is asked for and not installed, or on another device.
    """
    on_cpu = device.partition(":")[0] == "cpu"
    installed = importlib.util.find_spec("openvino") is not None
    if asked == "openvino" and not on_cpu:
        raise UsageError(f"--runtime openvino: runs on the CPU, not on {device}; add --device cpu")
    if asked == "openvino" and not installed:
        raise UsageError('--runtime openvino: run: pip install "audio-embedding-bench[openvino]"')
    return "openvino" if asked != "torch" and on_cpu and installed else "torch"
