"""The map as one HTML file, which needs no network; only many previews are files beside it."""

import base64
import hashlib
import importlib.resources
import json
from pathlib import Path
from typing import Any

import jinja2

from bench._version import __version__
from bench.files import replace_text
from bench.report.map.data import MapData
from bench.report.map.payload import payload

START = 'clipMap(document.querySelector("main"), JSON.parse(document.getElementById("data").textContent));'
"""The script that draws the map of a page."""


def write(path: Path, data: MapData) -> None:
    """Write the page of a map.

    Parameters
    ----------
    path : Path
        Its folder holds the previews, if they are more than `payload.MOST_EMBEDDED`.

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If previews that do not go into the page are outside its folder.
    """
    replace_text(path, text(payload(data, path.parent)))


def text(values: dict[str, Any]) -> str:
    """Return the page of a map's payload."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.report.map", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    scripts = [library(), component(), START]
    return environment.get_template("page.html.j2").render(
        title=values["title"],
        version=__version__,
        style=style(),
        scripts=scripts,
        hashes=[_hash(script) for script in scripts],
        data=embedded(values),
    )


def embedded(values: Any) -> str:
    r"""Return JSON that may stand inside a script element.

    Examples
    --------
    >>> embedded({"clip": "</script>"})
    '{"clip":"\\u003c/script>"}'
    """
    return json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def library() -> str:
    """Return the script of regl-scatterplot."""
    return _resource("vendor", "regl-scatterplot.js").replace("</script", r"<\/script")


def component() -> str:
    """Return the script that defines ``clipMap``."""
    return _resource("map", "map.js")


def style() -> str:
    """Return the style sheet of the component."""
    return _resource("map", "map.css")


def _resource(*names: str) -> str:
    path = importlib.resources.files("bench.report").joinpath(*names)
    return path.read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return the source expression that lets a page run a script (W3C, Content Security Policy 3, 2.3.1)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
