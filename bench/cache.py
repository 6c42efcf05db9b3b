"""Pooled embeddings on disk, by content: one folder per extractor, one Arrow file per batch.

A row is the digest of a clip's content, the seconds its embedding took, its length and its statistics.
Files are written beside their place and renamed, so that neither a reader nor a kill meets half of one.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bench.errors import UsageError
from bench.types import Statistics

FORMAT = "v1"


@dataclass(frozen=True, slots=True)
class Embedded:
    """One clip's statistics of every layer, its length and what the embedding took, in s."""

    statistics: Statistics
    audio_s: float
    extract_s: float


class Cache:
    """The embeddings below a root, which may be a folder or any URL that fsspec opens.

    Raises
    ------
    UsageError
        If the root cannot be written.
    """

    def __init__(self, root: str) -> None:
        self._files, path = fsspec.core.url_to_fs(root)
        self._root = f"{path}/embeddings-{FORMAT}"
        try:
            self._files.makedirs(self._root, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"{root}: cannot be written ({error}); set BENCH_CACHE to another folder"
            ) from error

    def read(self, extractor: str) -> Mapping[str, Embedded]:
        """Return everything kept for an extractor's digest: content digest -> embedding."""
        folder = f"{self._root}/{extractor}"
        found: dict[str, Embedded] = {}
        if not self._files.isdir(folder):
            return found
        for path in sorted(self._files.glob(f"{folder}/*.arrow")):
            try:
                with self._files.open(path, "rb") as file, pa.ipc.open_file(file) as reader:
                    found.update(_rows(reader.read_all()))
            except pa.ArrowInvalid:
                continue  # a damaged file is as good as absent: its clips are embedded again
        return found

    def write(self, extractor: str, batch: Mapping[str, Embedded]) -> None:
        """Keep the embeddings of a batch under an extractor's digest.

        Raises
        ------
        UsageError
            If the disk is full or the root has gone.
        """
        folder = f"{self._root}/{extractor}"
        name = uuid.uuid4().hex
        try:
            self._files.makedirs(folder, exist_ok=True)
            with self._files.open(f"{folder}/{name}.part", "wb") as file:
                table = _table(batch)
                with pa.ipc.new_file(file, table.schema) as writer:
                    writer.write_table(table)
            self._files.mv(f"{folder}/{name}.part", f"{folder}/{name}.arrow")
        except OSError as error:
            raise UsageError(
                f"{folder}: cannot be written ({error}); free some space or set BENCH_CACHE"
            ) from error


def _table(batch: Mapping[str, Embedded]) -> pa.Table:
    statistics = np.stack([embedded.statistics for embedded in batch.values()])
    flat = pa.FixedSizeListArray.from_arrays(pa.array(statistics.ravel()), statistics[0].size)
    columns = {
        "content": pa.array(list(batch)),
        "audio_s": pa.array([embedded.audio_s for embedded in batch.values()]),
        "extract_s": pa.array([embedded.extract_s for embedded in batch.values()]),
        "statistics": flat,
    }
    shape = ",".join(map(str, statistics.shape[1:]))
    return pa.table(columns).replace_schema_metadata({"shape": shape})


def _rows(table: pa.Table) -> Mapping[str, Embedded]:
    shape = [int(n) for n in table.schema.metadata[b"shape"].decode().split(",")]
    values: npt.NDArray[np.float32] = table["statistics"].combine_chunks().flatten().to_numpy()
    columns: Sequence[list[float]] = [table[name].to_pylist() for name in ("audio_s", "extract_s")]
    rows = zip(table["content"].to_pylist(), values.reshape(-1, *shape), *columns, strict=True)
    return {
        content: Embedded(statistics, audio_s, extract_s) for content, statistics, audio_s, extract_s in rows
    }
