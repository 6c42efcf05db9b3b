"""Send damaged recordings, random forms and random heads to a server, several at a time.

    python tests/storm/bodies.py --n 2000

Every request gets an answer or a refusal in one line of JSON, which names no folder of this machine; none is
a fault of the server, which answers afterwards, and keeps no upload.
"""

import http.client
import json
import random
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common
from recordings import recordings

from bench import audio
from bench.serving.answering import Service
from bench.serving.limits import Limits
from bench.serving.question import Question
from bench.serving.queue import Queue
from bench.serving.server import Site, listen, server
from bench.types import Clip

STATUSES = {200, 400, 408, 413, 415, 422, 429, 503}
KINDS = (
    *("audio/wav", "audio/flac", "audio/ogg", "audio/webm", "application/octet-stream", "text/html", ""),
    *("audio/L16;rate=16000", "audio/L16", "audio/x-raw;format=F32LE;rate=8000", "audio/x-raw;rate=-1"),
    *("multipart/form-data; boundary=xyz", "multipart/form-data; boundary=", "multipart/form-data"),
)
QUERIES = (
    *("", "", "", "?segments=1:0.5", "?segments=1e9", "?top=1", "?top=%00", "?transcribe=true"),
    *("?file=../../etc/passwd", "?&="),
)
NAMES = (
    *("a.wav", "../../etc/passwd", "a\0b", "<b>.flac", "x" * 5000, '"; filename="b', "\\\\host\\a.wav"),
    "\u00e9\u2603.wav",
)
LIMITS = Limits(megabytes=0.3, seconds=30, queue=32, upload_seconds=5)
N_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is sent, with what it is called."""

    name: str
    query: str
    body: bytes
    headers: Mapping[str, str]


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per request, and one of the server after them."""
    originals = [path.read_bytes() for path in recordings(folder / "originals")]
    asked = [request(number, originals, chance) for number in range(n)]
    uploads = folder / "uploads"
    uploads.mkdir()
    log: list[str] = []
    with running(uploads, log) as port, ThreadPoolExecutor(N_AT_ONCE) as pool:
        faults = list(pool.map(lambda one: fault(port, one, str(folder)), asked))
        yield from (common.Case(one.name, text) for one, text in zip(asked, faults, strict=True))
        alive = fault(port, Asked("last", "", originals[0], {"Content-Type": "audio/wav"}), str(folder))
    left = [path.name for path in uploads.iterdir()]
    yield common.Case("the server afterwards", alive or "; ".join([*log, *left]))


def request(number: int, originals: list[bytes], chance: random.Random) -> Asked:
    """Return a request: a recording, most often damaged, in a body that its head describes or not."""
    damage, content = common.damage(chance.choice(originals), chance)
    kind, query = chance.choice(KINDS), chance.choice(QUERIES)
    if "boundary=xyz" in kind:
        name = chance.choice(NAMES)
        head = f'--xyz\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        content = head.encode() + content + b"\r\n--xyz--\r\n"
        content = common.damage(content, chance)[1] if chance.random() < 0.4 else content
    if chance.random() < 0.05:
        content = chance.randbytes(chance.randrange(400_000))
    headers = {"Content-Type": kind}
    if chance.random() < 0.1:
        headers["Content-Encoding"] = "gzip"
    return Asked(f"{number} {damage} as {kind}{query}", query, content, headers)


def fault(port: int, asked: Asked, folder: str) -> str:
    """Return what is wrong with the response to a request ('' if nothing is)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", f"/predict{asked.query}", asked.body, dict(asked.headers))
        response = connection.getresponse()
        text = response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return f"no response: {error!r}"
    finally:
        connection.close()
    values = json.loads(text)
    if response.status not in STATUSES:
        return f"status {response.status}: {text}"
    if response.status != 200 and (list(values) != ["error"] or len(values["error"].splitlines()) != 1):
        return f"no line: {text}"
    return f"names a folder: {text}" if folder in text or "/tmp" in text else ""


@contextmanager
def running(folder: Path, log: list[str]) -> Iterator[int]:
    """Yield the port of a server that reads recordings and answers how loud they are."""

    def predict(path: Path, question: Question) -> Mapping[str, Any]:
        return {"loudest": float(abs(audio.read(Clip(id="a", path=path), 16_000)).max())}

    queue = Queue(LIMITS.queue)
    with listen("127.0.0.1", 0) as listener:
        site = server(Service(predict=predict, card={}), LIMITS, Site(log=log.append), folder, queue)
        thread = threading.Thread(target=site.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            site.should_exit = True
            thread.join()
            queue.close()


if __name__ == "__main__":
    common.main(storm, 500)
