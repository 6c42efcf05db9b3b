"""Texts of notes on data; what stands between backticks is code."""

import re
import shlex
import unicodedata
from collections.abc import Callable, Mapping

from bench.errors import listing
from bench.types import Note


def note(note: Note) -> str:
    """Return a note as a sentence.

    Examples
    --------
    >>> note(Note("other files", counts=((".csv", 1), (".txt", 2))))
    'Files left out that are not audio: 1 .csv, 2 .txt.'
    >>> note(Note("dropped", ("rain", "wind"), count=2, column="noise_kind"))
    'Clips left out: 2 with the noise_kind rain, wind.'
    """
    text = TEXTS[note.kind](note)
    return f"{note.part}: {text}" if note.part else text


def _left_out(note: Note) -> str:
    empty = f"; no clip is in {listing(note.names, note.count)}" if note.names else ""
    return f"Audio files left out: {_counts(note)}{empty}."


def _recordings(note: Note) -> str:
    text = f"Recordings are what `{note.names[0]}` finds in the names of files"
    if not note.count:
        return f"{text}."
    return f"{text}; {note.count} of {note.total} files do not match and count as recordings."


def _files(note: Note) -> str:
    text = "Grouped by file: every file counts as a recording of its own."
    if not note.names:
        return text
    escaped = re.escape(note.names[0]).replace("\\ ", " ")
    return (
        f"{text} Their names look like pieces of {note.count} recordings, which folds may tear apart; "
        f"`--parent-pattern '(.+){escaped}[0-9]+'` keeps these together."
    )


def _card(note: Note) -> str:
    card, folder = note.names
    call = f"--datasets {card} --audio {shlex.quote(folder)}"
    names = f"Files are named as in the data set {card}"
    return f"{names}, whose card reads labels and groups from names: `{call}`."


def _columns(note: Note) -> str:
    pairs = zip(note.names[::2], note.names[1::2], strict=True)
    columns = ", ".join(f"{source} as {name}" for source, name in pairs)
    return f"Columns also read under another name: {columns}."


def _spellings(note: Note) -> str:
    groups = listing([_variants(labels) for labels in note.spellings], note.count, "; ")
    fix = "merge them with `values` in a card, if they are one"
    return f"Labels of {note.column} that differ only in spelling: {groups}; {fix}."


def _variants(labels: tuple[tuple[str, int], ...]) -> str:
    """Return labels in quotes that differ on a screen, with escapes for what is not to be seen."""
    composed = {unicodedata.normalize("NFC", label) for label, _ in labels}
    show = repr if len(composed) == len(labels) else ascii
    return ", ".join(f"{show(label)} ({count})" for label, count in labels)


def _counts(note: Note) -> str:
    return ", ".join(f"{count} {name}" for name, count in note.counts)


TEXTS: Mapping[str, Callable[[Note], str]] = {
    "left out": _left_out,
    "other files": lambda note: f"Files left out that are not audio: {_counts(note)}.",
    "decoder": lambda note: f"Files that need PyAV: {_counts(note)}; run: {note.names[0]}",
    "short clips": lambda note: (
        f"{note.count} clips shorter than a segment of {note.seconds:g} s are left out."
    ),
    "dropped": lambda note: f"Clips left out: {note.count} with the {note.column} {', '.join(note.names)}.",
    "mixture": lambda note: (
        f"Mixtures of {note.names[0]} and {note.names[1]}; SNR over active speech (ITU-T P.56)."
    ),
    "recordings": _recordings,
    "files": _files,
    "card": _card,
    "columns": _columns,
    "near name": lambda note: f"Column '{note.names[0]}' is a label; rename it if it is the {note.names[1]}.",
    "spellings": _spellings,
    "text": lambda note: note.names[0],
}
"""Kind of a note -> its sentence."""
