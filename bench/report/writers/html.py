"""The leaderboard as one HTML file that needs nothing besides: tables to sort and filter, and figures.

DataTables (from itables) makes the tables, Vega (from vl-convert-python) the figures; both go into the file.
"""

import importlib.resources
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from bench import catalog
from bench._version import __version__
from bench.embed import pooling
from bench.embed.cache import Cache
from bench.errors import UsageError
from bench.keys import digest
from bench.report import confusion, leaderboard, learning, slices
from bench.report.rows import Row, Table
from bench.store import Store
from bench.types import BASELINE, Cost, Score, View

MOST_CELLS = 2**19
"""Of all confusion matrices that the page holds; rows further down go without."""

MOST_POINTS = 3000
"""Clips that a map shows: drawn at random of more."""

LAYER = re.compile(r"layer (\d+), (.+)")

CONFIG: Mapping[str, Any] = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "gridColor": "#88888840",
        "domainColor": "#888888",
        "tickColor": "#888888",
        "labelLimit": 160,
    },
    "legend": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "labelLimit": 260,
        "symbolLimit": 60,
        "symbolOpacity": 1,
        "symbolBaseFillColor": "#888888",
        "symbolBaseStrokeColor": "#888888",
    },
    "view": {"stroke": "#88888880"},
    "range": {"category": {"scheme": "tableau10"}},
}
"""Of every figure: colours that are readable on light and on dark."""


def text(
    stores: Sequence[Store],
    tables: Sequence[Table],
    sliced: Mapping[str, Mapping[str, pd.DataFrame]],
    cache: Cache | None,
) -> str:
    """Return the page.

    Parameters
    ----------
    sliced : Mapping[str, Mapping[str, pd.DataFrame]]
        Of a table's stem and a label column: scores as of `slices.scores`, drawn if they are over numbers.
    cache : Cache | None
        What holds the embeddings of the maps.

    Raises
    ------
    UsageError
        If the libraries that go into the page are not installed.
    """
    try:
        import itables
        import vl_convert
    except ImportError as error:
        raise UsageError('--format html: run: pip install "audio-embedding-bench[html]"') from error
    bundle = importlib.resources.files(itables) / "html"
    budget = MOST_CELLS
    sections = []
    for table in (each for each in tables if each.rows):
        matrices, budget = _matrices(table, budget)
        sections.append(
            {**_section(table, sliced.get(table.stem, {})), **_map(table, cache), "matrices": matrices}
        )
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.report.writers", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    runs = [store.run() for store in stores]
    return environment.get_template("page.html.j2").render(
        version=__version__,
        commands=[run["command"] for run in runs if run["command"]],
        unfinished=not all(run["finished"] for run in runs),
        sections=sections,
        others=[(table, result) for table in tables for result in table.others],
        data={
            section["id"]: {**section["figures"], "map": section.get("spec"), "matrices": section["matrices"]}
            for section in sections
        },
        config=CONFIG,
        datatables_js=_inline((bundle / "dt_bundle.js").read_text(encoding="utf-8")),
        datatables_css=(bundle / "dt_bundle.css").read_text(encoding="utf-8"),
        vega_js=_inline(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")),
    )


def _inline(script: str) -> str:
    """Return a script that no HTML parser takes for over before it is."""
    return script.replace("</script", r"<\/script")


def _section(table: Table, sliced: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Return what the page shows of a table."""
    names = table.metrics
    figures: dict[str, Any] = {"pareto": _pareto(table)}
    for name, curves, x in _curves(table, sliced):
        figures[name] = _lines(curves, x, table.main)
    return {
        "id": f"t{digest(table.stem)[:8]}",
        "title": f"{table.task} on {table.title}",
        "facts": [_plain(fact) for fact in leaderboard.facts(table)],
        "main": table.main,
        "metrics": names,
        "costs": list(Cost().columns()),
        "rows": [_row(table, row, names) for row in table.rows],
        "figures": {name: spec for name, spec in figures.items() if spec},
    }


def _plain(fact: str) -> str:
    """Return Markdown as the text that it shows."""
    shown = re.sub(r"\*\*|(?<!\\)`", "", fact)
    return re.sub(r"\\(.)", r"\1", shown).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _row(table: Table, row: Row, names: Sequence[str]) -> dict[str, Any]:
    first = row.first
    baseline = first.head == BASELINE
    return {
        "key": first.key,
        "name": table.name(row),
        "rank": leaderboard.ranks(row),
        "low": row.standing.low,
        "tied": row.standing.tied,
        "extractor": row.extractor,
        "view": row.view,
        "head": first.head,
        "scores": [
            (row.scores[name].value, leaderboard.number(row.scores[name])) if name in row.scores else ("", "")
            for name in (table.main, *names)
        ],
        "clips": first.n_test,
        "groups": first.n_groups,
        "costs": [
            (value, "" if baseline or value is None else leaderboard.about(value))
            for value in first.cost.columns().values()
        ],
    }


def _pareto(table: Table) -> dict[str, Any]:
    """Return scores over what an hour of audio costs, with a line through the rows that no other beats."""
    points: list[dict[str, Any]] = []
    for row in table.rows:
        cost, score = row.first.cost, row.scores[table.main]
        seconds = cost.extract_s + cost.predict_s
        if row.first.head != BASELINE and seconds > 0 and cost.audio_s > 0:
            points.append(
                {
                    "name": table.name(row),
                    "extractor": row.first.extractor,
                    "head": row.first.head,
                    "seconds": float(f"{3600 * seconds / cost.audio_s:.3g}"),
                    **_bounds(score),
                }
            )
    best = -np.inf
    for point in sorted(points, key=lambda point: (point["seconds"], -point["score"])):
        point["front"] = point["score"] > best
        best = max(best, point["score"])
    x = {
        "field": "seconds",
        "type": "quantitative",
        "scale": {"type": "log"},
        "title": "s of extraction and prediction per hour of audio",
    }
    y = {"field": "score", "type": "quantitative", "scale": {"zero": False}, "title": table.main}
    tooltip = [{"field": name} for name in ("name", "score", "low", "high", "seconds")]
    layers = [
        {
            "transform": [{"filter": "datum.front"}],
            "mark": {"type": "line", "color": "#888888", "interpolate": "step-after", "strokeDash": [4, 3]},
            "encoding": {"x": x, "y": y},
        },
        {"mark": {"type": "rule", "color": "#888888", "opacity": 0.5}, "encoding": {"x": x, **_interval(y)}},
        {
            "mark": {"type": "point", "filled": True, "size": 90},
            "encoding": {
                "x": x,
                "y": y,
                "color": {"field": "extractor", "type": "nominal"},
                "shape": {"field": "head", "type": "nominal"},
                "tooltip": tooltip,
            },
        },
    ]
    if not points:
        return {}
    return {"description": f"{table.main} over cost", "data": {"values": points}, "layer": layers}


def _bounds(score: Score) -> dict[str, float]:
    low, high = score.bounds
    return {"score": round(score.value, 4), "low": round(low, 4), "high": round(high, 4)}


def _interval(y: Mapping[str, Any]) -> dict[str, Any]:
    return {"y": {**y, "field": "low"}, "y2": {"field": "high"}}


Curves = Mapping[str, Mapping[float, Score]]


def _curves(table: Table, sliced: Mapping[str, pd.DataFrame]) -> Iterable[tuple[str, Curves, str]]:
    """Yield the name of every curve of a table, its lines, and what they are over."""
    layers: dict[str, dict[float, Score]] = {}
    for row in table.rows:
        if found := LAYER.fullmatch(row.first.view):
            name = f"{row.first.extractor} {found[2]} {row.first.head}"
            layers.setdefault(name, {})[float(found[1])] = row.scores[table.main]
    yield "layers", {name: line for name, line in layers.items() if len(line) > 1}, "layer"
    yield "training", learning.curves(table), "share of the training groups"
    for column, frame in sliced.items():
        yield f"by {column}", slices.lines(frame), column


def _lines(curves: Curves, x: str, y: str) -> dict[str, Any]:
    """Return lines with their intervals."""
    values = [
        {"name": name, "x": place, **_bounds(score)}
        for name, line in curves.items()
        for place, score in sorted(line.items())
    ]
    if not values:
        return {}
    axis = {"tickMinStep": 1, "format": "d"} if x == "layer" else {}
    across = {"field": "x", "type": "quantitative", "title": x, "scale": {"zero": False}, "axis": axis}
    up = {"field": "score", "type": "quantitative", "title": y, "scale": {"zero": False}}
    colour = {"color": {"field": "name", "type": "nominal", "title": "row"}}
    tooltip = [{"field": name} for name in ("name", "x", "score", "low", "high")]
    return {
        "description": f"{y} by {x}",
        "data": {"values": values},
        "layer": [
            {"mark": {"type": "area", "opacity": 0.12}, "encoding": {"x": across, **_interval(up), **colour}},
            {
                "mark": {"type": "line", "point": True},
                "encoding": {"x": across, "y": up, **colour, "tooltip": tooltip},
            },
        ],
    }


def _matrices(table: Table, budget: int) -> tuple[dict[str, Any], int]:
    """Return the confusion matrices by key, as far as the budget of cells goes, and what is left of it."""
    found: dict[str, Any] = {}
    for row in table.rows:
        counts = confusion.matrix(table.predictions(row.first))
        rows, columns = np.nonzero(counts.to_numpy())
        budget -= len(rows)
        if budget < 0:
            return found, 0
        cells = np.stack([rows, columns, counts.to_numpy()[rows, columns]], axis=1)
        found[row.first.key] = {"classes": list(counts.columns), "cells": cells.tolist()}
    return found, budget


def _map(table: Table, cache: Cache | None) -> dict[str, Any]:
    """Return the clips of a table in the plane, as its best row's extractor hears them, if that is kept."""
    if cache is None or table.best is None:
        return {}
    best = table.best.first
    run = table.stores[best.key].run()
    extractor = catalog.key(run["identities"][best.extractor], run["env"]["bench"])
    clips = table.stores[best.key].split(table.dataset, table.task)
    found = cache.read(extractor, clips["content"].tolist())
    clips = clips[clips["content"].isin(found.keys())]
    if len(clips) > MOST_POINTS:
        clips = clips.sample(MOST_POINTS, random_state=0).sort_index()
    if len(clips) < 3:
        return {}
    X = pooling.select([found[content].statistics for content in clips["content"]], View())
    scaled = (X - X.mean(axis=0)) / np.maximum(X.std(axis=0), 1e-9)
    plane = PCA(2, svd_solver="full").fit_transform(scaled)
    places = zip(plane.astype(float).round(3).tolist(), clips["y"], clips["clip"], strict=True)
    values = [{"x": x, "y": y, "label": label, "clip": clip} for (x, y), label, clip in places]
    axis = {"type": "quantitative", "axis": {"labels": False, "ticks": False}}
    return {
        "map": f"{best.extractor} @ {View()}, by PCA of the scaled embeddings",
        "spec": {
            "description": f"embeddings of {best.extractor}",
            "data": {"values": values},
            "mark": {"type": "point", "filled": True, "opacity": 0.7},
            "encoding": {
                "x": {"field": "x", "title": "first component", **axis},
                "y": {"field": "y", "title": "second component", **axis},
                "color": {"field": "label", "type": "nominal", "title": table.task},
                "tooltip": [{"field": "clip"}, {"field": "label"}],
            },
        },
    }
