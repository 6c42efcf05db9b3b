"""Requests to chat servers: a whole answer in time, or one line."""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from bench.errors import LanguageModelError, UsageError, message, reason
from bench.language.answers import excerpt

KEY_VARIABLE = "BENCH_LLM_KEY"
"""Environment variable of the server's key."""

MOST_BYTES = 2**20
"""Largest answer."""

REFUSALS = frozenset({400, 404, 415, 422, 501})
"""HTTP statuses of servers that may not know a part of a request."""

T = TypeVar("T")


class RefusalError(LanguageModelError):
    """The server refuses the request."""


def address(text: str) -> str:
    """Return the URL at which the protocol begins.

    Raises
    ------
    UsageError
        If it is no URL of a server, or holds a password.

    Examples
    --------
    >>> address("http://localhost:11434#gemma3:270m")
    'http://localhost:11434/v1'
    """
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"{text}: is no URL ({error}); expected such as http://localhost:11434") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query:
        raise UsageError(f"{text}: is no URL of a server; expected such as http://localhost:11434")
    if parts.username is not None or parts.password is not None:
        raise UsageError(f"the URL holds a password; put the key into {KEY_VARIABLE}")
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}"


def is_loopback(url: str) -> bool:
    """Return whether a URL stays on this machine.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8080/v1"), is_loopback("https://api.mistral.ai/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def request(method: str, url: str, seconds: float, body: Mapping[str, Any] | None = None) -> bytes:
    """Return the body of a server's answer; nothing is sent to where it redirects.

    Raises
    ------
    LanguageModelError
        If there is no whole answer in time.
    """
    try:
        status, location, content = _within(seconds, lambda: _exchange(method, url, seconds, body))
    except (TimeoutError, requests.Timeout) as error:
        raise LanguageModelError(
            f"{url}: gives no whole answer within {seconds:g} s; choose a faster model"
        ) from error
    except requests.ConnectionError as error:
        raise LanguageModelError(
            f"{url}: is not there, or hangs up ({excerpt(_cause(error))}); start the server, or choose "
            "another model"
        ) from error
    except requests.RequestException as error:
        raise LanguageModelError(
            f"{url}: answers no HTTP ({excerpt(_cause(error))}); choose another model"
        ) from error
    if len(content) > MOST_BYTES:
        raise LanguageModelError(f"{url}: answers more than {MOST_BYTES} bytes; choose another model")
    if status == requests.codes.ok:
        return content
    text = excerpt(content[:400].decode(errors="replace"))
    if location:
        raise LanguageModelError(
            f"{url}: redirects to {excerpt(location)}, which would get the texts; name that URL if you agree"
        )
    if status in {401, 403}:
        raise LanguageModelError(f"{url}: refuses the key (HTTP {status}); set {KEY_VARIABLE}")
    kind = RefusalError if status in REFUSALS else LanguageModelError
    raise kind(f"{url}: fails (HTTP {status}: {text}); see the server's log, or choose another model")


def _exchange(
    method: str, url: str, seconds: float, body: Mapping[str, Any] | None
) -> tuple[int, str, bytes]:
    """Return the status, where it redirects to, and at most one byte more than `MOST_BYTES` of an answer."""
    with requests.Session() as session:
        session.trust_env = not is_loopback(url)  # a proxy of the environment is another machine
        session.auth = _authorise  # else the key of a .netrc would be sent
        with session.request(
            method, url, json=body, timeout=seconds, allow_redirects=False, stream=True
        ) as response:
            content = bytearray()
            for part in response.iter_content(2**13):
                content += part
                if len(content) > MOST_BYTES:
                    break
            location = response.headers.get("Location", "") if response.is_redirect else ""
            return response.status_code, location, bytes(content)


def _authorise(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add the key of the environment."""
    if key := os.environ.get(KEY_VARIABLE):
        request.headers["Authorization"] = f"Bearer {key}"
    return request


def _within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call returns; a server that sends a byte now and then does not prolong it.

    Raises
    ------
    TimeoutError
        If it takes longer; its thread ends with the connection.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # raised where it is waited for
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result(seconds)


def _cause(error: BaseException) -> str:
    """Return the first reason of an error of a connection."""
    while error.__context__ is not None:
        error = error.__context__
    return reason(error) if isinstance(error, OSError) else message(error)
