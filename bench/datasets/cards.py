"""Cards -> datasets."""

import dataclasses
from pathlib import Path

from bench.datasets.kinds import KINDS, function
from bench.datasets.params import call
from bench.errors import UsageError, shortlist
from bench.types import Card, Dataset


def from_card(card: Card, home: Path, audio: Path | None = None) -> Dataset:
    """Return the dataset of a card.

    Parameters
    ----------
    home : Path
        Folder for downloads and synthetic audio.
    audio : Path | None
        Folder of the user's copy of the data, in place of the download.

    Raises
    ------
    UsageError
        If the card's kind or one of its params is unknown, its data are not downloaded, or `home` is not
        writable.
    """
    card = dataclasses.replace(card, root=str(audio or ""))
    if card.factory:
        dataset = function.load(card)
    elif card.kind in KINDS:
        dataset = call(KINDS[card.kind], card, home, params=card.params, where=f"{card.source}: params")
    else:
        raise UsageError(f"{card.source}: kind '{card.kind}' is unknown; expected one of {shortlist(KINDS)}")
    return dataclasses.replace(
        dataset,
        name=card.name.replace("/", "."),  # a name is part of file names
        version=card.version,
        synthetic=card.synthetic or dataset.synthetic,
        fold_lists={path.stem: path for path in sorted(Path(card.source).with_suffix("").glob("*.csv"))},
    )
