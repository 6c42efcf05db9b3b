"""Markdown that shows every text literally."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

from bench.report.spans import Text

MARKUP = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")
"""Characters that Markdown takes for markup; an underscore within a word is only a character."""


def escaped(text: str) -> str:
    r"""Return text as one line of Markdown that shows it literally, also in a table.

    Examples
    --------
    >>> escaped("a|b *c* my_label")
    'a\\|b \\*c\\* my_label'
    """
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(MARKUP.sub(r"\\\g<0>", safe).split())


def table(rows: Iterable[Sequence[Any] | Mapping[str, Any]], headers: Sequence[str] | str = "keys") -> str:
    """Return a table of Markdown texts."""
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))


def text(spans: Text) -> str:
    """Return a neutral text in one line.

    Examples
    --------
    >>> from bench.report.spans import Span
    >>> text((Span("Few groups", "strong"), Span(": 5 of a*b")))
    '**Few groups**: 5 of a\\\\*b'
    """
    marks = {"plain": "{}", "strong": "**{}**", "code": "`{}`"}
    # A space at the end of a span separates it from the next one.
    return "".join(marks[span.style].format(_kept_spaces(span.text)) for span in spans)


def _kept_spaces(text: str) -> str:
    """Return escaped text with its outer spaces."""
    start, end = (" " if text[:1].isspace() else ""), (" " if text[-1:].isspace() else "")
    return f"{start}{escaped(text)}{end}"
