"""Spellings: labels that people read as one, and a table as several."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from bench.types import Dataset

MOST_GROUPS = 3
"""Largest number of groups of labels that a remark lists."""

INVISIBLE = frozenset({"Cc", "Cf"})
"""Unicode categories of control characters, and of formats such as a space without width."""

FIX = "merge them with `values` in a card, if they are one"


def remarks(dataset: Dataset, columns: Iterable[str]) -> list[str]:
    """Return a line for every column with labels that differ only in how they are spelt.

    These are case, Unicode form, invisible characters, and space at either end. Labels are never merged.
    """
    lines = []
    for column in dict.fromkeys(columns):
        counts = Counter(dataset.table[column].tolist())
        groups: dict[str, list[str]] = {}
        for label in sorted(filter(None, counts)):
            groups.setdefault(fold(label), []).append(label)
        variants = [labels for labels in groups.values() if len(labels) > 1]
        if variants:
            texts = [
                ", ".join(f"{text} ({counts[label]})" for label, text in _texts(labels))
                for labels in variants
            ]
            more = f" and {len(texts) - MOST_GROUPS} more" if len(texts) > MOST_GROUPS else ""
            listing = "; ".join(texts[:MOST_GROUPS]) + more
            lines.append(f"Labels of {column} that differ only in spelling: {listing}; {FIX}.")
    return lines


def fold(label: str) -> str:
    r"""Return what all spellings of a label share.

    Examples
    --------
    >>> len({fold(label) for label in ("Anna", "anna ", "ANNA\0", "an\u200bna")})
    1
    >>> fold("Zoe\u0308") == fold("ZO\u00cb"), fold("a b") == fold("ab")
    (True, False)
    """
    visible = (
        character
        for character in label
        if character.isspace() or unicodedata.category(character) not in INVISIBLE
    )
    folded = unicodedata.normalize("NFKC", "".join(visible)).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def _texts(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return labels with texts in quotes that differ on a screen: escapes for what is not to be seen."""
    composed = {unicodedata.normalize("NFC", label) for label in labels}
    show = repr if len(composed) == len(labels) else ascii
    return [(label, show(label)) for label in labels]
