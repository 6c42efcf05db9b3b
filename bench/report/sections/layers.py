"""Scores by the layer of an extractor."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from bench import display
from bench.report import words
from bench.report.document import Grid, Notes, Picture, Section, cell, code, text
from bench.report.figures import Axis, Lines
from bench.report.rows import Table, layer_position
from bench.types import Layer, Score, System


def by_layer(table: Table) -> dict[System, dict[Layer, Score]]:
    """Return system -> layer -> score for systems with several numbered layers; keys have the last layer."""
    scores: dict[System, dict[Layer, Score]] = {}
    for row in table.rows:
        view = row.system.view
        if not row.is_baseline:
            system = replace(row.system, view=replace(view, layer="last"))
            scores.setdefault(system, {})[view.layer] = table.ranking(row)
    return {system: line for system, line in scores.items() if len(_curve(line)) > 1}


def section(table: Table) -> Section | None:
    """Return the scores by layer, and a figure of them; None without numbered layers."""
    lines = by_layer(table)
    if not lines:
        return None
    names = display.names(lines)
    layers = dict.fromkeys(layer for line in lines.values() for layer in line)
    rows = tuple(
        (cell(layer), *(words.score_cell(line.get(layer)) for line in lines.values()))
        for layer in sorted(layers, key=layer_position)
    )
    curves = {names[system]: _curve(line) for system, line in lines.items()}
    figure = Lines(words.title(table), Axis("layer", integer=True), Axis(table.metric), curves)
    picture = Picture("layers", figure, f"figures/{table.stem}-layers.png")
    return Section(
        f"{table.metric} by layer: {words.title(table)}",
        3,
        (Grid(("layer", *curves), rows), picture),
        table=table.stem,
    )


def _curve(line: Mapping[Layer, Score]) -> dict[float, Score]:
    """Return the scores of the numbered layers."""
    return {float(layer): score for layer, score in line.items() if isinstance(layer, int)}


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
