"""Export: a row of a run -> the folder of a model, fitted to all clips, with its confidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench import display
from bench.calibration.calibration import calibrate
from bench.calibration.familiarity import Familiarity
from bench.catalog.names import is_code
from bench.embed.cache import Cache
from bench.embed.shards import ProgressFactory
from bench.errors import UsageError, shortlist
from bench.inference import folder, readme
from bench.inference.cards import DataCard, ModelCard
from bench.inference.model import vectors
from bench.learn.pipeline import selected_layer
from bench.report.rows import Row, Table
from bench.report.tables import tables
from bench.runner import refit
from bench.runner.cells import FittedCell
from bench.store import DatasetRecord, Store
from bench.types import BASELINE, SELECTED, Result

SHORTEST = 0.05
"""Share of the training clips that are shorter than `DataCard.shortest`."""

BEST = "best"
"""The row of the best score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which row of a run becomes a model.

    Parameters
    ----------
    task : str
        Empty for the only task of the run.
    dataset : str
        Empty for the only data set of the task.
    row : str
        `BEST`, or ``EXTRACTOR,HEAD``, where the extractor may have a view behind it.
    """

    task: str = ""
    dataset: str = ""
    row: str = BEST


def export(  # a run, what to take of it, where to, and what embeds
    store: Store, choice: Choice, to: Path, home: Path, cache: Cache, progress_of: ProgressFactory
) -> str:
    """Write a row of a run as a model, fitted to all clips, and return its card in Markdown.

    Parameters
    ----------
    to : Path
        Folder of the model; an earlier model there is replaced.
    home : Path
        Folder for corpora.

    Raises
    ------
    UsageError
        If there is no such row, it cannot be a model, data or code have changed since the run, or the folder
        cannot be written.
    """
    folder.check_free(to)
    table, result = choose(tables([store]), choice)
    if is_code(result.extractor, ()):
        raise UsageError(
            f"--row {result.extractor},{result.head}: its extractor is code without an entry, which no model "
            "names; declare it in registry/extractors.toml, and run it by that name"
        )
    fitted = refit(store, result, home, cache, progress_of)
    card, familiarity = _card(store, table.source, result, fitted)
    folder.write(to, card, fitted.card, fitted.pipeline, familiarity)
    return readme.text(card, fitted.card)


def choose(every: Sequence[Table], choice: Choice) -> tuple[Table, Result]:
    """Return the row that a choice names, with its table.

    Raises
    ------
    UsageError
        If there is no such task or row, several tables have the task, or the row cannot be a model.
    """
    table = _table(every, choice)
    if table.leaky or table.permuted:
        raise UsageError(
            f"task {table.task.name}: its split is leaky, so that no score of it is true for new recordings; "
            "run it again without --split random"
        )
    rows = [row for row in table.learners if choice.row == BEST or _is_named(row, choice.row)]
    if not rows:
        raise UsageError(_no_row(table, choice.row))
    result = rows[0].first
    if result.normalise:
        raise UsageError(
            f"--row {choice.row}: its features are normalised by {result.normalise}, which takes more than "
            "one recording; expected a row without --normalise"
        )
    return table, result


def _table(every: Sequence[Table], choice: Choice) -> Table:
    """Return the table of a task."""
    computed = [table for table in every if table.rows]
    names = list(dict.fromkeys(table.task.name for table in computed))
    if not names:
        raise UsageError("the run has no computed row; `bench report` says why")
    if choice.task and choice.task not in names:
        raise UsageError(f"--task {choice.task}: the run has no such row; expected {shortlist(names)}")
    if not choice.task and len(names) > 1:
        raise UsageError(f"--task: is missing; expected one of {shortlist(names)}")
    fitting = [
        table
        for table in computed
        if table.task.name == (choice.task or names[0]) and choice.dataset in {"", table.dataset}
    ]
    if len(fitting) != 1:
        datasets = shortlist([table.dataset for table in computed if table.task.name == choice.task])
        raise UsageError(f"--dataset {choice.dataset}: expected one of {datasets}")
    return fitting[0]


def _is_named(row: Row, text: str) -> bool:
    """Return whether ``EXTRACTOR,HEAD`` names a row; without a view, the extractor stands for all of its."""
    extractor, _, head = text.rpartition(",")
    name, _, view = extractor.partition("@")
    system = row.system
    parts = {f"layer={system.view.layer}", f"pool={system.view.pool}"}
    return (
        name.strip() == system.extractor
        and head.strip() in {system.head, display.head(system)}
        and set(view.split("@") if view else ()) <= parts
    )


def _no_row(table: Table, text: str) -> str:
    """Return that a table has no such row, with the reason if it failed."""
    extractor, _, head = text.rpartition(",")
    for result in table.others:
        if result.extractor == extractor.partition("@")[0] and result.head == head:
            return f"--row {text}: was not computed: {_reason(result)}"
    if head in {BASELINE, SELECTED}:
        return f"--row {text}: is no model of its own; expected a row of one extractor and head"
    rows = list(dict.fromkeys(f"{row.system.extractor},{row.system.head}" for row in table.learners))
    return f"--row {text}: no such row; expected best or EXTRACTOR,HEAD, such as {shortlist(rows)}"


def _reason(result: Result) -> str:
    """Return why a row has no score."""
    return result.reason or (display.cell_obstacle(result.obstacle) if result.obstacle else "it was skipped")


def _card(
    store: Store, source: DatasetRecord, result: Result, fitted: FittedCell
) -> tuple[ModelCard, Familiarity | None]:
    """Return the card of a model, and the embeddings that recordings are compared with."""
    cell, seed = fitted.card.cell, fitted.card.cell.seed
    calibration = calibrate(store.scored_predictions(result), seed)
    if calibration and calibration.classes != fitted.card.labels:
        calibration = None  # a class that was never tested has no confidence
    places = vectors(fitted.statistics, cell.view, selected_layer(fitted.pipeline))
    is_labelled = fitted.y != ""
    seconds = fitted.seconds[is_labelled]
    familiarity = Familiarity.fit(places[is_labelled], fitted.group[is_labelled], seed)
    card = ModelCard(
        data=DataCard(
            dataset=cell.dataset,
            version=source.version,
            synthetic=cell.synthetic,
            n_clips=int(is_labelled.sum()),
            seconds=float(seconds.sum()),
            shortest=float(np.quantile(seconds, SHORTEST)),
            classes=dict(sorted(Counter(fitted.y[is_labelled].tolist()).items())),
            group=cell.split.group,
            n_groups=len(np.unique(fitted.group[is_labelled])),
        ),
        calibration=calibration,
        has_familiarity=familiarity is not None,
    )
    return card, familiarity
