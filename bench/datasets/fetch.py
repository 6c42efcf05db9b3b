"""Downloads: the archives of a card -> a folder; an incomplete or damaged archive never leaves one."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pooch
import requests

from bench.datasets import archives
from bench.errors import UsageError, message, reason
from bench.files import sync
from bench.keys import digest
from bench.types import Card

CHUNK_BYTES = 1 << 14
TIMEOUT_S = 30
MOST_BYTES = 10**12
"""Largest download of which neither the card nor the server says the size."""

EXPANSION = 20
"""Largest ratio of unpacked to packed size, unless the card has a field `unpacked`."""

FIELDS = ("url", "hash", "bytes", "unpacked")
"""Fields of a file in a card."""

Notify = Callable[[str, int, int], None]
"""Callback for progress: name of the archive, bytes so far, total bytes (0 if unknown)."""


def size(card: Card) -> str:
    """Return the size of a card's archives, such as `` (5 MB)``; empty if it is unknown."""
    sizes = [int(file.get("bytes", 0)) for file in card.files]
    return f" ({sum(sizes) / 1e6:.0f} MB)" if sizes and all(sizes) else ""


def root(card: Card, home: Path) -> Path:
    """Return the base of the paths in a card: the folder of its download, or of the card itself.

    Raises
    ------
    UsageError
        If the card has a download that is not there.
    """
    if not (card.files or card.obtain):
        return Path(card.source).parent
    folder = card.folder(home)
    if not folder.is_dir():
        get = f"run: bench fetch {card.name}{size(card)}, or give the folder of your copy: --audio FOLDER"
        raise UsageError(f"data set '{card.name}' is not here; {get}")
    return folder


def located(card: Card, home: Path, path: str) -> Path:
    """Return where a path of a card is: in the folder of the user's copy, or else in `root`.

    The user's copy may begin at any folder of the path, or be that folder.

    Raises
    ------
    UsageError
        See `root`.
    """
    if card.root:
        parts = Path(path).parts
        depth = len(parts) + (not Path(path).suffix)
        copies = (Path(card.root, *parts[skipped:]) for skipped in range(depth))
        copy = next((place for place in copies if place.exists()), None)
        if copy:
            return copy
    return root(card, home) / path


def audio_folder(card: Card, table: Path) -> Path | None:
    """Return the folder of the user's copy, if a table of the card lies outside of it; else None."""
    return Path(card.root) if card.root and not table.is_relative_to(card.root) else None


def fetch(card: Card, home: Path, notify: Notify) -> Path:
    """Download and unpack the archives of a card, unless that is done, and return the folder.

    Raises
    ------
    UsageError
        If the card has no archives or unknown fields, if a download is interrupted (the next call resumes
        it), if a checksum or the size differs, or if an archive is damaged or has members outside of its
        folder. Then no folder is left.
    """
    target = card.folder(home)
    if target.is_dir():
        return target
    if not card.files:
        instructions = (
            card.obtain and f"; {card.obtain}, and put it into {target}, or give its folder: --audio FOLDER"
        )
        raise UsageError(f"data set '{card.name}' has nothing to download: {card.about}{instructions}")
    for file in card.files:
        if "url" not in file or not set(file) <= set(FIELDS):
            fields = ", ".join(file)
            raise UsageError(f"{card.source}: files: {fields}; expected {', '.join(FIELDS)} of each")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        downloads = [_download(file, home / "downloads", notify) for file in card.files]
        _unpack_all(card, downloads, target)
        # Only now: if the disk is full or the user stops, nothing is downloaded again.
        for archive in downloads:
            archive.unlink()
    except OSError as error:
        raise UsageError(f"{home}: {reason(error)}; set BENCH_CACHE to another folder") from error
    return target


def _unpack_all(card: Card, downloads: Sequence[Path], target: Path) -> None:
    """Unpack the archives of a card to a temporary folder, and rename it when all are complete."""
    unpacking = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    try:
        for file, archive in zip(card.files, downloads, strict=True):
            archives.unpack(archive, unpacking, file.get("unpacked", EXPANSION * archive.stat().st_size))
        if hasattr(os, "sync"):  # thousands of files at once; Windows has none
            os.sync()
        unpacking.rename(target)
        sync(target.parent)
    finally:
        shutil.rmtree(unpacking, ignore_errors=True)


def _download(file: Mapping[str, Any], downloads: Path, notify: Notify) -> Path:
    """Return the archive of a file of a card, after a check of its hash if the card has one."""
    url, known_hash = str(file["url"]), file.get("hash")
    name = Path(urlparse(url).path).name
    unique_name = f"{digest([url, known_hash])[:8]}-{name}"  # several archives are called master.zip
    part = downloads / f"{unique_name}.part"
    n_bytes = int(file.get("bytes", 0))
    downloader = partial(_resume, part=part, notify=partial(notify, name), n_bytes=n_bytes)
    logger = pooch.get_logger()
    logger.setLevel("WARNING")  # `notify` reports the progress
    try:
        path = pooch.retrieve(url, known_hash, fname=unique_name, path=downloads, downloader=downloader)
    except requests.RequestException as error:
        done = part.stat().st_size if part.is_file() else 0
        fault = message(error)[:200]
        raise UsageError(
            f"{url}: broke off after {done} bytes ({fault}); run the same command to go on"
        ) from error
    except ValueError as error:  # pooch raises it for a wrong checksum
        raise UsageError(
            f"{url}: its checksum is not the card's, so the download is deleted; try again"
        ) from error
    return Path(path)


def _resume(
    url: str, output_file: str, _: object, *, part: Path, notify: Callable[[int, int], None], n_bytes: int
) -> None:  # the first three are pooch's
    """Download to `part`, from its end if the server allows that, and move the complete file."""
    done = part.stat().st_size if part.is_file() else 0
    if not n_bytes or done < n_bytes:
        # Without the identity, the length that the server states may be that of compressed data.
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            # A range that begins at the end of the file is not satisfiable: the part is complete.
            if response.status_code != requests.codes.requested_range_not_satisfiable:
                response.raise_for_status()
                _append(response, part, notify, n_bytes)
    done = part.stat().st_size
    if n_bytes and done != n_bytes:
        part.unlink()
        raise UsageError(f"{url}: has {done} bytes; the card says {n_bytes}, so the download is deleted")
    sync(part)
    shutil.move(part, output_file)


def _append(
    response: requests.Response, part: Path, notify: Callable[[int, int], None], n_bytes: int
) -> None:
    """Append a partial response to a file, or replace the file by a complete response.

    Raises
    ------
    UsageError
        If the server sends a page, or more than the card says; the file is deleted for the latter.
    requests.RequestException
        If the server sends less than it says, or another part.
    """
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise UsageError(f"{response.url}: is a page for people, no archive; open it in a browser")
    done = _first_byte(response, part)
    length = response.headers.get("Content-Length", "")
    is_known = length.isdecimal() and "Content-Encoding" not in response.headers
    stated = done + int(length) if is_known else 0
    most = n_bytes or stated or MOST_BYTES
    with part.open("ab" if done else "wb") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            notify(done, n_bytes or stated)
            if done > most:
                break
    if done > most:
        part.unlink()
        raise UsageError(f"{response.url}: sends more than {most} bytes, so the download is deleted")
    if done < stated or (done < n_bytes and not stated):
        raise requests.ConnectionError(f"{(stated or n_bytes) - done} bytes are missing")


def _first_byte(response: requests.Response, part: Path) -> int:
    """Return where in the file a response begins: 0, or for a partial one at the end of `part`.

    Raises
    ------
    requests.ConnectionError
        If it begins elsewhere; the part is deleted, so that the next download begins again.
    """
    if response.status_code != requests.codes.partial_content:
        return 0
    done = part.stat().st_size if part.is_file() else 0
    content_range = response.headers.get("Content-Range", f"bytes {done}-")
    if not content_range.startswith(f"bytes {done}-"):
        part.unlink(missing_ok=True)
        raise requests.ConnectionError(f"the server sent {content_range} for bytes {done}-")
    return done
