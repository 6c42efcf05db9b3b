"""Archives -> files in a folder; an archive must be whole, come to an end, and stay in its folder."""

import bz2
import errno
import gzip
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

from bench.errors import UsageError, message, one_line

OPENERS: Mapping[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
"""First bytes of a compressed file -> what opens it."""

HEADERS_BYTES = 1 << 20
"""Bytes that the headers and the padding of a tar file may take, besides as many as its files."""

MOST_MEMBERS = 5_000_000

MOST_CHARACTERS = 1024
"""Longest path of a member: beyond the system's limit, Python does not see where a link leads."""

NAME_BYTES = 1 << 20
"""Largest header that holds the name of a tar file's member."""

PADDING_BYTES = 1 << 20
"""Most zeros behind the end of a tar file, which fill its last record."""

BLOCK_BYTES = 1 << 16

NAME_TYPES = {
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
}

FAULTS = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(EOFError, RuntimeError, ValueError, OverflowError),
)
"""What a damaged archive raises, besides OSError."""

MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM),
}
"""Numbers of an OSError that is no fault of the archive."""


def unpack(archive: Path, target: Path, max_bytes: int) -> None:
    """Unpack a tar or zip file, without members outside of the target, links out of it, or devices.

    Raises
    ------
    UsageError
        If the archive is damaged, not whole, too large or has such a member; it is deleted then.
    OSError
        If the target cannot be written.
    """
    try:
        (_unzip if zipfile.is_zipfile(archive) else _untar)(archive, target, max_bytes)
    except (*FAULTS, OSError) as error:
        if isinstance(error, OSError) and error.errno in MACHINE:
            raise
        archive.unlink()
        reason = (message if isinstance(error, tarfile.TarError | zipfile.BadZipFile) else one_line)(error)
        raise UsageError(f"{archive.name}: refused: {reason}; the next try downloads it again") from error


class _Member(tarfile.TarInfo):
    """A member of a tar file with a whole header; `tarfile` takes another one for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the member of a header."""
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the block that ends an archive
                raise
            raise tarfile.ReadError(f"it is damaged or cut short ({error})") from error
        if member.type in NAME_TYPES and member.size > NAME_BYTES:
            raise tarfile.ReadError(f"a name takes {member.size} bytes")
        return member


class _Bounded:
    """A file that raises if more than `n_bytes` are read from it."""

    def __init__(self, file: BinaryIO, n_bytes: int) -> None:
        self._file = file
        self._n_left = n_bytes

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        content = self._file.read(size)
        self._n_left -= len(content)
        if self._n_left < 0:
            raise tarfile.ReadError("it goes on behind its size")
        return content


def _untar(archive: Path, target: Path, max_bytes: int) -> None:
    """Unpack a tar file with Python's filter ``data``, which refuses unsafe members."""
    with archive.open("rb") as file:
        start = file.read(max(map(len, OPENERS)))
    opener = next((opener for magic, opener in OPENERS.items() if start.startswith(magic)), Path.open)
    n_bytes = n_members = 0
    with opener(archive, "rb") as file:
        stream = _Bounded(file, 2 * max_bytes + HEADERS_BYTES)
        with _opened(stream) as tar:
            for member in tar:
                n_bytes, n_members = n_bytes + member.size, n_members + 1
                _refuse_excess(n_bytes, n_members, max_bytes)
                _refuse_long(target, member.name)
                if member.islnk() and not (target / member.linkname).is_file():
                    raise tarfile.TarError(f"'{member.name}' is a link to no earlier file")
                tar.extract(member, target, filter="data")
            _refuse_more(tar.fileobj)
    if not n_members:
        raise tarfile.ReadError("it holds no files")


def _opened(stream: Any) -> tarfile.TarFile:
    """Return the tar file in a stream, read from its start to its end."""
    try:
        return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member)
    except tarfile.ReadError as error:
        raise tarfile.ReadError(f"no tar or zip archive ({error})") from error


def _refuse_more(stream: Any) -> None:
    """Read a stream behind the end of its tar file, and so compare its checksum; raise if there are data."""
    n_bytes = 0
    while block := stream.read(BLOCK_BYTES):
        n_bytes += len(block)
        if block.strip(b"\0") or n_bytes > PADDING_BYTES:
            raise tarfile.ReadError("it goes on behind its end")


def _refuse_excess(n_bytes: int, n_members: int, max_bytes: int) -> None:
    """Raise if an archive unpacks to too much."""
    if n_bytes > max_bytes:
        raise tarfile.ReadError(f"it unpacks to more than {max_bytes} bytes")
    if n_members > MOST_MEMBERS:
        raise tarfile.ReadError(f"it holds more than {MOST_MEMBERS} members")


def _refuse_long(target: Path, name: str) -> None:
    """Raise if the path of a member, with its links resolved, is too long."""
    if len(os.path.realpath(target / name)) - len(str(target)) > MOST_CHARACTERS:
        raise tarfile.ReadError(f"'{name[:40]}...' is a path of more than {MOST_CHARACTERS} characters")


def _unzip(archive: Path, target: Path, max_bytes: int) -> None:
    """Unpack a zip file; `zipfile` compares checksums, and reads no more of a member than its size."""
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        if not members:
            raise zipfile.BadZipFile("it holds no files")
        _refuse_excess(sum(member.file_size for member in members), len(members), max_bytes)
        for member in members:
            # `zipfile` would silently move such a member into the target.
            if not (target / member.filename).resolve().is_relative_to(target.resolve()):
                raise zipfile.BadZipFile(f"'{member.filename}' would be extracted outside of its folder")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise zipfile.BadZipFile(f"'{member.filename}' is a link")
            packed.extract(member, target)
