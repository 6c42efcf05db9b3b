"""The page: drop or record a file, and see what the model says; all of it comes from this server."""

import importlib.resources
from collections.abc import Mapping
from typing import Any

import jinja2

from bench._version import __version__
from bench.serving.answering import Service
from bench.serving.limits import Limits

SCRIPTS = ("page.js", "result.js", "recorder.js", "recorder-worklet.js", "spectrogram.js")


def facts(service: Service, limits: Limits) -> dict[str, Any]:
    """Return what the page says before it asks."""
    return {
        "title": str(service.card.get("task", "bench")),
        "model": str(service.card.get("model", "")),
        "version": __version__,
        "transcriber": service.transcriber,
        "limits": {"bytes": limits.n_bytes, "seconds": limits.seconds},
    }


def files(facts: Mapping[str, Any]) -> dict[str, tuple[bytes, str]]:
    """Return address -> content and media type of every file of the page."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.serving.page", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("page.html.j2").render(facts)
    scripts = {f"/{name}": (_resource(name), "text/javascript") for name in SCRIPTS}
    return {"/": (html.encode(), "text/html"), "/page.css": (_resource("page.css"), "text/css"), **scripts}


def _resource(name: str) -> bytes:
    return importlib.resources.files("bench.serving.page").joinpath(name).read_bytes()
