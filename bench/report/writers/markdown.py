"""Markdown that shows every text as it is."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from tabulate import tabulate

from bench.report.document import Block, Grid, Map, Notes, Paragraph, Picture, Section, Span, Text
from bench.report.sections import Content

SPECIAL = re.compile(r"[\\`*|~]|^\[|\](?=[(\[:])|(?<!\w)_|_(?!\w)")
"""Characters with a meaning in Markdown, and brackets of links; underscores within words have no meaning."""

BACKTICKS = re.compile(r"`+")
PIPE = re.compile(r"(?<!\\)\|")


def write(content: Content) -> str:
    """Return the whole report."""
    return text([section for section in content.sections if "markdown" in section.media]) + "\n"


def text(sections: Iterable[Section]) -> str:
    """Return sections, an empty line between them."""
    return "\n\n".join(_section(section) for section in sections)


def escaped(words: str) -> str:
    r"""Return words as one line of Markdown that shows them as they are, in a table too.

    Examples
    --------
    >>> escaped("a|b *c* my_label")
    'a\\|b \\*c\\* my_label'
    """
    return " ".join(_escape(words).split())


def table(rows: Sequence[Sequence[str]], headers: Sequence[str]) -> str:
    """Return a table of texts that are Markdown already."""
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))


def _section(section: Section) -> str:
    title = f"{'#' * section.level} {escaped(section.title)}" if section.title else ""
    blocks = (RENDERERS[type(block)](block) for block in section.blocks)
    return "\n\n".join(filter(None, [title, *blocks]))


def _escape(words: str) -> str:
    safe = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return SPECIAL.sub(r"\\\g<0>", safe)


def _line(text: Text) -> str:
    return " ".join("".join(map(_span, text)).split())


def _span(span: Span) -> str:
    if span.code:
        return _code(" ".join(span.text.split()))
    words = _escape(span.text)
    return f"**{words}**" if span.strong else words


def _code(words: str) -> str:
    """Return a code span, whose fence is longer than any run of backticks in it.

    A space keeps a backtick at either end apart from the fence; CommonMark removes it again.
    """
    fence = "`" * (max(map(len, BACKTICKS.findall(words)), default=0) + 1)
    space = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{space}{words}{space}{fence}" if words else ""


def _notes(notes: Notes) -> str:
    return "\n".join(f"- {_line(note)}" for note in notes.texts)


def _paragraph(paragraph: Paragraph) -> str:
    return _line(paragraph.text)


def _grid(grid: Grid) -> str:
    # A pipe ends a cell of a table, in code too; outside of code it is escaped already.
    columns = [n for n, header in enumerate(grid.headers) if header not in grid.page_headers]
    rows = [[PIPE.sub(r"\\|", _line(row[n].text)) for n in columns] for row in grid.rows]
    return table(rows, [escaped(grid.headers[n]) for n in columns])


def _picture(picture: Picture) -> str:
    """Return an image, and the texts that it cannot show; nothing for a figure without a file."""
    if not picture.path:
        return ""
    from bench.report.figures import png  # matplotlib

    image = f"![{escaped(picture.title)}]({quote(picture.path)})"
    signs = ", ".join(f"{sign} {escaped(text)}" for sign, text in png.legend(picture.figure))
    return f"{image}\n\nIn the figure, whose fonts lack their characters: {signs}." if signs else image


def _map(_: Map) -> str:
    """Return nothing: a map is on the page only."""
    return ""


RENDERERS: Mapping[type[Block], Callable[[Any], str]] = {
    Paragraph: _paragraph,
    Notes: _notes,
    Grid: _grid,
    Picture: _picture,
    Map: _map,
}
