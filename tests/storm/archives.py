"""Fetch damaged and hostile archives from a server that misbehaves, and see what is left.

    python tests/storm/archives.py --n 60

An archive holds if it is unpacked as it was packed, or refused in one line with no folder left and nothing
written elsewhere.
"""

import bz2
import gzip
import io
import lzma
import random
import stat
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import common

from bench.datasets import fetch as fetching
from bench.errors import UsageError
from bench.types import Card

Members = dict[str, bytes]
Maker = Callable[[random.Random, Members], bytes]

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
}
ENDLESS_BYTES = 1 << 28
"""Bytes after which the server gives up: nobody may have taken as many."""


def contents(chance: random.Random) -> Members:
    """Return the files of a good archive."""
    names = [f"corpus/{folder}/{number}.wav" for folder in "ab" for number in range(3)]
    return {name: chance.randbytes(chance.randrange(400, 9000)) for name in names}


def tar(members: Members, *special: tarfile.TarInfo) -> bytes:
    """Return a tar file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in special:
            archive.addfile(member)
    return buffer.getvalue()


def zipped(members: Members, mode: int = 0o644) -> bytes:
    """Return a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, mode << 16
            archive.writestr(member, content)
    return buffer.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    """Return a member that is no file."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def packed(chance: random.Random, members: Members) -> bytes:
    """Return an archive of any format."""
    name = chance.choice([*COMPRESSIONS, "zip"])
    return zipped(members) if name == "zip" else COMPRESSIONS[name](tar(members))


def truncated(chance: random.Random, members: Members) -> bytes:
    """Return the start of an archive, at times up to the end of a member."""
    name = chance.choice([*COMPRESSIONS, "zip"])
    if name == "zip":
        content = zipped(members)
        return content[: chance.randrange(len(content))]
    content = tar(members)
    if chance.random() < 0.5:
        compressed = COMPRESSIONS[name](content)
        return compressed[: chance.randrange(len(compressed))]
    n_blocks = sum(1 + -(-len(data) // 512) for data in members.values())
    return COMPRESSIONS[name](content[: 512 * chance.randrange(n_blocks)])


def damaged(chance: random.Random, members: Members) -> bytes:
    """Return an archive with a changed header, or with changed bytes behind the first."""
    if chance.random() < 0.3:
        content = bytearray(tar(members))
        content[512 * (1 + -(-len(next(iter(members.values()))) // 512)) + chance.randrange(100)] ^= 0x55
        return COMPRESSIONS[chance.choice(list(COMPRESSIONS))](bytes(content))
    name = chance.choice(["tar.gz", "tar.bz2", "tar.xz", "zip"])
    content = bytearray(zipped(members) if name == "zip" else COMPRESSIONS[name](tar(members)))
    start = chance.randrange(10, len(content) - 300)
    if chance.random() < 0.5:
        content[start : start + chance.randrange(1, 200)] = b""
    else:
        for position in range(start, start + chance.randrange(1, 30)):
            content[position] = chance.randrange(256)
    return bytes(content)


def outside(chance: random.Random, members: Members) -> bytes:
    """Return an archive that leaves its folder."""
    name = chance.choice(
        ["../../outside", "/tmp/outside-of-bench", "a/../../../outside", "corpus/../../../x"]
    )
    if chance.random() < 0.3:
        return zipped({**members, name: b"x"})
    if chance.random() < 0.3:
        return zipped({"link": b"/etc"}, mode=stat.S_IFLNK | 0o777)
    link = chance.choice(
        [
            special("out", tarfile.SYMTYPE, "/etc"),
            special("out", tarfile.SYMTYPE, "../../.."),
            special("out", tarfile.LNKTYPE, "../../outside"),
            special("out", tarfile.LNKTYPE, "corpus/nothing.wav"),
            special("out", tarfile.FIFOTYPE),
            special("out", tarfile.CHRTYPE),
            special("out", tarfile.BLKTYPE),
            special(name, tarfile.DIRTYPE),
        ]
    )
    return COMPRESSIONS[chance.choice(list(COMPRESSIONS))](tar(members, link))


def bomb(chance: random.Random, members: Members) -> bytes:
    """Return an archive that unpacks to very much."""
    kind = chance.randrange(4)
    if kind == 0:
        return gzip.compress(tar({"zeros": bytes(40_000_000)}))
    if kind == 1:
        return zipped({"zeros": bytes(40_000_000)})
    if kind == 2:  # nothing but names
        header = tar({"x" * 90: b""})[:512]
        return gzip.compress(header * 20_000 + bytes(1024))
    member = special("name", tarfile.XHDTYPE)
    member.size = 30_000_000
    return gzip.compress(member.tobuf() + bytes(member.size) + tar(members))


def longer(chance: random.Random, members: Members) -> bytes:
    """Return an archive with more behind its end."""
    content = tar(members)
    more = chance.choice([bytes(40_000_000), tar({"later": b"x"}), b"garbage" * 100])
    return chance.choice([gzip.compress, bytes])(content + more)


def twisted(chance: random.Random, members: Members) -> bytes:
    """Return an archive whose names contradict each other, or are no names."""
    name = next(iter(members))
    extra: Members = chance.choice(
        [
            {f"{name}/below": b"x"},
            {"/".join(["deep"] * 2000): b"x"},
            {"n" * 300: b"x"},
            {"corpus": b"a file, not a folder"},
            {"a\nb\x1b[2J.wav": b"x"},
        ]
    )
    return chance.choice([lambda m: gzip.compress(tar(m)), zipped])({**members, **extra})


def nothing(chance: random.Random, members: Members) -> bytes:
    """Return what is no archive, or an empty one."""
    return chance.choice([b"", b"<html>Please log in</html>", bytes(100_000), tar({}), zipped({}), b"PK"])


MAKERS: dict[str, Maker] = {
    "good": packed,
    "truncated": truncated,
    "damaged": damaged,
    "outside": outside,
    "bomb": bomb,
    "longer": longer,
    "twisted": twisted,
    "nothing": nothing,
}

BEHAVIOURS = ("whole", "whole", "whole", "cut", "cut chunks", "cut without length", "page", "endless")


class Handler(BaseHTTPRequestHandler):
    """A server that sends `content` as `behaviour` says, and all of it from the second request on."""

    protocol_version = "HTTP/1.1"
    content = b""
    behaviour = "whole"
    n_requests = 0

    def do_GET(self) -> None:
        """Send the archive, or not."""
        cls = type(self)
        cls.n_requests += 1
        behaviour = cls.behaviour if cls.n_requests == 1 or cls.behaviour == "endless" else "whole"
        requested = self.headers.get("Range")
        first = int(requested.split("=")[1].rstrip("-")) if requested else 0
        self.close_connection = True
        if requested and first >= len(cls.content):
            self.send_response(416)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        rest = cls.content[first:]
        half = rest[: len(rest) // 2]
        self.send_response(206 if requested else 200)
        if requested:
            self.send_header("Content-Range", f"bytes {first}-{len(cls.content) - 1}/{len(cls.content)}")
        if behaviour == "page":
            self.send_header("Content-Type", "text/html; charset=utf-8")
            rest = b"<html>Please log in</html>"
        if behaviour in {"whole", "page", "cut"}:
            self.send_header("Content-Length", str(len(rest)))
        if behaviour == "cut chunks":
            self.send_header("Transfer-Encoding", "chunked")
            half = f"{len(half) or 1:x}\r\n".encode() + half + b"\r\n"
        self.end_headers()
        try:
            self.wfile.write(half if behaviour.startswith("cut") else rest)
            for _ in range(ENDLESS_BYTES >> 20 if behaviour == "endless" else 0):
                self.wfile.write(bytes(1 << 20))
        except OSError:
            return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def server(content: bytes, behaviour: str) -> Iterator[str]:
    """Yield the address of an archive."""
    handler = type("One", (Handler,), {"content": content, "behaviour": behaviour, "n_requests": 0})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}/corpus.tar.gz"
        http.shutdown()


def fault(kind: str, behaviour: str, chance: random.Random, home: Path) -> str:
    """Return what is wrong with how an archive is fetched; empty if it holds."""
    members = contents(chance)
    content = MAKERS[kind](chance, members)
    with server(content, behaviour) as url:
        file: dict[str, object] = {"url": url}
        if behaviour == "endless" or chance.random() < 0.3:
            file["bytes"] = len(content)
        card = Card(name="storm", kind="path", version="1", about="", files=(file,))
        folder = home / "cache"
        for attempt in (1, 2):
            try:
                target = fetching.fetch(card, folder, lambda *_: None)
            except UsageError as error:
                if "\n" in str(error) or "\x1b" in str(error):
                    return f"more than one line: {error}"
                if any((folder / "data").iterdir()):
                    return "a folder is left"
                if attempt == 2 and kind == "good" and behaviour not in {"endless", "cut without length"}:
                    return f"refused a good archive: {error}"
            except Exception as error:
                return f"{type(error).__name__}: {error}"
            else:
                there = {
                    str(path.relative_to(target)): path.read_bytes()
                    for path in target.rglob("*")
                    if path.is_file()
                }
                if {name: there.get(name) for name in members} != members:
                    return "unpacked something else"
                break
    strange = [path.name for path in home.iterdir() if path.name != "cache"]
    return f"wrote {strange} elsewhere" if strange or Path("/tmp/outside-of-bench").exists() else ""


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per archive."""
    for number in range(n):
        kind, behaviour = list(MAKERS)[number % len(MAKERS)], chance.choice(BEHAVIOURS)
        home = folder / f"home{number}"
        home.mkdir()
        yield common.Case(f"{number} {kind}, {behaviour}", fault(kind, behaviour, chance, home))


if __name__ == "__main__":
    common.main(storm, 60)
