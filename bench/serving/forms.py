"""Forms: the one file of a multipart body, written as it arrives (RFC 7578)."""

from typing import IO, Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from bench.serving.limits import RefusalError

REST_BYTES = 10_000
"""Most bytes of the other fields of a form, which are ignored."""


class FormFile:
    """Write the file of a form; its parts come in `write`.

    Parameters
    ----------
    header : str
        Content-Type of the body.
    target : IO[bytes]
        Where the file goes.

    Attributes
    ----------
    name : str | None
        Name that the client gave the file; None before there is one.
    size : int
        Number of bytes that were written.

    Raises
    ------
    RefusalError
        If the body is no form, here or in `write` (400).
    """

    def __init__(self, header: str, target: IO[bytes]) -> None:
        self.name: str | None = None
        self.size = 0
        self._target, self._n_rest, self._is_file, self._is_over = target, 0, False, False
        self._field, self._value, self._disposition = bytearray(), bytearray(), b""
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        boundary = parse_options_header(header)[1].get(b"boundary", b"")
        if not boundary:
            raise RefusalError(400, "form: Content-Type has no boundary; send multipart/form-data")
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise RefusalError(400, "form: the boundary is too long") from error

    def write(self, chunk: bytes) -> None:
        """Take the next part of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise RefusalError(400, "form: is damaged; send multipart/form-data") from error

    def finish(self) -> None:
        """Raise RefusalError (400) if the form has no file, an empty one or no end."""
        if not self._is_over:
            raise RefusalError(400, "form: is cut off before its end; send all of it")
        if not self.size:
            raise RefusalError(400, "form: has no file, or an empty one; send one, such as -F file=@a.wav")

    def _begin(self) -> None:
        self._disposition = b""

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def _end_headers(self) -> None:
        names = parse_options_header(self._disposition)[1]
        self._is_file = b"filename" in names
        if self._is_file and self.name is not None:
            raise RefusalError(400, "form: has several files; send one at a time")
        if self._is_file:
            self.name = names[b"filename"].decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.size += self._target.write(data[start:end])
            return
        self._n_rest += end - start
        if self._n_rest > REST_BYTES:
            raise RefusalError(400, "form: has long fields beside the file; send the file alone")

    def _end(self) -> None:
        self._is_over = True
