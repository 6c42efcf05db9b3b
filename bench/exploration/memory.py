"""Memory: what an analysis computed, on disk by everything that changes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np

from bench.files import replacing
from bench.keys import digest

FORMAT = "explore-v1"
"""Folder below the cache; a new name for a new format."""

LIBRARIES = ("numpy", "scikit-learn", "scipy", "umap-learn")
"""Libraries whose versions are part of every key."""

ROOMS = ("exploration", "learn", "metrics", "splits", "stats")
"""Rooms whose code computes the results; it is part of every key."""

T = TypeVar("T")


class Memory:
    """Results of analyses below a folder.

    Parameters
    ----------
    folder : Path
        Home of the cache.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FORMAT
        self._versions = {name: version(name) for name in LIBRARIES} | {"code": _code()}

    def recall(self, kind: type[T], key: Mapping[str, Any], compute: Callable[[], T]) -> T:
        """Return a result from an earlier call with the same key, or compute and store it.

        A damaged file counts as absent, and so does a folder that cannot be written.

        Parameters
        ----------
        kind : type
            A frozen dataclass of arrays, numbers, texts and mappings.
        key : Mapping[str, Any]
            Everything that changes the result besides the code of `ROOMS` and the versions of libraries.
        """
        name = digest([kind.__module__, kind.__qualname__, dict(key), self._versions])
        path = self._folder / f"{name}.msgpack"
        with suppress(OSError, msgspec.DecodeError, ValueError, TypeError):
            data = path.read_bytes()
            if hashlib.sha256(data[32:]).digest() == data[:32]:
                return msgspec.msgpack.decode(data[32:], type=kind, dec_hook=_array)
        result = compute()
        data = msgspec.msgpack.encode(result, enc_hook=_fields)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                part.write_bytes(hashlib.sha256(data).digest() + data)
        return result


def _code() -> str:
    """Return the digest of the code of `ROOMS`."""
    package = Path(__file__).parents[1]
    sources = [source for room in ROOMS for source in sorted((package / room).rglob("*.py"))]
    return digest([hashlib.sha256(source.read_bytes()).hexdigest() for source in sources])


def _fields(value: Any) -> Any:
    """Return what stands for an array in a file."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return {"text": value.tolist()}
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": value.shape, "data": value.tobytes()}
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"{type(value).__name__} has no form in a file")


def _array(kind: type, value: Any) -> Any:
    """Return the array that `_fields` stands for."""
    if "text" in value:
        return np.array(value["text"], dtype=str)
    return np.frombuffer(value["data"], dtype=value["dtype"]).reshape(value["shape"]).copy()
