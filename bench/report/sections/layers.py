"""Scores by the layer of an extractor."""

from collections import Counter
from dataclasses import replace

from bench import display
from bench.report import words
from bench.report.document import Notes, Picture, Section, code, text
from bench.report.figures import Axis, Lines
from bench.report.rows import Table
from bench.types import Score, System


def curves(table: Table) -> dict[System, dict[float, Score]]:
    """Return system -> layer -> score for systems with several layers; the key has the default layer."""
    lines: dict[System, dict[float, Score]] = {}
    for row in table.rows:
        view = row.system.view
        if isinstance(view.layer, int) and not row.is_baseline:
            system = replace(row.system, view=replace(view, layer="last"))
            lines.setdefault(system, {})[float(view.layer)] = table.ranking(row)
    return {system: line for system, line in lines.items() if len(line) > 1}


def section(table: Table) -> Section | None:
    """Return a figure of the scores by layer; None without numbered layers."""
    lines = curves(table)
    if not lines:
        return None
    names = display.names(lines)
    figure = Lines(
        words.title(table),
        Axis("layer", integer=True),
        Axis(table.metric),
        {names[system]: line for system, line in lines.items()},
    )
    return Section("layers", 3, (Picture("layers", figure),), media=frozenset({"page"}), table=table.stem)


def chosen(table: Table) -> Section | None:
    """Return which layers inner folds chose in every row, and how often; None without such a choice."""
    rows = [row for row in table.rows if row.first.layers]
    if not rows:
        return None
    names = words.names(table)
    notes = [text("Layer with the best balanced accuracy in inner folds of the training side, by fold:")]
    for row in rows:
        counts = Counter(layer for result in row.results for layer in result.layers)
        layers = ", ".join(f"layer {layer} in {n}" for layer, n in counts.most_common())
        notes.append(text(code(names[row.system]), f": {layers}."))
    return Section("", 3, (Notes(tuple(notes)),), table=table.stem)
