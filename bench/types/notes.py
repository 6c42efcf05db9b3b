"""What a reader should know of data, as values; `bench.display` has the words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NoteKind = Literal[
    "left out",
    "other files",
    "decoder",
    "short clips",
    "dropped",
    "mixture",
    "recordings",
    "files",
    "card",
    "columns",
    "near name",
    "spellings",
    "text",
]


@dataclass(frozen=True, slots=True)
class Note:
    """A fact of a dataset.

    Parameters
    ----------
    kind : NoteKind
        ``left out``, ``other files`` and ``decoder``: files that the dataset leaves out, of audio and of
        other kinds, and that need an optional decoder. ``short clips``: clips shorter than a segment.
        ``dropped``: clips of some labels. ``mixture``: speech with noise. ``recordings``: what a pattern
        finds in names. ``files``: every file counts as a recording. ``card``: one that reads these names.
        ``columns`` and ``near name``: columns read under another name, and columns almost spelt like one.
        ``spellings``: labels that differ only in how they are spelt. ``text``: a sentence of a record that
        held no values.
    names : tuple[str, ...]
        Names of what the kind is about: folders, labels, sources, columns, a pattern, a separator, or the
        sentence. Pairs are one after the other.
    counts : tuple[tuple[str, int], ...]
        Suffix of files -> number.
    count, total : int
        Number of files, clips, folders or recordings that the kind is about, and of all of them.
    seconds : float
        Length of a segment, in s.
    column : str
        Label column.
    spellings : tuple[tuple[tuple[str, int], ...], ...]
        For every label its spellings, with the number of clips of each; `count` is the number of labels.
    part : str
        Folder or table that the note is about; empty for the whole dataset.
    """

    kind: NoteKind
    names: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    count: int = 0
    total: int = 0
    seconds: float = 0.0
    column: str = ""
    spellings: tuple[tuple[tuple[str, int], ...], ...] = ()
    part: str = ""
