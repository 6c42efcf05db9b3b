"""Spellings: labels that people read as one, and a table as several."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

from bench.types import Dataset, Note

MOST_GROUPS = 3
"""Largest number of labels whose spellings a note holds."""

INVISIBLE = frozenset({"Cc", "Cf"})
"""Unicode categories of control characters, and of formats such as a space without width."""

LEADING_ZEROS = re.compile(r"(?<![\d.])0+(?=\d)")
"""Zeros before a whole number, such as those of spk001."""

WHOLE = re.compile(r"^(\d+)\.0+$")
"""A whole number as a spreadsheet writes it, such as 1.0."""


def remarks(dataset: Dataset, columns: Iterable[str]) -> list[Note]:
    """Return a note for every column with labels that differ only in how they are spelt.

    These are case, compatible letters, invisible characters, kinds of dashes, leading zeros, and "1.0" for
    "1". Labels are never merged.
    """
    notes = []
    for column in dict.fromkeys(columns):
        groups = variants(dataset, column)
        if groups:
            first = tuple(tuple(counts.items()) for counts in groups[:MOST_GROUPS])
            notes.append(Note("spellings", column=column, count=len(groups), spellings=first))
    return notes


def variants(dataset: Dataset, column: str) -> list[Mapping[str, int]]:
    """Return label -> number of clips of all spellings of a label, for every label with two or more."""
    counts = Counter(dataset.table[column].tolist())
    groups: dict[str, dict[str, int]] = {}
    for label in sorted(filter(None, counts)):
        groups.setdefault(fold(label), {})[label] = counts[label]
    return [labels for labels in groups.values() if len(labels) > 1]


def fold(label: str) -> str:
    r"""Return what all spellings of a label share.

    Examples
    --------
    >>> len({fold(label) for label in ("Anna", "anna ", "ANNA\0", "an\u200bna")})
    1
    >>> len({fold(label) for label in ("s-01", "S-1", "s\u20131")}), fold("1.0") == fold("01")
    (1, True)
    >>> fold("Zoe\u0308") == fold("ZO\u00cb"), fold("a b") == fold("ab")
    (True, False)
    """
    visible = (
        character
        for character in label
        if character.isspace() or unicodedata.category(character) not in INVISIBLE
    )
    folded = unicodedata.normalize("NFKC", "".join(visible)).casefold()
    dashed = "".join("-" if unicodedata.category(mark) == "Pd" else mark for mark in folded)
    text = " ".join(unicodedata.normalize("NFKC", dashed).replace("\u2212", "-").split())
    return LEADING_ZEROS.sub("", WHOLE.sub(r"\1", text))
