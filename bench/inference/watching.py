"""Watching: new audio files in a folder, once they are complete."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import audio
from bench.errors import UsageError

POLL_S = 1.0
"""Time between two looks, in s."""

Wait = Callable[[float], object]
"""A function that returns after a number of s."""

_Stamp = tuple[int, int, int]
"""Size, time of the last change in ns, and inode of a file."""


def files(folder: Path, wait: Wait | None = None) -> Iterator[Path]:
    """Yield the audio files of a folder and those that arrive, until Ctrl-C.

    A file is complete if it is not empty and two looks find the same size and time of change. Files that
    are there at the start come first, then new ones and those that were replaced. Files and folders whose
    name starts with a point are left out, and so is what has no suffix of audio, such as ``a.wav.part``.

    Parameters
    ----------
    wait : Callable[[float], object] | None
        Waits between two looks; None for `POLL_S` by the clock.

    Raises
    ------
    UsageError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"--watch {folder}: no such folder; expected one that audio files are written to")
    return _arrivals(folder, wait or threading.Event().wait)


def _arrivals(folder: Path, wait: Wait) -> Iterator[Path]:
    """Yield the complete files, look by look."""
    reported: dict[Path, _Stamp] = {}
    before: dict[Path, _Stamp] = {}
    while True:
        stamps = _look(folder)
        reported = {path: stamp for path, stamp in reported.items() if path in stamps}
        for path, stamp in stamps.items():
            if before.get(path) == stamp != reported.get(path):
                reported[path] = stamp
                yield path
        before = stamps
        try:
            wait(POLL_S)
        except KeyboardInterrupt:
            return


def _look(folder: Path) -> dict[Path, _Stamp]:
    """Return the stamps of the audio files in a folder and below it, by name; empty files are left out."""
    stamps: dict[Path, _Stamp] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or path.suffix.lower() not in audio.SUFFIXES:
                continue
            try:
                status = path.stat()
            except OSError:  # removed meanwhile
                continue
            if status.st_size:
                stamps[path] = status.st_size, status.st_mtime_ns, status.st_ino
    return stamps
