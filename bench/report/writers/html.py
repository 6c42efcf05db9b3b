"""The report as one HTML file without links to others: tables to sort and filter, and figures.

DataTables (from itables) sorts and filters, Vega (from vl-convert-python) draws; both go into the file.
"""

import importlib.resources
from collections.abc import Sequence
from typing import Any

import jinja2
import numpy as np

from bench._version import __version__
from bench.catalog.requirements import installation
from bench.errors import UsageError
from bench.keys import digest
from bench.report import words
from bench.report.document import Grid, Notes, Paragraph, Section, Text
from bench.report.figures import vega
from bench.report.map import page, payload
from bench.report.rows import Table
from bench.report.sections import Content, confusion

MOST_CELLS = 2**19
"""Largest number of cells of all confusion matrices on a page; rows further down have no matrix."""


def write(content: Content) -> str:
    """Return the page.

    Raises
    ------
    UsageError
        If the libraries that go into the page are not installed.
    """
    try:
        import itables
        import vl_convert
    except ImportError as error:
        raise UsageError(f"--format html: run: {installation('html')}") from error
    bundle = importlib.resources.files(itables) / "html"
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bench.report.writers", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    tables = _tables(content)
    return environment.get_template("page.html.j2").render(
        version=__version__,
        intro=_intro(content.sections),
        tables=tables,
        data={
            table["id"]: {name: table[name] for name in ("figures", "maps", "matrices")} for table in tables
        },
        config=vega.CONFIG,
        datatables_js=_inline((bundle / "dt_bundle.js").read_text(encoding="utf-8")),
        datatables_css=(bundle / "dt_bundle.css").read_text(encoding="utf-8"),
        map_css=page.style(),
        map_js=[page.library(), page.component()] if any(table["maps"] for table in tables) else [],
        vega_js=_inline(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")),
    )


def _inline(script: str) -> str:
    """Return a script without the tag that would end it."""
    return script.replace("</script", r"<\/script")


def _intro(sections: Sequence[Section]) -> list[Text]:
    """Return the paragraphs at the top of the report."""
    return [
        block.text for section in sections[:1] for block in section.blocks if isinstance(block, Paragraph)
    ]


def _tables(content: Content) -> list[dict[str, Any]]:
    """Return the part of the page for every table."""
    parts = []
    budget = MOST_CELLS
    for table in content.tables:
        sections = [part for part in content.sections if part.table == table.stem and "page" in part.media]
        matrices, budget = _matrices(table, budget)
        parts.append({**_table(table, sections), "matrices": matrices})
    return parts


def _table(table: Table, sections: Sequence[Section]) -> dict[str, Any]:
    """Return a table's notes and grid, and the figures of all its sections."""
    blocks = sections[0].blocks
    names = words.names(table)
    grid = next((block for block in blocks if isinstance(block, Grid)), None)
    kinds = _kinds(grid) if grid else []
    return {
        "id": f"t{digest(table.stem)[:8]}",
        "title": words.title(table),
        "notes": [
            note
            for section in sections
            for block in section.blocks
            if isinstance(block, Notes)
            for note in block.texts
        ],
        "grid": grid,
        "kinds": kinds,
        "ranking": kinds.index("number", 1) if kinds else 0,  # the first number behind the rank
        "keys": [row.first.key for row in table.lines],
        "names": [names[row.system] for row in table.lines],
        "figures": [
            {"title": picture.title, "spec": vega.spec(picture.figure)}
            for section in sections
            for picture in section.pictures
        ],
        "maps": [
            {**payload.payload(block.data), "title": block.title}
            for section in sections
            for block in section.maps
        ],
    }


def _kinds(grid: Grid) -> list[str]:
    """Return whether every column holds names or numbers."""
    columns = zip(*grid.rows, strict=True)
    return ["name" if any(isinstance(cell.value, str) for cell in column) else "number" for column in columns]


def _matrices(table: Table, budget: int) -> tuple[dict[str, Any], int]:
    """Return the confusion matrices by key within a budget of cells, and the rest of the budget."""
    matrices: dict[str, Any] = {}
    for row in table.lines:
        counts = confusion.matrix(table.predictions(row.first))
        rows, columns = np.nonzero(counts.to_numpy())
        budget -= len(rows)
        if budget < 0:
            return matrices, 0
        cells = np.stack([rows, columns, counts.to_numpy()[rows, columns]], axis=1)
        matrices[row.first.key] = {"classes": list(counts.columns), "cells": cells.tolist()}
    return matrices, budget
