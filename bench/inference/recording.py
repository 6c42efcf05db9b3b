"""Recording: samples from a microphone, through miniaudio."""

from __future__ import annotations

import importlib.util
import queue
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import audio
from bench.errors import UsageError
from bench.types import Audio

RATE = 16_000
"""Rate of recordings, in Hz."""

LONGEST_S = 3600.0
"""Longest recording, in s: 115 MB."""

BLOCK_MS = 50
"""Length of the blocks that a device hands over, in ms."""

SILENT_S = 5.0
"""Time without a block after which a device counts as dead, in s."""

NULL = "null"
"""Name of miniaudio's null device, which records silence on any machine."""

INSTALLATION = 'pip install "audio-embedding-bench[record]"'

MICS = "bench predict --mics lists the microphones"

OnLevel = Callable[[float, float], object]
"""Called with the recorded time in s, and the level of the newest part in dB relative to full scale."""


def devices() -> tuple[str, ...]:
    """Return the names of the microphones of this machine.

    Raises
    ------
    UsageError
        If miniaudio is not installed.
    """
    return tuple(_microphones())


def record(seconds: float, mic: str | None = None, on_level: OnLevel | None = None) -> Audio:
    """Return what a microphone records; Ctrl-C ends early and returns what there is.

    Parameters
    ----------
    seconds : float
        Length, in s.
    mic : str | None
        Name of a microphone or a part of it; None for the system's default. ``null`` is miniaudio's null
        device, which records silence.
    on_level : Callable[[float, float], object] | None
        Called some 20 times a second.

    Returns
    -------
    Audio
        Mono, at `RATE`, shape=(n_samples,), in [-1, 1): whole steps of 16 bits.

    Raises
    ------
    UsageError
        If miniaudio is not installed, there is no such microphone or none at all, the length is out of
        range, or nothing was recorded.
    """
    if not 0 < seconds <= LONGEST_S:
        raise UsageError(f"--record {seconds:g}: expected more than 0 and at most {LONGEST_S:g} s")
    miniaudio = _miniaudio()
    blocks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    try:
        with miniaudio.CaptureDevice(
            input_format=miniaudio.SampleFormat.SIGNED16,
            nchannels=1,
            sample_rate=RATE,
            buffersize_msec=BLOCK_MS,
            **_device(miniaudio, mic),
        ) as device:
            device.start(_receiver(blocks))
            parts = _collect(blocks, round(seconds * RATE), on_level)
    except miniaudio.MiniaudioError as error:
        name = f"--mic {mic}" if mic else "no microphone"
        raise UsageError(
            f"{name}: cannot record ({error.args[0]}); {MICS}, --mic NAME chooses one"
        ) from error
    if not parts:
        raise UsageError(f"--record {seconds:g}: nothing was recorded; {MICS}, --mic NAME chooses one")
    return _scaled(np.concatenate(parts)[: round(seconds * RATE)])


def save(samples: Audio, path: Path) -> None:
    """Write a recording as a WAV file that holds the same samples."""
    audio.write(path, np.round(samples * 32768).astype(np.int16), RATE)


def _collect(
    blocks: queue.SimpleQueue[bytes], n_samples: int, on_level: OnLevel | None
) -> Sequence[npt.NDArray[np.int16]]:
    """Return the blocks of a device, up to a number of samples, until Ctrl-C or until none come."""
    parts: list[npt.NDArray[np.int16]] = []
    n_recorded = 0
    try:
        while n_recorded < n_samples:
            part = np.frombuffer(blocks.get(timeout=SILENT_S), dtype=np.int16)
            parts.append(part)
            n_recorded += len(part)
            if on_level:
                on_level(min(n_recorded, n_samples) / RATE, level_db(_scaled(part)))
    except (KeyboardInterrupt, queue.Empty):
        pass
    return parts


def _scaled(part: npt.NDArray[np.int16]) -> Audio:
    """Return samples of 16 bits in [-1, 1)."""
    return part.astype(np.float32) / np.float32(32768)


def level_db(samples: Audio) -> float:
    """Return the root mean square of samples in dB relative to full scale, at least -96: one 16-bit step."""
    power = float(np.mean(np.square(samples))) if len(samples) else 0.0
    return max(10 * float(np.log10(max(power, 1e-12))), -96.0)


def _receiver(blocks: queue.SimpleQueue[bytes]) -> Generator[None, bytes, None]:
    """Return a started generator, for the device's thread, that puts its blocks into a queue."""

    def receive() -> Generator[None, bytes, None]:
        while True:
            blocks.put(bytes((yield)))

    receiver = receive()
    next(receiver)
    return receiver


def _device(miniaudio: Any, mic: str | None) -> dict[str, Any]:
    """Return the arguments that choose a device.

    Raises
    ------
    UsageError
        If no microphone has the name, or several do.
    """
    if mic == NULL:
        return {"backends": [miniaudio.Backend.NULL]}
    microphones = _microphones()
    if not microphones:
        raise UsageError(f"--record: this machine has no microphone; connect one, or name a file; {MICS}")
    backends = {"backends": _backends(miniaudio)}
    if mic is None:
        return backends
    names = [mic] if mic in microphones else [name for name in microphones if mic.lower() in name.lower()]
    if len(names) != 1:
        fault = "several microphones have this name" if names else "no such microphone"
        raise UsageError(f"--mic {mic}: {fault}; expected one of {', '.join(names or microphones)}")
    return {**backends, "device_id": microphones[names[0]]}


def _microphones() -> dict[str, Any]:
    """Return name -> id of the microphones; the null device of ALSA is none."""
    miniaudio = _miniaudio()
    try:
        context = miniaudio.Devices(_backends(miniaudio))
        captures = context.get_captures()
    except miniaudio.MiniaudioError:
        return {}
    null = f"{NULL}\0".encode()
    return {
        capture["name"]: capture["id"]
        for capture in captures
        if not bytes(miniaudio.ffi.buffer(capture["id"])).startswith(null)
    }


def _backends(miniaudio: Any) -> list[Any]:
    """Return the systems for sound that record something: all but the null device."""
    return [backend for backend in miniaudio.Backend if backend != miniaudio.Backend.NULL]


def _miniaudio() -> Any:
    """Return the module miniaudio.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    if importlib.util.find_spec("miniaudio") is None:
        raise UsageError(f"--record: needs miniaudio; run: {INSTALLATION}")
    import miniaudio

    return miniaudio
