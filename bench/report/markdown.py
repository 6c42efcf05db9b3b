"""Markdown that shows every text as it is."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tabulate import tabulate

MEANT = re.compile(r"[\\`*\[\]|~]|(?<!\w)_|_(?!\w)")
"""What Markdown would take for more than a character; an underscore within a word is none of it."""


def escaped(text: str) -> str:
    r"""Return text as one line of Markdown that shows it as it is, in a table too.

    Examples
    --------
    >>> escaped("a|b *c* my_label")
    'a\\|b \\*c\\* my_label'
    """
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return " ".join(MEANT.sub(r"\\\g<0>", safe).split())


def table(rows: Iterable[Sequence[Any] | Mapping[str, Any]], headers: Sequence[str] | str = "keys") -> str:
    """Return a table; its texts are Markdown already, and columns of numbers are aligned to the right."""
    return str(tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True))
