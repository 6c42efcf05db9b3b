"""Limits of a server, and refusals of requests in one line."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import BenchError

FULL_RATE = 48_000
"""Sample rate up to which a recording may have its full length, in Hz; at a higher one it is shorter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server takes.

    Parameters
    ----------
    megabytes : float
        Largest body of a request, in MB (10**6 bytes).
    seconds : float
        Longest recording, in s.
    queue : int
        Number of requests that wait for the worker.
    upload_seconds : float
        Longest time that a client may take to send a body, in s.
    header_seconds : float
        Longest time that a client may take to send the head of a request, in s.
    connections : int
        Largest number of connections at once.
    windows : int
        Largest number of windows of a recording.
    """

    megabytes: float = 50
    seconds: float = 600
    queue: int = 16
    upload_seconds: float = 60
    header_seconds: float = 10
    connections: int = 512
    windows: int = 600

    @property
    def n_bytes(self) -> int:
        """Return the size of the largest body, in bytes."""
        return int(self.megabytes * 1_000_000)

    @property
    def n_samples(self) -> int:
        """Return the length of the longest recording, in samples per channel: it bounds the memory."""
        return int(self.seconds * FULL_RATE)


class RefusalError(BenchError):
    """A request that is not answered, with its HTTP status and further headers (RFC 9110)."""

    def __init__(self, status: int, line: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(line)
        self.status = status
        self.headers = dict(headers or {})
