"""Where networks run, and in which precision."""

from bench.errors import UsageError

PRECISIONS = ("fp32", "bf16", "auto")


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
