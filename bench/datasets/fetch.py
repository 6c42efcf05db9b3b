"""Downloads: a card's archives -> a folder below home, whole and checked, or not there at all."""

import shutil
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pooch
import requests

from bench.errors import UsageError
from bench.keys import digest
from bench.types import Card

CHUNK_BYTES = 1 << 14
TIMEOUT_S = 30
MOST_UNPACKED = 20
"""An archive may unpack to so many times its size, unless its card says how much it unpacks to."""

Notify = Callable[[str, int, int], None]
"""Is told the archive's name and how many bytes of how many there are, of 0 if nobody knows."""


def size(card: Card) -> str:
    """Return the size of a card's archives in words; empty if it is not known."""
    sizes = [int(file.get("bytes", 0)) for file in card.files]
    return f" ({sum(sizes) / 1e6:.0f} MB)" if all(sizes) else ""


def fetch(card: Card, home: Path, notify: Notify) -> Path:
    """Download and unpack what a card names, unless it is there, and return the folder.

    Raises
    ------
    UsageError
        If the card names nothing, a download breaks off (the next call goes on from there), a checksum
        differs, or an archive holds what does not belong into its folder: then nothing is left of it.
    """
    target = card.folder(home)
    if target.is_dir():
        return target
    if not card.files:
        how = card.obtain and f"; {card.obtain}, and put it into {target}"
        raise UsageError(f"data set '{card.name}' has nothing to download: {card.about}{how}")
    for file in card.files:
        if "url" not in file or not set(file) <= {"url", "hash", "bytes", "unpacked"}:
            named = ", ".join(file)
            raise UsageError(f"{card.source}: files: {named}; expected url, hash, bytes, unpacked of each")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        archives = [_download(file, home / "downloads", notify) for file in card.files]
        unpacking = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
        try:
            for file, archive in zip(card.files, archives, strict=True):
                _unpack(archive, unpacking, file.get("unpacked", MOST_UNPACKED * archive.stat().st_size))
            unpacking.rename(target)
        finally:
            shutil.rmtree(unpacking, ignore_errors=True)
        # Kept until here: if the disk was full or the user stopped, nothing is downloaded again.
        for archive in archives:
            archive.unlink()
    except OSError as error:
        raise UsageError(f"{home}: {error.strerror or error}; set BENCH_CACHE to another folder") from error
    return target


def _download(file: Mapping[str, Any], downloads: Path, notify: Notify) -> Path:
    """Return the archive of a file entry, downloaded and, if the entry has a hash, checked."""
    url, known_hash = str(file["url"]), file.get("hash")
    name = Path(urlparse(url).path).name
    own = f"{digest([url, known_hash])[:8]}-{name}"  # many an archive is called master.zip
    part = downloads / f"{own}.part"
    downloader = partial(_resume, part=part, told=partial(notify, name), expected=int(file.get("bytes", 0)))
    logger = pooch.get_logger()
    logger.setLevel("WARNING")  # this package says what happens in its own words
    try:
        path = pooch.retrieve(url, known_hash, fname=own, path=downloads, downloader=downloader)
    except requests.RequestException as error:
        done = part.stat().st_size if part.is_file() else 0
        why = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{url}: broke off after {done} bytes ({why}); run the same command to go on"
        ) from error
    except ValueError as error:  # what pooch raises for another checksum
        raise UsageError(
            f"{url}: its checksum is not the card's, so it was thrown away; try again"
        ) from error
    return Path(path)


def _resume(
    url: str, output_file: str, _: object, *, part: Path, told: Callable[[int, int], None], expected: int
) -> None:
    """Download to `part`, from where it ends if the server allows it, and move it when it is whole."""
    done = part.stat().st_size if part.is_file() else 0
    if not expected or done < expected:
        headers = {"Range": f"bytes={done}-"} if done else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            # A server says this of a range that begins at the end: then it is whole already.
            if response.status_code != requests.codes.requested_range_not_satisfiable:
                response.raise_for_status()
                _append(response, part, told, expected)
    shutil.move(part, output_file)


def _append(response: requests.Response, part: Path, told: Callable[[int, int], None], expected: int) -> None:
    """Write a response behind what there is of a file, or over it if the response is the whole."""
    goes_on = response.status_code == requests.codes.partial_content
    done = part.stat().st_size if goes_on else 0
    total = expected or done + int(response.headers.get("Content-Length", -done))
    with part.open("ab" if goes_on else "wb") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            told(done, total)


def _unpack(archive: Path, target: Path, most_bytes: int) -> None:
    """Unpack a tar or zip file; what lies outside of the target, is a link out of it or a device is refused.

    Raises
    ------
    UsageError
        If something is refused, or the archive is damaged; it is removed then.
    """
    try:
        (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, target, most_bytes)
    except (tarfile.TarError, zipfile.BadZipFile, RuntimeError) as error:
        archive.unlink()
        raise UsageError(f"{archive.name}: refused: {error}") from error


def _untar(archive: Path, target: Path, most_bytes: int) -> None:
    n_unpacked = 0
    with tarfile.open(archive) as tar:
        for member in tar:
            n_unpacked += member.size
            if n_unpacked > most_bytes:
                raise tarfile.TarError(f"it unpacks to more than {most_bytes} bytes")
            tar.extract(member, target, filter="data")


def _unzip(archive: Path, target: Path, most_bytes: int) -> None:
    """Unpack a zip file, of which `zipfile` reads no more than each member's declared size."""
    with zipfile.ZipFile(archive) as packed:
        if sum(member.file_size for member in packed.infolist()) > most_bytes:
            raise zipfile.BadZipFile(f"it unpacks to more than {most_bytes} bytes")
        for member in packed.infolist():
            # `zipfile` would move such a member into the target without a word.
            if not (target / member.filename).resolve().is_relative_to(target.resolve()):
                raise zipfile.BadZipFile(f"'{member.filename}' would be extracted outside of its folder")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise zipfile.BadZipFile(f"'{member.filename}' is a link")
            packed.extract(member, target)
