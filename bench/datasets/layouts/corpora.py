"""Tables that corpora ship: where their paths start from, and which columns mean what."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd


def _urbansound8k(table: pd.DataFrame) -> "pd.Series[str]":
    return "fold" + table["fold"].astype(str) + "/" + table["slice_file_name"]


def _common_voice(table: pd.DataFrame) -> "pd.Series[str]":
    names = table["path"]
    has_suffix = names.str.contains(r"\.\w+$")  # early releases have none
    return names.where(has_suffix | (names == ""), names + ".mp3")


def _esc50(table: pd.DataFrame) -> "pd.Series[str]":
    return table["filename"]


@dataclass(frozen=True, slots=True)
class CorpusTable:
    """A table that a corpus ships.

    Parameters
    ----------
    columns : frozenset[str]
        Columns by which it is recognised.
    paths : Callable
        Table -> path of every clip.
    folder : str
        Folder of the audio, relative to the table.
    names : Mapping[str, str]
        Column -> its declared name.
    without : tuple[str, ...]
        Columns that mean something else than they would in a manifest.
    """

    columns: frozenset[str]
    paths: Callable[[pd.DataFrame], "pd.Series[str]"]
    folder: str
    names: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def arrange(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows as those of a manifest."""
        return (
            table.assign(path=self.paths(table)).drop(columns=list(self.without)).rename(columns=self.names)
        )


TABLES = (
    CorpusTable(  # UrbanSound8K: start and end are those in the recording that a slice was cut from
        frozenset({"slice_file_name", "fsID", "start", "end", "fold", "class"}),
        _urbansound8k,
        "../audio",
        {"fsID": "recording"},
        ("start", "end"),
    ),
    CorpusTable(  # ESC-50
        frozenset({"filename", "fold", "target", "category", "src_file", "take"}),
        _esc50,
        "../audio",
        {"src_file": "recording"},
    ),
    CorpusTable(frozenset({"client_id", "path", "sentence"}), _common_voice, "clips"),
)


def of(table: pd.DataFrame) -> CorpusTable | None:
    """Return what a table is that a corpus ships; None for any other table."""
    return next((corpus for corpus in TABLES if corpus.columns <= set(table.columns)), None)
