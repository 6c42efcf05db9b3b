"""Sections of a report, one module per subject; none of them knows a file format."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.embed.cache import Cache
from bench.report.document import Section
from bench.report.rows import Table
from bench.report.sections import (
    across,
    confusion,
    costs,
    differences,
    embeddings,
    layers,
    leaderboard,
    leaks,
    learning,
    overview,
    protocol,
    reliability,
    repeats,
    slices,
    winner,
)
from bench.store import Store


@dataclass(frozen=True, slots=True)
class Content:
    """What every writer of a format gets.

    Parameters
    ----------
    tables : tuple[Table, ...]
        The results themselves.
    sections : tuple[Section, ...]
        What people read, in its order.
    """

    tables: tuple[Table, ...]
    sections: tuple[Section, ...]


def content(
    stores: Sequence[Store], tables: Sequence[Table], by: Sequence[str] = (), cache: Cache | None = None
) -> Content:
    """Return the tables of a report and its sections.

    Parameters
    ----------
    by : Sequence[str]
        Label columns to slice by, in the tables whose dataset has them.
    cache : Cache | None
        Embeddings for maps; None for no maps.
    """
    sections = [
        overview.section([store.run() for store in stores], tables),
        *(section for table in tables for section in _of_table(table, by, cache)),
        across.section(tables),
        protocol.section(stores),
    ]
    return Content(tuple(tables), tuple(section for section in sections if section))


def _of_table(table: Table, by: Sequence[str], cache: Cache | None) -> list[Section | None]:
    """Return the sections of a table, in their order; None for a section with nothing to say."""
    if not table.rows:
        return [leaderboard.section(table)]
    columns = set(table.labels().columns) if by else set()
    return [
        leaderboard.section(table),
        repeats.section(table),
        winner.section(table),
        winner.chosen(table),
        layers.chosen(table),
        leaderboard.by_head(table),
        leaks.section(table),
        costs.section(table),
        layers.section(table),
        *(slices.section(table, column) for column in by if column in columns),
        learning.section(table),
        differences.section(table),
        confusion.section(table),
        reliability.section(table),
        embeddings.section(table, cache),
    ]
