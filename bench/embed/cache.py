"""Cache: embeddings on disk by content, one folder per extractor, one file per batch.

A row of embeddings is the digest of a clip's content, its length, its usage and its statistics. A row of
frames is the digest and the frames; frames are stored apart, by layer, since they are large and few heads
need them. A file is written under another name and renamed, so that no reader sees half of it; damage shows
by checksums, see `batchfile`.
"""

import functools
import logging
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from filelock import FileLock, Timeout
from fsspec.implementations.local import LocalFileSystem

from bench.embed import tables
from bench.embed.batchfile import Batch, DamageError, pack, unpack
from bench.embed.tables import ClipEmbedding
from bench.errors import UsageError
from bench.types import Frames, Layer, View

__all__ = ["Cache", "CacheEntry", "ClipEmbedding"]

T = TypeVar("T")

log = logging.getLogger(__name__)

FORMAT = "v5"
"""End of the folders' names; a new name for a new format. The files of v4 had no checksums."""

SUFFIX = ".batch"

FOLDER = b"folder"
"""Key of a file's metadata: the folder that it was written to, below the root."""

USERS, PRUNING = "users", "prune.lock"
"""Folder of a lock per run that uses a local cache, and the lock of who removes embeddings."""

NAME = "name.txt"
"""File that holds the name of an extractor."""


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
        try:
            self._files, self._root = fsspec.core.url_to_fs(root)
            self._files.makedirs(self._folder("embeddings"), exist_ok=True)
        except (OSError, ImportError, ValueError) as error:  # the last two: fsspec does not know the URL
            reason = f"cannot be written ({error}); set BENCH_CACHE to another folder"
            raise UsageError(f"{root}: {reason}") from error

    def contents(self, extractor: str, frame_layers: Collection[Layer] = ()) -> set[str]:
        """Return the contents that have every statistic, and frames of some layers, under a digest.

        Their values are not checked before `read` and `read_frames`.
        """
        files = [self._parse(tables.complete_contents, "embeddings", extractor)]
        files += [self._parse(tables.contents, "frames", extractor, str(layer)) for layer in frame_layers]
        return set.intersection(*({content for part in parts for content in part} for parts in files))

    def read(
        self, extractor: str, contents: Collection[str], views: Collection[View] | None = None
    ) -> Mapping[str, ClipEmbedding]:
        """Return the embeddings of some contents under an extractor's digest, without frames.

        Parameters
        ----------
        views : Collection[View] | None
            Views whose statistics are compared with their checksums; None compares all.
        """
        read = partial(tables.embeddings, wanted=pa.array(contents, pa.string()), views=views)
        files = self._parse(read, "embeddings", extractor)
        return {content: embedding for part in files for content, embedding in part.items()}

    def read_frames(self, extractor: str, layer: Layer, contents: Collection[str]) -> Mapping[str, Frames]:
        """Return the frames of a layer of some contents under an extractor's digest."""
        read = partial(tables.frames, wanted=pa.array(contents, pa.string()))
        files = self._parse(read, "frames", extractor, str(layer))
        return {content: frames for part in files for content, frames in part.items()}

    def write(self, extractor: str, batch: Mapping[str, ClipEmbedding]) -> None:
        """Store the embeddings of a batch, and their frames, under an extractor's digest.

        Raises
        ------
        UsageError
            If the disk is full or the root does not exist any more.
        """
        for layer in {layer for embedding in batch.values() for layer in embedding.frames}:
            frames = {content: embedding.frames[layer] for content, embedding in batch.items()}
            parts = [array.reshape(1, -1) for array in frames.values()]
            self._write(tables.frames_table(frames), parts, "frames", extractor, str(layer))
        vectors = [row.statistics.reshape(-1, row.statistics.shape[-1]) for row in batch.values()]
        self._write(tables.embeddings_table(batch), vectors, "embeddings", extractor)

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
            name = self._files.cat_file(name_path) if name_path in sizes else b""
            entries.append(
                CacheEntry(
                    extractor=name.decode(errors="replace"),
                    digest=digest,
                    n_clips=len(self.contents(digest)),
                    n_bytes=sum(sizes.values()),
                    modified=max((self._files.modified(file).timestamp() for file in sizes), default=0.0),
                )
            )
        return entries

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep `pruning` out of a local cache; any number of runs may use it at once."""
        if not isinstance(self._files, LocalFileSystem):
            yield
            return
        users = Path(self._root, USERS)
        users.mkdir(exist_ok=True)
        own = FileLock(users / f"{uuid.uuid4().hex}.lock")
        with FileLock(Path(self._root, PRUNING)):  # waits until embeddings are removed
            own.acquire()
        try:
            yield
        finally:
            own.release()
            Path(own.lock_file).unlink(missing_ok=True)

    @contextmanager
    def pruning(self, *, force: bool = False) -> Iterator[None]:
        """Keep new runs out of a local cache while embeddings are removed.

        Parameters
        ----------
        force : bool
            Do so even if a run uses the cache, which then may fail.

        Raises
        ------
        UsageError
            If a run uses the cache.
        """
        if not isinstance(self._files, LocalFileSystem):
            yield
            return
        with FileLock(Path(self._root, PRUNING)):
            users = [path for path in Path(self._root, USERS).glob("*.lock") if _is_held(path)]
            if users and not force:
                n_runs = "a run uses" if len(users) == 1 else f"{len(users)} runs use"
                raise UsageError(f"{self.root}: {n_runs} these embeddings; wait for the end, or add --force")
            yield

    def remove(self, extractor: str) -> None:
        """Remove the embeddings and frames of an extractor's digest."""
        for kind in ("embeddings", "frames"):
            folder = self._folder(kind, extractor)
            if self._files.isdir(folder):
                self._files.rm(folder, recursive=True)

    def _folder(self, kind: str, *extractor: str) -> str:
        return "/".join([self._root, f"{kind}-{FORMAT}", *extractor])

    def _parse(self, parse: Callable[[Batch], T], *names: str) -> Iterator[T]:
        """Yield what a function makes of every file in a folder.

        A damaged file is removed with a warning, one that cannot be read is left out: the clips of both are
        embedded again.
        """
        folder = self._folder(*names)
        for path in self._paths(folder):
            try:
                batch = unpack(self._bytes(path))
                if batch.table.schema.metadata[FOLDER] != _place(*names):
                    raise DamageError("belongs to another folder")
                part = parse(batch)
            except FileNotFoundError:  # another process removed it
                continue
            except OSError as error:
                _warn(path, f"cannot be read ({error})")
            except (ValueError, KeyError, pa.ArrowException) as error:
                _warn(path, str(error))
                with suppress(OSError):
                    self._files.rm_file(path)
            else:
                yield part

    def _paths(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder, sorted."""
        if not self._files.isdir(folder):
            return []
        return sorted(path for path in self._files.ls(folder, detail=False) if path.endswith(SUFFIX))

    def _bytes(self, path: str) -> pa.Buffer:
        """Return the bytes of a file; a local one takes memory only for those in use."""
        if not isinstance(self._files, LocalFileSystem):
            return pa.py_buffer(self._files.cat_file(path))
        with pa.memory_map(path) as file:
            return file.read_buffer()

    def _write(self, table: pa.Table, arrays: Sequence[npt.NDArray[np.float32]], *names: str) -> None:
        folder = self._folder(*names)
        path = f"{folder}/{uuid.uuid4().hex}"
        metadata = {**(table.schema.metadata or {}), FOLDER: _place(*names)}
        try:
            self._files.makedirs(folder, exist_ok=True)
            with self._files.open(f"{path}.part", "wb") as file:
                for piece in pack(table.replace_schema_metadata(metadata), arrays):
                    file.write(piece)
            self._files.mv(f"{path}.part", f"{path}{SUFFIX}")
        except OSError as error:
            with suppress(OSError):  # half a file takes space on a full disk
                self._files.rm(f"{path}.part")
            reason = f"cannot be written ({error}); free some space or set BENCH_CACHE"
            raise UsageError(f"{folder}: {reason}") from error


@functools.cache
def _warn(path: str, reason: str) -> None:
    """Say once in this process that a file is not used."""
    log.warning("%s: %s; its clips are embedded again", path, reason)


def _is_held(path: Path) -> bool:
    """Return whether a process holds a lock; delete the file of one that was killed."""
    try:
        with FileLock(path, timeout=0):
            path.unlink(missing_ok=True)
    except Timeout:
        return True
    return False


def _place(*names: str) -> bytes:
    """Return what the metadata of a file says of its folder."""
    return "/".join(names).encode()
