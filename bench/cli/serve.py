"""`bench serve`: a model's answers over HTTP."""

import ipaddress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from bench.cli import options
from bench.errors import UsageError
from bench.request import Inference
from bench.request import options as declared

PACKAGES = ("starlette", "uvicorn", "python_multipart")
"""Modules of the extra `serve`."""

SHARED = ("transcribe", "language", "coverage", "weights", "device")
"""Options that it shares with `bench predict`."""


@click.command("serve")
@click.argument("model", type=Path)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    metavar="N",
    help="Port to listen at; 0 for a free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="NAME",
    help="Address to listen at; the default is for this machine alone.",
)
@click.option("--ui", is_flag=True, help="Add a page that takes a file or records one.")
@options.declared(declared(Inference)[name] for name in SHARED)
@click.option(
    "--max-mb",
    type=click.FloatRange(0.001, 2000),
    default=50,
    show_default=True,
    metavar="N",
    help="Largest body of a request, in MB.",
)
@click.option(
    "--max-seconds",
    type=click.FloatRange(0.1, 3600),
    default=600,
    show_default=True,
    metavar="S",
    help="Longest recording, in s.",
)
@click.option(
    "--queue",
    type=click.IntRange(0, 1000),
    default=16,
    show_default=True,
    metavar="N",
    help="Number of requests that wait; others are sent away.",
)
def command(  # a parameter per option
    model: Path, port: int, host: str, ui: bool, max_mb: float, max_seconds: float, queue: int, **fields: Any
) -> None:
    """Answer over HTTP by the MODEL that `bench export` wrote: POST /predict, GET /health and /model.

    /openapi.json describes it. Ctrl-C finishes what runs, and a second one ends at once.
    """
    _require()
    from bench.inference.work import Setup
    from bench.serving import models, server
    from bench.serving.limits import Limits

    limits = Limits(megabytes=max_mb, seconds=max_seconds, queue=queue)
    with server.listen(host, port) as listener:  # before the model, which takes longer
        service = models.service(Setup(model=model.resolve(), options=Inference(**fields)).session())
        if not _is_loopback(listener.getsockname()[0]):
            click.echo(f"warning: --host {host}: whoever reaches this machine may ask", err=True)
        click.echo(f"listening on {server.address(listener)} (Ctrl-C to stop)")
        site = server.Site(hosts=server.names(host), has_page=ui, log=_log)
        server.serve(service, listener, limits, site)
    click.echo("stopped", err=True)


def _log(line: str) -> None:
    click.echo(f"error: {line}", err=True)


def _require() -> None:
    """Raise UsageError unless the packages of the extra are installed."""
    if not all(find_spec(name) for name in PACKAGES):
        from bench.catalog.requirements import installation

        raise UsageError(f"bench serve: needs {', '.join(PACKAGES)}; run: {installation('serve')}")


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
