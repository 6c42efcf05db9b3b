"""What a report says, without a file format: sections of texts, grids and pictures."""

from dataclasses import dataclass
from typing import Literal

from bench.report.figures import Figure
from bench.report.map import MapData

Medium = Literal["terminal", "markdown", "page"]
"""Where a section appears; the page has notes, the leaderboard and pictures."""

EVERYWHERE: frozenset[Medium] = frozenset({"terminal", "markdown", "page"})


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a text in one style."""

    text: str
    strong: bool = False
    code: bool = False


Text = tuple[Span, ...]


def text(*parts: str | Span) -> Text:
    """Return a text of plain strings and spans."""
    return tuple(Span(part) if isinstance(part, str) else part for part in parts)


def strong(words: str) -> Span:
    """Return words with emphasis."""
    return Span(words, strong=True)


def code(words: str) -> Span:
    """Return words that a computer reads, such as a command."""
    return Span(words, code=True)


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of a grid, and its text.

    Parameters
    ----------
    value : str | float | None
        A name, a number to sort by, or None for an empty cell.
    """

    value: str | float | None
    text: Text


EMPTY = Cell(None, ())


def cell(value: str | float, words: str | None = None) -> Cell:
    """Return a cell with a plain text, by default the value itself."""
    return Cell(value, text(str(value) if words is None else words))


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows of cells under headers.

    Parameters
    ----------
    page_headers : frozenset[str]
        Headers of the columns that only the page shows.
    """

    headers: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    page_headers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A text that stands alone."""

    text: Text


@dataclass(frozen=True, slots=True)
class Notes:
    """A list of texts."""

    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in a section.

    Parameters
    ----------
    title : str
        Short title, also for those who do not see the figure.
    path : str
        Path of its PNG in the report's folder; empty if only the page shows it.
    keyed : bool
        Whether the path holds the key of the content, so that a PNG that exists need not be drawn again.
    """

    title: str
    figure: Figure
    path: str = ""
    keyed: bool = False


@dataclass(frozen=True, slots=True)
class Map:
    """A map of clips in a section; only the page shows it."""

    title: str
    data: MapData


Block = Paragraph | Notes | Grid | Picture | Map


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report.

    Parameters
    ----------
    title : str
        Empty for a section that goes on with the one before it.
    level : int
        Depth of the title, from 1.
    table : str
        Stem of the table that it describes; empty for the whole report.
    """

    title: str
    level: int
    blocks: tuple[Block, ...]
    media: frozenset[Medium] = EVERYWHERE
    table: str = ""

    @property
    def pictures(self) -> list[Picture]:
        """Return the pictures, in their order."""
        return [block for block in self.blocks if isinstance(block, Picture)]

    @property
    def maps(self) -> list[Map]:
        """Return the maps, in their order."""
        return [block for block in self.blocks if isinstance(block, Map)]
