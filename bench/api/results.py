"""Results of a run, as a notebook shows them."""

from __future__ import annotations

import io
from dataclasses import dataclass

import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench import display
from bench.errors import UsageError, shortlist
from bench.report import words
from bench.report.rows import Row, Table
from bench.report.sections import confusion, leaderboard
from bench.report.tables import tables
from bench.report.writers import csv, markdown
from bench.store import Store


class Plot(Figure):
    """A figure that a notebook shows without being told to."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


@dataclass(frozen=True)
class Results:
    """What a run has found; in a notebook it shows as its leaderboards.

    Parameters
    ----------
    store : Store
        The folder that everything is in.
    """

    store: Store

    @property
    def tables(self) -> list[Table]:
        """Return a table per dataset and task, the best row first."""
        return tables([self.store])

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per row of every table, with scores, intervals and costs; see `bench report`."""
        return csv.frame(self.tables)

    def confusion(self, task: str, extractor: str, head: str, dataset: str = "") -> pd.DataFrame:
        """Return the counts of clips, shape=(n_classes, n_classes): true labels down, predicted across.

        Parameters
        ----------
        dataset : str
            Where the task was run on several.

        Raises
        ------
        UsageError
            If there is no such row, or more than one.
        """
        table, row = self._row(task, extractor, head, dataset)
        return confusion.matrix(table.predictions(row.first))

    def _row(self, task: str, extractor: str, head: str, dataset: str) -> tuple[Table, Row]:
        tables = self.tables
        rows = [
            (table, row)
            for table in tables
            if table.task.name == task and dataset in {"", table.dataset}
            for row in table.rows
            if (row.first.extractor, display.head(row.system)) == (extractor, head)
        ]
        if len(rows) != 1:
            names = [
                f"{words.title(table)}: {words.name(table, row)}" for table in tables for row in table.rows
            ]
            there = shortlist(names, 20)
            raise UsageError(f"{task}, {extractor}, {head}: {len(rows)} rows are that; there are {there}")
        return rows[0]

    def plot(self, task: str = "", dataset: str = "") -> Plot:
        """Return a figure of the ranking metric of every row with its interval, a plot per table."""
        shown = [
            table
            for table in self.tables
            if table.rows and task in {"", table.task.name} and dataset in {"", table.dataset}
        ]
        n_rows = [len(table.rows) for table in shown]
        figure = Plot(figsize=(8, 1.2 * len(shown) + 0.3 * sum(n_rows)), layout="constrained")
        FigureCanvasAgg(figure)
        plots = figure.subplots(max(len(shown), 1), squeeze=False, height_ratios=n_rows or [1])[:, 0]
        for plot, table in zip(plots, shown, strict=False):
            for place, row in enumerate(table.rows):
                score = table.ranking(row)
                plot.plot(score.bounds, [place, place], color="gray")
                plot.plot(score.value, place, "o", color="tab:blue" if row.may_be_best else "gray")
            plot.set_yticks(
                range(len(table.rows)), [words.name(table, row) for row in table.rows], parse_math=False
            )
            plot.invert_yaxis()
            plot.set_title(words.title(table), parse_math=False)
            plot.set_xlabel(f"{table.metric}, with 95 % intervals; blue: may be the best", parse_math=False)
        return figure

    def _repr_markdown_(self) -> str:
        return markdown.text(leaderboard.section(table) for table in self.tables)

    def __repr__(self) -> str:
        return self._repr_markdown_()
