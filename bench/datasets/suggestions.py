"""Cards whose corpus a folder is, by the names of its files."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath

from bench import catalog
from bench.paths import path_of
from bench.types import Card, Dataset, Note

SHARE = 0.5
"""Least share of a folder's files that are named as those of a card."""

FIRST = 200
"""Number of files, evenly spaced, whose names are looked at."""


def noted(dataset: Dataset, path: Path, cards: Mapping[str, Card]) -> Dataset:
    """Return the dataset of a folder with a note of the card that reads more of its files' names, if any."""
    names = dataset.table["path"].unique().tolist()
    parts = [PurePath(path_of(name)) for name in names[:: max(1, len(names) // FIRST)]]
    relative = [part.relative_to(path).as_posix() for part in parts if part.is_relative_to(path)]
    shares = {name: _share(card, relative) for name, card in cards.items() if _is_packaged(card)}
    card = max(shares, key=lambda name: shares[name], default="")
    if not relative or shares.get(card, 0) < SHARE:
        return dataset
    return dataclasses.replace(dataset, notes=(*dataset.notes, Note("card", (card, str(path)))))


def _is_packaged(card: Card) -> bool:
    """Return whether a card is of this package: only its patterns are known to take no time."""
    return Path(card.source).is_relative_to(catalog.packaged_root())


def _share(card: Card, names: list[str]) -> float:
    """Return the share of paths that end as one of a card's patterns says."""
    patterns = [re.compile(rf"(?:.*/)?(?:{pattern})") for pattern in _patterns(card)]
    return sum(any(pattern.fullmatch(name) for pattern in patterns) for name in names) / max(1, len(names))


def _patterns(card: Card) -> Iterator[str]:
    """Yield the patterns of a card's files, and of the two sides of a mixture."""
    for entry in (card.params, *card.params.values()):
        if isinstance(entry, Mapping) and "pattern" in entry:
            yield str(entry["pattern"])
