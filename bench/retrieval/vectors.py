"""Vectors: rows of float32 in a file that is mapped to be read, and only grows."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from zlib import crc32

import numpy as np

from bench.types import Embeddings
from bench.types.retrieval import Ids

VECTORS = "vectors.f32"

FLOAT = np.dtype("<f4")


def mapped(path: Path, n_rows: int, dim: int) -> Embeddings:
    """Return the first rows of a file, shape=(n_rows, dim), mapped for reading.

    Raises
    ------
    OSError, ValueError
        If the file is missing or shorter.
    """
    if not n_rows:  # an empty file cannot be mapped
        return np.empty((0, dim), FLOAT)
    return np.memmap(path, FLOAT, "r", shape=(n_rows, dim))


def append(path: Path, n_rows: int, vectors: Embeddings) -> None:
    """Write vectors, shape=(n, dim), behind the first rows of a file, and wait until they are on the disk.

    Whatever a killed writer left there is replaced.

    Raises
    ------
    OSError
        If they cannot be written; the first rows are as they were.
    """
    rows = np.ascontiguousarray(vectors, FLOAT)
    truncate(path, n_rows, rows.shape[1])
    with path.open("ab") as file:
        file.write(rows.data)
        file.flush()
        os.fsync(file.fileno())


def truncate(path: Path, n_rows: int, dim: int) -> None:
    """Remove what is behind the first rows of a file.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    os.truncate(path, n_rows * dim * FLOAT.itemsize)


def erase(path: Path, ids: Iterable[int], dim: int) -> None:
    """Overwrite rows with zeros, and wait until they are on the disk.

    Raises
    ------
    OSError
        If they cannot be written.
    """
    size = dim * FLOAT.itemsize
    with path.open("r+b") as file:
        for row in ids:
            file.seek(row * size)
            file.write(bytes(size))
        file.flush()
        os.fsync(file.fileno())


def checksums(vectors: Embeddings) -> Iterator[int]:
    """Yield the CRC-32 of every row."""
    for row in np.ascontiguousarray(vectors, FLOAT):
        yield crc32(row)


def remaining(n_rows: int, removed: Ids) -> Ids:
    """Return the rows that were not removed, ascending.

    Examples
    --------
    >>> remaining(4, np.array([1, 2]))
    array([0, 3])
    """
    is_there = np.ones(n_rows, bool)
    is_there[removed] = False
    return np.flatnonzero(is_there)
