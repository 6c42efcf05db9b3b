"""Previews of clips in a folder: short MP3 files that the map plays."""

import os
from collections.abc import Sequence
from pathlib import Path

from bench import audio
from bench.errors import ClipError
from bench.types import Clip

MOST = 20_000
"""Largest number of previews in a folder: some 62 MB of 3 s each."""

SECONDS = 3.0
"""Length of a preview in s."""


def previews(clips: Sequence[Clip], contents: Sequence[str], folder: Path) -> tuple[Path | None, ...]:
    """Write the previews that a folder lacks, and return the path of every clip's preview.

    Clips with the same audio share a file. A file that exists is used as it is, so that a second call writes
    nothing.

    Parameters
    ----------
    clips : Sequence[Clip]
        The first `MOST` different ones get a preview.
    contents : Sequence[str]
        Digest of every clip's audio, as in a `Source`; empty for an unreadable clip.
    folder : Path
        If the page of a map does not hold all previews itself, this must be inside the page's folder.

    Returns
    -------
    tuple[Path | None, ...]
        None for a clip that cannot be read, or is beyond `MOST`.

    Raises
    ------
    OSError
        If a file cannot be written.
    UsageError
        If libsndfile writes no MP3.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: dict[str, Path | None] = {"": None}
    for clip, content in zip(clips, contents, strict=True):
        if content not in paths and len(paths) <= MOST:
            paths[content] = _preview(clip, folder / f"{content[:32]}.mp3")
    return tuple(paths.get(content) for content in contents)


def _preview(clip: Clip, path: Path) -> Path | None:
    """Return the path of a clip's preview, written unless it exists; None if the clip cannot be read."""
    if path.is_file() and path.stat().st_size:  # a power loss may leave an empty file
        return path
    try:
        encoded = audio.preview(clip, SECONDS)
    except ClipError:
        return None
    part = path.with_suffix(f".{os.getpid()}.part")  # `files.replacing` waits for the disk
    part.write_bytes(encoded)
    part.replace(path)
    return path
