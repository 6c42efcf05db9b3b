"""Cache: embeddings on disk by content, one folder per extractor, one Arrow file per batch.

A row of embeddings is the digest of a clip's content, its length, its usage and its statistics. A row of
frames is the digest and the frames; frames are stored apart, by layer, since they are large and few heads
need them. A file is written under another name and renamed, so that no reader sees half of it.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from fsspec.implementations.local import LocalFileSystem

from bench.embed import pooling
from bench.errors import UsageError
from bench.types import Frames, Layer, Statistics, Usage

FORMAT = "v4"

USAGE = pa.struct([(field.name, pa.float64()) for field in fields(Usage)])

NAME = "name.txt"
"""File that holds the name of an extractor."""

UNNAMED = ("mean", "std", "max", "first")
"""Statistics in a file whose metadata names none."""


@dataclass(frozen=True, slots=True)
class ClipEmbedding:
    """What an extractor returns for one clip.

    Parameters
    ----------
    statistics : Statistics
        In the order of `pooling.STATISTICS`.
    audio_s : float
        Length of the clip, in s.
    usage : Usage
        The clip's share of its batch.
    params : int | None
        Number of parameters of the extractor's network; None if the extractor does not state it.
    frames : Mapping[Layer, Frames]
        Frames of the layers that a head needs, shape=(n_frames, dim).
    """

    statistics: Statistics
    audio_s: float
    usage: Usage
    params: int | None = None
    frames: Mapping[Layer, Frames] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """Size of what the cache holds of one extractor.

    Parameters
    ----------
    digest : str
        The extractor's digest.
    n_bytes : int
        Of embeddings and frames together.
    modified : float
        Time of the last change, in s since 1970.
    """

    extractor: str
    digest: str
    n_clips: int
    n_bytes: int
    modified: float


class Cache:
    """The embeddings below a `root`, which may be a folder or any URL that fsspec opens.

    Raises
    ------
    UsageError
        If the root cannot be written.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._files, self._root = fsspec.core.url_to_fs(root)
        try:
            self._files.makedirs(self._folder("embeddings"), exist_ok=True)
        except OSError as error:
            reason = f"cannot be written ({error}); set BENCH_CACHE to another folder"
            raise UsageError(f"{root}: {reason}") from error

    def contents(self, extractor: str, frame_layers: Collection[Layer] = ()) -> set[str]:
        """Return the contents that have every statistic, and frames of some layers, under a digest."""
        tables = [self._embeddings(extractor)]
        tables += [self._tables(self._folder("frames", extractor, str(layer))) for layer in frame_layers]
        return set.intersection(
            *({content for table in folder for content in table["content"].to_pylist()} for folder in tables)
        )

    def read(self, extractor: str, contents: Collection[str]) -> Mapping[str, ClipEmbedding]:
        """Return the embeddings of some contents under an extractor's digest, without frames."""
        values = pa.array(contents, pa.string())
        embeddings: dict[str, ClipEmbedding] = {}
        for table in self._embeddings(extractor):
            rows = np.flatnonzero(pc.is_in(table["content"], values))
            embeddings.update(_rows(table, rows))
        return embeddings

    def read_frames(self, extractor: str, layer: Layer, contents: Collection[str]) -> Mapping[str, Frames]:
        """Return the frames of a layer of some contents under an extractor's digest."""
        values = pa.array(contents, pa.string())
        frames: dict[str, Frames] = {}
        for table in self._tables(self._folder("frames", extractor, str(layer))):
            for row in np.flatnonzero(pc.is_in(table["content"], values)).tolist():
                flat, shape = table["frames"][row].values.to_numpy(), table["shape"][row].as_py()
                frames[table["content"][row].as_py()] = flat.reshape(shape)
        return frames

    def write(self, extractor: str, batch: Mapping[str, ClipEmbedding]) -> None:
        """Store the embeddings of a batch, and their frames, under an extractor's digest.

        Raises
        ------
        UsageError
            If the disk is full or the root does not exist any more.
        """
        for layer in {layer for embedding in batch.values() for layer in embedding.frames}:
            frames = {content: embedding.frames[layer] for content, embedding in batch.items()}
            self._write(self._folder("frames", extractor, str(layer)), _frames_table(frames))
        self._write(self._folder("embeddings", extractor), _table(batch))

    def describe(self, extractor: str, name: str) -> None:
        """Store an extractor's name beside the embeddings of its digest, for `entries`."""
        path = f"{self._folder('embeddings', extractor)}/{NAME}"
        if not self._files.exists(path):
            self._files.pipe_file(path, name.encode())

    def entries(self) -> list[CacheEntry]:
        """Return an entry per extractor's digest."""
        entries = []
        for path in sorted(self._files.ls(self._folder("embeddings"), detail=False)):
            digest = str(path).rstrip("/").rpartition("/")[2]
            folders = [self._folder(kind, digest) for kind in ("embeddings", "frames")]
            listings = [self._files.find(folder, detail=True) for folder in folders]
            sizes = {file: facts["size"] for listing in listings for file, facts in listing.items()}
            name_path = f"{folders[0]}/{NAME}"
            entries.append(
                CacheEntry(
                    extractor=self._files.cat_file(name_path).decode() if name_path in sizes else "",
                    digest=digest,
                    n_clips=len(self.contents(digest)),
                    n_bytes=sum(sizes.values()),
                    modified=max((self._files.modified(file).timestamp() for file in sizes), default=0.0),
                )
            )
        return entries

    def remove(self, extractor: str) -> None:
        """Remove the embeddings and frames of an extractor's digest."""
        for kind in ("embeddings", "frames"):
            folder = self._folder(kind, extractor)
            if self._files.isdir(folder):
                self._files.rm(folder, recursive=True)

    def _folder(self, kind: str, *extractor: str) -> str:
        return "/".join([self._root, f"{kind}-{FORMAT}", *extractor])

    def _embeddings(self, extractor: str) -> Iterator[pa.Table]:
        """Yield the files of an extractor that hold every statistic; its other clips are embedded again."""
        for table in self._tables(self._folder("embeddings", extractor)):
            if set(pooling.STATISTICS) <= set(_statistics_of(table)):
                yield table

    def _tables(self, folder: str) -> Iterator[pa.Table]:
        """Yield the files of a folder; the clips of a damaged file are embedded again."""
        for path in sorted(self._files.glob(f"{folder}/*.arrow")) if self._files.isdir(folder) else ():
            # A file mapped into memory takes memory only for the values that are used.
            local = isinstance(self._files, LocalFileSystem)
            try:
                with pa.memory_map(path) if local else self._files.open(path, "rb") as file:
                    yield pa.ipc.open_file(file).read_all()
            except pa.ArrowInvalid:
                continue

    def _write(self, folder: str, table: pa.Table) -> None:
        name = uuid.uuid4().hex
        try:
            self._files.makedirs(folder, exist_ok=True)
            with (
                self._files.open(f"{folder}/{name}.part", "wb") as file,
                pa.ipc.new_file(file, table.schema) as writer,
            ):
                writer.write_table(table)
            self._files.mv(f"{folder}/{name}.part", f"{folder}/{name}.arrow")
        except OSError as error:
            with suppress(OSError):  # half a file takes space on a full disk
                self._files.rm(f"{folder}/{name}.part")
            reason = f"cannot be written ({error}); free some space or set BENCH_CACHE"
            raise UsageError(f"{folder}: {reason}") from error


def _table(batch: Mapping[str, ClipEmbedding]) -> pa.Table:
    """Return the Arrow table of a batch; its metadata holds the statistics' names, and their shape."""
    statistics = np.stack([embedding.statistics for embedding in batch.values()])
    flat = pa.FixedSizeListArray.from_arrays(pa.array(statistics.ravel()), statistics[0].size)
    columns = {
        "content": pa.array(list(batch)),
        "audio_s": pa.array([embedding.audio_s for embedding in batch.values()]),
        "usage": pa.array([asdict(embedding.usage) for embedding in batch.values()], USAGE),
        "params": pa.array([embedding.params for embedding in batch.values()], pa.int64()),
        "statistics": flat,
    }
    metadata = {"shape": ",".join(map(str, statistics.shape[1:])), "statistics": ",".join(pooling.STATISTICS)}
    return pa.table(columns).replace_schema_metadata(metadata)


def _statistics_of(table: pa.Table) -> list[str]:
    """Return the names of the statistics in a file, in their order."""
    names = table.schema.metadata.get(b"statistics", b"").decode()
    return names.split(",") if names else list(UNNAMED)


def _rows(table: pa.Table, rows: npt.NDArray[np.intp]) -> Mapping[str, ClipEmbedding]:
    """Return the embeddings of some rows of a file; their statistics are not copied into memory."""
    shape = [int(n) for n in table.schema.metadata[b"shape"].decode().split(",")]
    # A file is one chunk; combine_chunks would copy it into memory.
    [chunk] = table["statistics"].chunks
    values: npt.NDArray[np.float32] = chunk.flatten().to_numpy().reshape(-1, *shape)
    names = _statistics_of(table)
    if names != list(pooling.STATISTICS):  # written by a version with other statistics besides these
        values = values[:, :, [names.index(name) for name in pooling.STATISTICS]]
    columns = table.select(["content", "audio_s", "usage", "params"]).take(rows).to_pylist()
    return {
        row["content"]: ClipEmbedding(
            statistics=values[n],
            audio_s=row["audio_s"],
            usage=Usage(**row["usage"]),
            params=row["params"],
        )
        for n, row in zip(rows.tolist(), columns, strict=True)
    }


def _frames_table(frames: Mapping[str, Frames]) -> pa.Table:
    """Return the Arrow table of the frames of one layer."""
    sizes = np.array([0, *(array.size for array in frames.values())])
    values = np.concatenate([array.ravel() for array in frames.values()])
    columns = {
        "content": pa.array(list(frames)),
        "shape": pa.array([list(array.shape) for array in frames.values()]),
        "frames": pa.LargeListArray.from_arrays(pa.array(np.cumsum(sizes)), pa.array(values)),
    }
    return pa.table(columns)
