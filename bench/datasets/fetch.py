"""Downloads: a card's archives -> a folder below home, whole and checked, or not there at all."""

import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pooch
import requests

from bench.errors import UsageError
from bench.types import Card

CHUNK_BYTES = 1 << 14
TIMEOUT_S = 30
MOST_UNPACKED = 20
"""An archive may unpack to so many times its size, unless its card says how much it unpacks to."""

Notify = Callable[[str, int, int], None]
"""Is told the archive's name and how many bytes of how many there are."""


def n_bytes(card: Card) -> int:
    """Return the size of a card's archives."""
    return sum(int(file["bytes"]) for file in card.files)


def fetch(card: Card, home: Path, notify: Notify) -> Path:
    """Download and unpack what a card names, unless it is there, and return the folder.

    Raises
    ------
    UsageError
        If the card names nothing, a download breaks off (the next call goes on from there), a checksum
        differs, or an archive holds what does not belong into its folder: then nothing is left of it.
    """
    if not card.files:
        raise UsageError(f"data set '{card.name}' has nothing to download: {card.about}")
    for file in card.files:
        if not {"url", "bytes", "sha256"} <= set(file):
            raise UsageError(f"{card.place}: files: {', '.join(file)}; expected url, bytes, sha256 of each")
    target = card.folder(home)
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        archives = [_download(file, home / "downloads", notify) for file in card.files]
        unpacking = Path(tempfile.mkdtemp(prefix=f"{card.name}-", dir=target.parent))
        try:
            for file, archive in zip(card.files, archives, strict=True):
                _unpack(archive, unpacking, int(file.get("unpacked", MOST_UNPACKED * int(file["bytes"]))))
            unpacking.rename(target)
        finally:
            shutil.rmtree(unpacking, ignore_errors=True)
        for (
            archive
        ) in archives:  # kept if the disk was full or the user stopped: it need not be downloaded again
            archive.unlink()
    except OSError as error:
        raise UsageError(f"{home}: {error.strerror or error}; set BENCH_CACHE to another folder") from error
    return target


def _download(file: Mapping[str, Any], downloads: Path, notify: Notify) -> Path:
    """Return the archive of a file entry (url, bytes, sha256), downloaded and checked."""
    url = str(file["url"])
    name = Path(urlparse(url).path).name
    part = downloads / f"{file['sha256'][:16]}-{name}.part"
    downloader = partial(_resume, part=part, told=partial(notify, name), total=int(file["bytes"]))
    logger = pooch.get_logger()
    logger.setLevel("WARNING")  # this package says what happens in its own words
    try:
        path = pooch.retrieve(
            url, known_hash=f"sha256:{file['sha256']}", fname=name, path=downloads, downloader=downloader
        )
    except requests.RequestException as error:
        done = part.stat().st_size if part.is_file() else 0
        why = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{url}: broke off after {done} of {file['bytes']} bytes ({why}); run the same command to go on"
        ) from error
    except ValueError as error:  # what pooch raises for another checksum
        raise UsageError(f"{url}: its SHA-256 is not the card's, so it was thrown away; try again") from error
    return Path(path)


def _resume(
    url: str, output_file: str, _: object, *, part: Path, told: Callable[[int, int], None], total: int
) -> None:
    """Download to `part`, from where it ends if the server allows it, and move it when it is whole."""
    done = part.stat().st_size if part.is_file() else 0
    if done < total:
        headers = {"Range": f"bytes={done}-"} if done else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            response.raise_for_status()
            goes_on = response.status_code == requests.codes.partial_content
            done = done if goes_on else 0
            with part.open("ab" if goes_on else "wb") as file:
                for chunk in response.iter_content(CHUNK_BYTES):
                    file.write(chunk)
                    done += len(chunk)
                    told(done, total)
    shutil.move(part, output_file)


def _unpack(archive: Path, target: Path, most_bytes: int) -> None:
    """Unpack a tar file; what lies outside of the target, is a link out of it or a device is refused."""
    n_unpacked = 0
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                n_unpacked += member.size
                if n_unpacked > most_bytes:
                    raise tarfile.TarError(f"it unpacks to more than {most_bytes} bytes")
                tar.extract(member, target, filter="data")
    except tarfile.TarError as error:
        archive.unlink()
        raise UsageError(f"{archive.name}: refused: {error}") from error
