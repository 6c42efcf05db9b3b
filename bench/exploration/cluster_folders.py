"""Clusters on disk: their table, and a folder of links or copies for each; sources are only read."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import msgspec
import pandas as pd

from bench import audio, files
from bench.errors import UsageError, reason
from bench.exploration.clusters import Clusters
from bench.paths import path_of, path_text
from bench.request import Transfer
from bench.types import Clip

MANIFEST = "written.json"
"""File in the folder that lists what an export wrote there."""

MOST_BYTES = 200
"""Largest number of bytes of a name; file systems take 255, a few less if they encrypt."""

FIX = "delete its folder, or choose another one with --out"
"""What to do about a damaged list of written files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What an export of clusters wrote.

    Parameters
    ----------
    n_links, n_copies, n_cuts : int
        Number of clips that were linked, copied, and written as WAV files since they are a part of a file, or
        padded or mixed.
    obstacle : str
        Why files were copied in place of links, as the system says it; empty if none was.
    n_foreign : int
        Number of other files in the folder, which stay as they are.
    """

    n_links: int
    n_copies: int
    n_cuts: int
    obstacle: str
    n_foreign: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file that an export wrote: its target as a link, else its size and its time in ns."""

    target: str = ""
    size: int = 0
    mtime_ns: int = 0


def table(clips: Sequence[Clip], clusters: Clusters) -> pd.DataFrame:
    """Return `clip, path, cluster, distance, probability` of every clip; cluster -1 is noise."""
    return pd.DataFrame(
        {
            "clip": [clip.id for clip in clips],
            "path": [path_text(clip.path) for clip in clips],
            "cluster": clusters.labels,
            "distance": clusters.distances.round(6),
            "probability": clusters.probabilities.round(6),
        }
    )


def export(folder: Path, clips: Sequence[Clip], clusters: Sequence[int], how: Transfer = "link") -> Export:
    """Write every clip into the folder of its cluster, in place of an earlier export.

    Folders are ``cluster-0`` and so on, and ``noise``. What an earlier export wrote there is removed, if it
    is as it was written; all other files stay, and none is replaced.

    Parameters
    ----------
    clips : Sequence[Clip]
        A clip that is a part of its file, padded or mixed is written as a mono WAV file of 16 bits at the
        rate of its file.
    clusters : Sequence[int]
        Cluster of every clip, -1 for noise.
    how : Transfer
        A file is copied where the system makes no link.

    Raises
    ------
    UsageError
        If the folder holds a clip, cannot be written, or has a list of written files that cannot be read.
    ClipError
        If a part of a file cannot be read.
    """
    _refuse_sources(folder, clips)
    entries: dict[str, _Entry] = {}
    obstacle, kinds = "", []
    try:
        _remove(folder, _manifest(folder))
        names = _names(folder, clips, clusters)
        n_foreign = sum(path.is_symlink() or path.is_file() for path in folder.rglob("*")) if names else 0
        try:
            for clip, name in zip(clips, names, strict=True):
                kind, refusal = _write(clip, folder / name, how)
                entries[name], obstacle = _entry(folder / name), obstacle or refusal
                kinds.append(kind)
        finally:
            written = {path_text(name): asdict(entry) for name, entry in entries.items()}
            files.replace_text(folder / MANIFEST, msgspec.json.encode(written).decode())
    except OSError as error:
        raise UsageError(
            f"{error.filename or folder}: cannot be written or read ({reason(error)}); "
            "allow it, or choose another folder with --out"
        ) from error
    counts = {kind: kinds.count(kind) for kind in ("link", "copy", "cut")}
    return Export(
        n_links=counts["link"],
        n_copies=counts["copy"],
        n_cuts=counts["cut"],
        obstacle=obstacle,
        n_foreign=n_foreign,
    )


def _refuse_sources(folder: Path, clips: Sequence[Clip]) -> None:
    """Refuse to write beside the clips themselves, which a later export would remove."""
    place = folder.resolve()
    for clip in clips:
        if clip.path.resolve().is_relative_to(place):
            raise UsageError(
                f"{folder}: holds the clip {clip.path.name} of the data set; choose another folder with --out"
            )


def _manifest(folder: Path) -> Mapping[str, _Entry]:
    """Return what an earlier export wrote; the names are paths below the folder."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=dict[str, _Entry])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read; {FIX}") from error
    for name in entries:
        parts = PurePosixPath(name).parts
        if len(parts) != 2 or ".." in parts or parts[0] == "/":
            raise UsageError(f"{path}: names {name!r}; expected FOLDER/FILE; {FIX}")
    return {str(path_of(name)): entry for name, entry in entries.items()}


def _remove(folder: Path, entries: Mapping[str, _Entry]) -> None:
    """Remove files that are as an earlier export wrote them, and folders that are empty then."""
    for name, entry in entries.items():
        path = folder / name
        is_there = path.is_symlink() or path.is_file()
        if is_there and not path.parent.is_symlink() and _entry(path) == entry:
            path.unlink()
    for parent in {(folder / name).parent for name in entries}:
        if parent.is_dir() and not parent.is_symlink() and not any(parent.iterdir()):
            parent.rmdir()
    (folder / MANIFEST).unlink(missing_ok=True)


def _entry(path: Path) -> _Entry:
    """Return what identifies a written file."""
    if path.is_symlink():
        return _Entry(target=path_text(path.readlink()))
    status = path.stat()
    return _Entry(size=status.st_size, mtime_ns=status.st_mtime_ns)


def _names(folder: Path, clips: Sequence[Clip], clusters: Sequence[int]) -> list[str]:
    """Return a path below the folder for every clip, which no other clip and no file has."""
    names, parents = [], ["noise" if cluster < 0 else f"cluster-{cluster}" for cluster in clusters]
    taken: dict[str, set[str]] = {}
    for parent in dict.fromkeys(parents):
        (folder / parent).mkdir(parents=True, exist_ok=True)
        # Names of different case are one file on some systems.
        taken[parent] = {path.name.casefold() for path in (folder / parent).iterdir()}
    for clip, parent in zip(clips, parents, strict=True):
        stem, suffix, number = *_stem_suffix(clip), 1
        name = f"{stem}{suffix}"
        while name.casefold() in taken[parent]:
            number += 1
            name = f"{stem}~{number}{suffix}"
        taken[parent].add(name.casefold())
        names.append(f"{parent}/{name}")
    return names


def _stem_suffix(clip: Clip) -> tuple[str, str]:
    """Return the stem and the suffix of a clip's file, with its window, shortened."""
    stem, suffix = clip.path.stem, clip.path.suffix
    if _is_part(clip):
        limits = ["" if limit is None else f"{limit:g}" for limit in (clip.start, clip.end)]
        stem, suffix = f"{stem}-{'-'.join(limits)}" if any(limits) else stem, ".wav"
    if len(os.fsencode(stem + suffix)) > MOST_BYTES:
        window = stem.removeprefix(clip.path.stem)
        n_bytes = MOST_BYTES - len(os.fsencode(window + suffix))
        stem = os.fsencode(clip.path.stem)[:n_bytes].decode("utf-8", "ignore") + window
    return stem, suffix


def _is_part(clip: Clip) -> bool:
    """Return whether a clip is something else than its whole file."""
    return any(value is not None for value in (clip.start, clip.end, clip.seconds, clip.noise))


def _write(clip: Clip, path: Path, how: Transfer) -> tuple[str, str]:
    """Write a clip, and return whether it is a link, a copy or a cut, and why it is no link."""
    if _is_part(clip):
        header = audio.header(clip.path)
        rate = header.sample_rate if header else 16000
        audio.write(path, audio.read(clip, rate), rate)
        return "cut", ""
    refusal = ""
    if how == "link":
        try:
            path.symlink_to(clip.path.absolute())
        except FileExistsError:  # it appeared meanwhile, and stays
            raise
        except (OSError, NotImplementedError) as error:  # as FAT, or Windows without its developer mode
            refusal = reason(error) if isinstance(error, OSError) else "links are not supported"
        else:
            return "link", ""
    try:
        shutil.copy2(clip.path, path)  # with its time, so that the list of files stays the same
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return "copy", refusal
