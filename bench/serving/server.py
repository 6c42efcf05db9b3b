"""The server: a socket, uvicorn on it, and a graceful end."""

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bench.errors import UsageError, reason
from bench.serving.answering import Service
from bench.serving.app import Application
from bench.serving.limits import Limits
from bench.serving.queue import Queue
from bench.serving.uploads import Uploads

FORCED = 130
"""Exit code after a second Ctrl-C, as shells have it."""

LOCAL = frozenset({"localhost", "localhost."})
"""Names of every machine for itself."""


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises
    ------
    UsageError
        If the port is in use, or the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(
            f"--host {host}: {reason(error)}; expected a name or address of this machine"
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        line = f"--host {host} --port {port}: {reason(error)}; give another port, or --port 0 for a free one"
        raise UsageError(line) from error
    return listener


def address(listener: socket.socket) -> str:
    """Return the address of a listening socket for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def names(host: str) -> frozenset[str]:
    """Return the names of a server at a host, which a browser may send in the Host header."""
    return LOCAL | {name.lower() for name in (host, socket.gethostname(), socket.getfqdn())}


class Server(uvicorn.Server):  # type: ignore[misc]  # optional, so its types are not read
    """A server that on Ctrl-C or SIGTERM finishes what runs, and on the second one ends at once."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal; `uvicorn` would raise it again at the end."""
        self.should_exit, self.force_exit = True, self.should_exit


def protocol(seconds: float) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with a limit in s for the head of a request, and for a body nobody reads."""

    class Protocol(H11Protocol):  # type: ignore[misc]
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            self._expect_request()

        def on_response_complete(self) -> None:
            self._expect_request()
            super().on_response_complete()

        def _expect_request(self) -> None:
            last = self.cycle

            def expire() -> None:
                if self.cycle is last:
                    self.transport.close()

            self.loop.call_later(seconds, expire)

    return Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """How a server shows itself.

    Parameters
    ----------
    hosts : frozenset[str]
        Names of it in the Host header, beside addresses in numbers.
    has_page : bool
        Whether there is a page at ``/``.
    log : Callable[[str], None]
        Is called with a line for every fault of the server.
    """

    hosts: frozenset[str] = LOCAL
    has_page: bool = False
    log: Callable[[str], None] = lambda line: None


def serve(service: Service, listener: socket.socket, limits: Limits, site: Site) -> None:
    """Answer requests on a listening socket until Ctrl-C or SIGTERM, and finish those that run.

    A second signal ends the process, with the exit code `FORCED`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-serve-") as folder:  # for this user alone
        queue = Queue(limits.queue)
        site_server = server(service, limits, site, Path(folder), queue)
        try:
            site_server.run(sockets=[listener])
        finally:
            queue.close()
    if site_server.force_exit:
        os._exit(FORCED)  # Python would wait for what the worker computes


def server(service: Service, limits: Limits, site: Site, folder: Path, queue: Queue) -> Server:
    """Return the server with its folder for uploads and its queue."""
    application = Application(service, limits, Uploads(folder, limits), queue, site.log)
    config = uvicorn.Config(
        application.starlette(site.hosts, site.has_page),
        http=protocol(limits.header_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=limits.connections,
    )
    return Server(config)
