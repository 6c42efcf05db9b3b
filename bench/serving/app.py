"""The application: addresses, answers and errors as JSON, and the headers that protect a browser."""

import ipaddress
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench._version import __version__
from bench.errors import describe
from bench.serving import answering, page, question
from bench.serving.answering import Service
from bench.serving.limits import Limits, RefusalError
from bench.serving.openapi import document
from bench.serving.queue import Queue
from bench.serving.uploads import Uploads

JSON = "application/json"

SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every response."""


class Guard:
    """Refuse what another web page sends through a browser, and add the headers of `SAFE`.

    A name in the Host header that is not one of the server's may be an attacker's, whose DNS leads to this
    machine (DNS rebinding); an address in numbers leads to no other. The origin of a page is this server.

    Parameters
    ----------
    hosts : frozenset[str]
        Names of this server, beside addresses in numbers.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(headers.get("host", ""), headers.get("origin"))
        app = self._app if refusal is None else _failure(refusal)
        await app(scope, receive, send_safely)

    def _refusal(self, host: str, origin: str | None) -> RefusalError | None:
        if not _is_address(_name(host)) and _name(host) not in self._hosts:
            return RefusalError(400, "Host: is no name of this server; use the address that it printed")
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return RefusalError(403, "Origin: another web page must not ask this server")
        return None


def _name(host: str) -> str:
    """Return the name or address in a Host header, without its port."""
    name = host.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.rpartition(":")[0] if ":" in name else name


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Application:
    """Answer requests with a service.

    Parameters
    ----------
    uploads : Uploads
        Receives their bodies.
    queue : Queue
        Holds the one worker.
    log : Callable[[str], None]
        Is called with a line for every fault of this server.
    """

    def __init__(
        self, service: Service, limits: Limits, uploads: Uploads, queue: Queue, log: Callable[[str], None]
    ) -> None:
        self._service, self._limits, self._log = service, limits, log
        self._uploads, self._queue = uploads, queue

    def starlette(self, hosts: frozenset[str], has_page: bool) -> Starlette:
        """Return the application for a server with these names; `has_page` adds the page at ``/``."""
        routes = [
            Route("/predict", self.predict, methods=["POST"]),
            Route("/health", self.health),
        ]
        files = {"/model": self._service.card, "/openapi.json": document(self._service, self._limits)}
        contents = {path: (msgspec.json.encode(values), JSON) for path, values in files.items()}
        if has_page:
            contents |= page.files(page.facts(self._service, self._limits))
        routes += [Route(path, partial(_file, *content)) for path, content in contents.items()]
        return Starlette(
            routes=routes,
            middleware=[Middleware(Guard, hosts=hosts)],
            exception_handlers={HTTPException: _not_there},
        )

    async def health(self, request: Request) -> Response:
        """Return that the server runs, and how many requests wait or are answered."""
        return _json({"status": "ok", "requests": self._queue.n_jobs, "version": __version__})

    async def predict(self, request: Request) -> Response:
        """Return the answer about the recording in a request, or a refusal."""
        try:
            return _json(await self._answer(request))
        except RefusalError as refusal:
            return _failure(refusal)
        except ClientDisconnect:  # nobody reads this
            return Response(status_code=400)
        except Exception as error:
            self._log(f"POST /predict: {describe(error)}")
            return _failure(RefusalError(500, "a fault of this server, which it has printed where it runs"))

    async def _answer(self, request: Request) -> Mapping[str, Any]:
        if len(set(request.query_params)) < len(request.query_params.multi_items()):
            raise RefusalError(422, "query: names a parameter twice; give it once")
        query = question.parse(request.query_params, self._service.transcriber)
        self._queue.admit()
        upload = await self._uploads.receive(request)
        work = partial(answering.answer, self._service, upload, query, self._limits)
        return await self._queue.answer(work, upload.remove, partial(_gone, request))


async def _gone(request: Request) -> None:
    """Return as soon as the client has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(values: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(values), status, headers, JSON)


def _failure(refusal: RefusalError) -> Response:
    return _json({"error": str(refusal)}, refusal.status, refusal.headers)


def _not_there(request: Request, error: Exception) -> Response:
    """Return the answer of an address or a method that there is not."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    line = {405: "no such method here", 404: "no such address"}.get(status, "not possible")
    headers = error.headers if isinstance(error, HTTPException) else None
    return _json({"error": f"{line}; see /openapi.json"}, status, headers)


async def _file(content: bytes, kind: str, request: Request) -> Response:
    return Response(content, media_type=kind)
