"""Embeddings on disk, by content: one folder per extractor, one Arrow file per batch.

A row of embeddings is the digest of a clip's content, its length, what its embedding took and its
statistics. A row of frames, kept apart by layer since they are large and seldom needed, is the digest and
the frames. Files are written beside their place and renamed, so that neither a reader nor a kill meets half
of one.
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

from bench.errors import UsageError
from bench.types import Frames, Layer, Statistics, Usage

FORMAT = "v4"

USAGE = pa.struct([(field.name, pa.float64()) for field in fields(Usage)])

NAME = "name.txt"
"""The file that holds the name of an extractor."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What an extractor made of one clip.

    Parameters
    ----------
    audio_s : float
        The clip's length, in s.
    usage : Usage
        What the embedding took: the clip's part of its batch.
    params : int | None
        Of the extractor's network; None where the extractor does not say.
    frames : Mapping[Layer, Frames]
        Of every layer that a head needs them of, shape=(n_frames, dim).
    """

    statistics: Statistics
    audio_s: float
    usage: Usage
    params: int | None = None
    frames: Mapping[Layer, Frames] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """How much is kept of an extractor's digest, and when that was `modified`, in s since 1970."""

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

    def kept(self, extractor: str, framed: Collection[Layer] = ()) -> set[str]:
        """Return the contents that an extractor's digest has embeddings of, and frames of these layers."""
        folders = [self._folder("embeddings", extractor)]
        folders += [self._folder("frames", extractor, str(layer)) for layer in framed]
        return set.intersection(
            *({name for table in self._tables(f) for name in table["content"].to_pylist()} for f in folders)
        )

    def read(self, extractor: str, contents: Collection[str]) -> Mapping[str, Embedded]:
        """Return what is kept for an extractor's digest of some contents, but frames."""
        wanted = pa.array(contents, pa.string())
        found: dict[str, Embedded] = {}
        for table in self._tables(self._folder("embeddings", extractor)):
            rows = np.flatnonzero(pc.is_in(table["content"], wanted))
            found.update(_rows(table, rows))
        return found

    def read_frames(self, extractor: str, layer: Layer, contents: Collection[str]) -> Mapping[str, Frames]:
        """Return a layer's frames kept for an extractor's digest of those contents that there are any of."""
        wanted = pa.array(contents, pa.string())
        found: dict[str, Frames] = {}
        for table in self._tables(self._folder("frames", extractor, str(layer))):
            for row in np.flatnonzero(pc.is_in(table["content"], wanted)).tolist():
                values, shape = table["frames"][row].values.to_numpy(), table["shape"][row].as_py()
                found[table["content"][row].as_py()] = values.reshape(shape)
        return found

    def write(self, extractor: str, batch: Mapping[str, Embedded]) -> None:
        """Keep the embeddings of a batch, and the frames that all of it has, under an extractor's digest.

        Raises
        ------
        UsageError
            If the disk is full or the root has gone.
        """
        for layer in {layer for each in batch.values() for layer in each.frames}:
            framed = {content: each.frames[layer] for content, each in batch.items()}
            self._write(self._folder("frames", extractor, str(layer)), _frames_table(framed))
        self._write(self._folder("embeddings", extractor), _table(batch))

    def describe(self, extractor: str, name: str) -> None:
        """Keep an extractor's name beside the embeddings of its digest, for `contents`."""
        path = f"{self._folder('embeddings', extractor)}/{NAME}"
        if not self._files.exists(path):
            self._files.pipe_file(path, name.encode())

    def contents(self) -> list[Kept]:
        """Return what is kept of every extractor."""
        found = []
        for folder in sorted(self._files.ls(self._folder("embeddings"), detail=False)):
            digest = str(folder).rstrip("/").rpartition("/")[2]
            folders = [self._folder(kind, digest) for kind in ("embeddings", "frames")]
            listed = [self._files.find(each, detail=True) for each in folders]
            sizes = {path: entry["size"] for files in listed for path, entry in files.items()}
            named = f"{folders[0]}/{NAME}"
            name = self._files.cat_file(named).decode() if named in sizes else ""
            modified = max((self._files.modified(path).timestamp() for path in sizes), default=0.0)
            found.append(Kept(name, digest, len(self.kept(digest)), sum(sizes.values()), modified))
        return found

    def remove(self, extractor: str) -> None:
        """Throw away what is kept for an extractor's digest."""
        for kind in ("embeddings", "frames"):
            folder = self._folder(kind, extractor)
            if self._files.isdir(folder):
                self._files.rm(folder, recursive=True)

    def _folder(self, kind: str, *extractor: str) -> str:
        return "/".join([self._root, f"{kind}-{FORMAT}", *extractor])

    def _tables(self, folder: str) -> Iterator[pa.Table]:
        """Yield the files of a folder; a damaged one is as good as absent: its clips are embedded again."""
        for path in sorted(self._files.glob(f"{folder}/*.arrow")) if self._files.isdir(folder) else ():
            # Mapped into memory, a file takes none until its values are used.
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
            with suppress(OSError):  # on a full disk, half a file is in the way
                self._files.rm(f"{folder}/{name}.part")
            reason = f"cannot be written ({error}); free some space or set BENCH_CACHE"
            raise UsageError(f"{folder}: {reason}") from error


def _table(batch: Mapping[str, Embedded]) -> pa.Table:
    statistics = np.stack([embedded.statistics for embedded in batch.values()])
    flat = pa.FixedSizeListArray.from_arrays(pa.array(statistics.ravel()), statistics[0].size)
    columns = {
        "content": pa.array(list(batch)),
        "audio_s": pa.array([embedded.audio_s for embedded in batch.values()]),
        "usage": pa.array([asdict(embedded.usage) for embedded in batch.values()], USAGE),
        "params": pa.array([embedded.params for embedded in batch.values()], pa.int64()),
        "statistics": flat,
    }
    shape = ",".join(map(str, statistics.shape[1:]))
    return pa.table(columns).replace_schema_metadata({"shape": shape})


def _rows(table: pa.Table, rows: npt.NDArray[np.intp]) -> Mapping[str, Embedded]:
    """Return the embeddings of some rows of a file; their statistics stay in its mapping."""
    shape = [int(n) for n in table.schema.metadata[b"shape"].decode().split(",")]
    # A file is one chunk; to combine chunks would copy it out of the file's mapping.
    [chunk] = table["statistics"].chunks
    values: npt.NDArray[np.float32] = chunk.flatten().to_numpy().reshape(-1, *shape)
    columns = table.select(["content", "audio_s", "usage", "params"]).take(rows).to_pylist()
    return {
        row["content"]: Embedded(values[n], row["audio_s"], Usage(**row["usage"]), row["params"])
        for n, row in zip(rows.tolist(), columns, strict=True)
    }


def _frames_table(framed: Mapping[str, Frames]) -> pa.Table:
    sizes = np.array([0, *(frames.size for frames in framed.values())])
    values = np.concatenate([frames.ravel() for frames in framed.values()])
    columns = {
        "content": pa.array(list(framed)),
        "shape": pa.array([list(frames.shape) for frames in framed.values()]),
        "frames": pa.LargeListArray.from_arrays(pa.array(np.cumsum(sizes)), pa.array(values)),
    }
    return pa.table(columns)
