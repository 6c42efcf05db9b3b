"""Uploads: bodies of requests as files in a private folder, under names of this server's own."""

import asyncio
import itertools
import re
import struct
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from starlette.requests import Request

from bench import audio
from bench.errors import reason
from bench.serving.forms import FormFile
from bench.serving.limits import Limits, RefusalError

NAME_LENGTH = 120
"""Longest name of a file that an answer repeats, in characters."""

TYPES = re.compile(r"(audio|video)/[\w.+-]+|application/(octet-stream|ogg|x-flac)")
"""Media types of a body that is an audio file; its first bytes tell which format it is."""

EXPECTED = (
    "a multipart form with a file, audio/wav, audio/flac, audio/mpeg, audio/ogg, application/octet-stream, "
    "audio/L16;rate=16000 or audio/x-raw;format=F32LE;rate=16000"
)

CODES = {"S16": 3, "F32": 6}
"""Format of raw samples -> its code in the header of an AU file."""

ORDERS = {"LE": "<4s5I", "BE": ">4s5I"}
"""Order of bytes -> layout of the header of an AU file."""

UNKNOWN_SIZE = 0xFFFFFFFF
"""Size of samples in the header of an AU file that says none."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A body as a file.

    Parameters
    ----------
    path : Path
        Named by this server.
    name : str
        Name that the client gave, only to be shown; empty without one.
    """

    path: Path
    name: str

    def remove(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class RawFormat:
    """Samples without a header: `sample` and `order` as `CODES` and `ORDERS` have them, rate in Hz."""

    sample: str
    order: str
    sample_rate: int
    channels: int

    @property
    def header(self) -> bytes:
        """Return the header of an AU file (Sun Microsystems, audio.h) with samples of this format."""
        magic = b".snd" if self.order == "BE" else b"dns."
        facts = (24, UNKNOWN_SIZE, CODES[self.sample], self.sample_rate, self.channels)
        return struct.pack(ORDERS[self.order], magic, *facts)

    @property
    def frame_bytes(self) -> int:
        """Return the bytes of one sample of all channels."""
        return {"S16": 2, "F32": 4}[self.sample] * self.channels


class Uploads:
    """Receive bodies into a folder.

    Parameters
    ----------
    folder : Path
        Private to this server, which removes it.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder, self._limits = folder, limits
        self._numbers = itertools.count(1)
        self._n_bytes = 0  # of all bodies that arrive at the moment
        self._budget = (limits.queue + 2) * limits.n_bytes

    async def receive(self, request: Request) -> Upload:
        """Return the body of a request.

        Raises
        ------
        RefusalError
            If it is empty or no form (400), too slow (408), too large (413), of another type (415), not a
            whole number of samples (422), if too many others arrive at the moment (429), or if the disk is
            full (503).
        ClientDisconnect
            If the client leaves before its end.
        """
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RefusalError(415, "Content-Encoding: is not taken; send the audio as it is")
        if _declared_bytes(request) > self._limits.n_bytes:
            raise self._too_large()
        path = self._folder / f"{next(self._numbers)}.upload"
        try:
            name = await self._write(request, path)
            _check(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Upload(path, name)

    async def _write(self, request: Request, path: Path) -> str:
        """Write the body of a request, and return the name that the client gave it."""
        kind, parameters = media_type(request.headers.get("content-type", ""))
        try:
            async with asyncio.timeout(self._limits.upload_seconds):
                if kind == "multipart/form-data":
                    return await self._form_file(request, path)
                await self._raw_file(request, path, raw_format(kind, parameters))
                return ""
        except TimeoutError as error:
            line = f"the body took more than {self._limits.upload_seconds:g} s; send it faster"
            raise RefusalError(408, line, {"Connection": "close"}) from error
        except OSError as error:
            line = f"the recording cannot be kept here ({reason(error)}); try later"
            raise RefusalError(503, line, {"Retry-After": "30"}) from error

    async def _chunks(self, request: Request) -> AsyncGenerator[bytes, None]:
        """Yield the body, and refuse it as soon as it is too large."""
        size = 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                self._n_bytes += len(chunk)
                if size > self._limits.n_bytes:
                    raise self._too_large()
                if self._n_bytes > self._budget:
                    line = "many recordings arrive at the moment; send it again in 2 s"
                    raise RefusalError(429, line, {"Retry-After": "2"})
                yield chunk
        finally:
            self._n_bytes -= size

    async def _raw_file(self, request: Request, path: Path, form: RawFormat | None) -> None:
        """Write a body; before raw samples goes a header."""
        size = 0
        with path.open("xb") as file:
            file.write(form.header if form else b"")
            async with aclosing(self._chunks(request)) as chunks:
                async for chunk in chunks:
                    size += file.write(chunk)
        if form and size % form.frame_bytes:
            line = f"body: {size} bytes are no whole number of {form.frame_bytes}-byte samples"
            raise RefusalError(422, line)
        if not size:
            raise RefusalError(400, "body: is empty; send audio")

    async def _form_file(self, request: Request, path: Path) -> str:
        """Write the file of a form, and return the name that the client gave it."""
        with path.open("xb") as file:
            form = FormFile(request.headers["content-type"], file)
            async with aclosing(self._chunks(request)) as chunks:
                async for chunk in chunks:
                    form.write(chunk)
            form.finish()
            return shown_name(form.name or "")

    def _too_large(self) -> RefusalError:
        limit = self._limits.megabytes
        return RefusalError(413, f"body: is larger than {limit:g} MB; send a shorter recording, or FLAC")


def _declared_bytes(request: Request) -> int:
    """Return the size that a request declares, in bytes; 0 if it declares none. It is a hint alone."""
    text = request.headers.get("content-length", "0")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else 0


def _check(path: Path) -> None:
    """Raise RefusalError (415) if a file needs a decoder that is not installed."""
    if audio.needs_av(path) and not audio.has_av():
        line = "body: this server lacks PyAV, which reads WebM, MP4 and such"
        raise RefusalError(415, f"{line}; send WAV, or run there: {audio.AV_INSTALLATION}")


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """Return the type of a Content-Type header and its parameters; without one, any audio file.

    Examples
    --------
    >>> media_type("audio/L16; Rate=16000;channels=1")
    ('audio/l16', {'rate': '16000', 'channels': '1'})
    """
    kind, *rest = (part.strip() for part in header.split(";"))
    pairs = (part.partition("=") for part in rest if "=" in part)
    parameters = {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}
    return kind.lower() or "application/octet-stream", parameters


def raw_format(kind: str, parameters: dict[str, str]) -> RawFormat | None:
    """Return the format of a body of raw samples; None of an audio file.

    ``audio/L16`` is RFC 2586: 16-bit samples, the high byte first unless ``endianness=little-endian``.
    ``audio/x-raw`` is as GStreamer names it: ``format=F32LE`` or ``S16LE``, or ``BE`` in place of ``LE``.

    Raises
    ------
    RefusalError
        If the body is no audio (415), or its rate or number of channels is missing or out of range (422).
    """
    if kind == "audio/l16":
        order = {"big-endian": "BE", "little-endian": "LE"}.get(parameters.get("endianness", "big-endian"))
        text = f"S16{order}"
    elif kind == "audio/x-raw":
        text = parameters.get("format", "")
    elif TYPES.fullmatch(kind):
        return None
    else:
        raise RefusalError(415, f"Content-Type: is not audio; expected {EXPECTED}")
    sample, order = text[:3], text[3:]
    if sample not in CODES or order not in ORDERS:
        raise RefusalError(415, f"Content-Type: has no such format of samples; expected {EXPECTED}")
    rate, channels = parameters.get("rate", ""), parameters.get("channels", "1")
    if not re.fullmatch("[0-9]{4,6}", rate):
        raise RefusalError(
            422, "Content-Type: rate is missing or out of range; expected Hz, such as rate=16000"
        )
    if not re.fullmatch("[1-8]", channels):
        raise RefusalError(422, "Content-Type: channels is out of range; expected 1 to 8")
    return RawFormat(sample, order, int(rate), int(channels))


def shown_name(name: str) -> str:
    r"""Return the last part of a file name of a client, printable and short.

    Examples
    --------
    >>> shown_name("../../etc/pass\x00wd"), shown_name("C:\\temp\\a b.wav")
    ('passwd', 'a b.wav')
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(character for character in last if character.isprintable())[:NAME_LENGTH]
