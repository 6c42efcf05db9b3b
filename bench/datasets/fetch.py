"""Downloads: the archives of a card -> a folder; an incomplete or damaged archive never leaves one."""

import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pooch
import requests

from bench.errors import UsageError, message
from bench.keys import digest
from bench.types import Card

CHUNK_BYTES = 1 << 14
TIMEOUT_S = 30
EXPANSION = 20
"""Largest ratio of unpacked to packed size, unless the card has a field `unpacked`."""

FIELDS = ("url", "hash", "bytes", "unpacked")
"""Fields of a file in a card."""

Notify = Callable[[str, int, int], None]
"""Callback for progress: name of the archive, bytes so far, total bytes (0 if unknown)."""


def size(card: Card) -> str:
    """Return the size of a card's archives, such as `` (5 MB)``; empty if it is unknown."""
    sizes = [int(file.get("bytes", 0)) for file in card.files]
    return f" ({sum(sizes) / 1e6:.0f} MB)" if all(sizes) else ""


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
        raise UsageError(f"data set '{card.name}' is not here; run: bench fetch {card.name}{size(card)}")
    return folder


def fetch(card: Card, home: Path, notify: Notify) -> Path:
    """Download and unpack the archives of a card, unless that is done, and return the folder.

    Raises
    ------
    UsageError
        If the card has no archives or unknown fields, if a download is interrupted (the next call resumes
        it), if a checksum differs, or if an archive is damaged or has members outside of its folder. Then no
        folder is left.
    """
    target = card.folder(home)
    if target.is_dir():
        return target
    if not card.files:
        instructions = card.obtain and f"; {card.obtain}, and put it into {target}"
        raise UsageError(f"data set '{card.name}' has nothing to download: {card.about}{instructions}")
    for file in card.files:
        if "url" not in file or not set(file) <= set(FIELDS):
            fields = ", ".join(file)
            raise UsageError(f"{card.source}: files: {fields}; expected {', '.join(FIELDS)} of each")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        archives = [_download(file, home / "downloads", notify) for file in card.files]
        _unpack_all(card, archives, target)
        # Only now: if the disk is full or the user stops, nothing is downloaded again.
        for archive in archives:
            archive.unlink()
    except OSError as error:
        raise UsageError(f"{home}: {error.strerror or error}; set BENCH_CACHE to another folder") from error
    return target


def _unpack_all(card: Card, archives: Sequence[Path], target: Path) -> None:
    """Unpack the archives of a card to a temporary folder, and rename it when all are complete."""
    unpacking = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    try:
        for file, archive in zip(card.files, archives, strict=True):
            _unpack(archive, unpacking, file.get("unpacked", EXPANSION * archive.stat().st_size))
        unpacking.rename(target)
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
        reason = message(error)[:200]
        raise UsageError(
            f"{url}: broke off after {done} bytes ({reason}); run the same command to go on"
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
        headers = {"Range": f"bytes={done}-"} if done else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            # A range that begins at the end of the file is not satisfiable: the part is complete.
            if response.status_code != requests.codes.requested_range_not_satisfiable:
                response.raise_for_status()
                _append(response, part, notify, n_bytes)
    shutil.move(part, output_file)


def _append(
    response: requests.Response, part: Path, notify: Callable[[int, int], None], n_bytes: int
) -> None:
    """Append a partial response to a file, or replace the file by a complete response."""
    is_partial = response.status_code == requests.codes.partial_content
    done = part.stat().st_size if is_partial else 0
    total = n_bytes or done + int(response.headers.get("Content-Length", -done))
    with part.open("ab" if is_partial else "wb") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            notify(done, total)


def _unpack(archive: Path, target: Path, max_bytes: int) -> None:
    """Unpack a tar or zip file, without members outside of the target, links out of it, or devices.

    Raises
    ------
    UsageError
        If the archive is damaged, too large or has such a member; the archive is deleted then.
    """
    try:
        (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, target, max_bytes)
    except (tarfile.TarError, zipfile.BadZipFile, RuntimeError) as error:
        archive.unlink()
        raise UsageError(f"{archive.name}: refused: {error}") from error


def _untar(archive: Path, target: Path, max_bytes: int) -> None:
    """Unpack a tar file with Python's filter ``data``, which refuses unsafe members."""
    n_unpacked = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            n_unpacked += member.size
            if n_unpacked > max_bytes:
                raise tarfile.TarError(f"it unpacks to more than {max_bytes} bytes")
            tar.extract(member, target, filter="data")


def _unzip(archive: Path, target: Path, max_bytes: int) -> None:
    """Unpack a zip file; `zipfile` never reads more of a member than its declared size."""
    with zipfile.ZipFile(archive) as packed:
        if sum(member.file_size for member in packed.infolist()) > max_bytes:
            raise zipfile.BadZipFile(f"it unpacks to more than {max_bytes} bytes")
        for member in packed.infolist():
            # `zipfile` would silently move such a member into the target.
            if not (target / member.filename).resolve().is_relative_to(target.resolve()):
                raise zipfile.BadZipFile(f"'{member.filename}' would be extracted outside of its folder")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise zipfile.BadZipFile(f"'{member.filename}' is a link")
            packed.extract(member, target)
