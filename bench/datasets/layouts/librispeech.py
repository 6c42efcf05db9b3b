"""The LibriSpeech layout: SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-UTTERANCE.flac, genders in SPEAKERS.TXT."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.paths import path_text
from bench.types import Dataset

NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.flac")
GENDERS = {"F": "female", "M": "male"}


def recognises(path: Path) -> bool:
    """Return whether a folder is a LibriSpeech root or one of its subsets."""
    return next(_utterances(path), None) is not None


def load(path: Path) -> Dataset:
    """Return the dataset of a root or a subset, with the labels subset, speaker and session (the chapter).

    If the root has SPEAKERS.TXT, there is the label gender too.

    Raises
    ------
    UsageError
        If SPEAKERS.TXT does not list a speaker.
    """
    files = sorted(_utterances(path))
    speakers = [f.parent.parent.name for f in files]
    table = pd.DataFrame(
        {
            "clip": [f.stem for f in files],
            "path": [path_text(f) for f in files],
            "subset": [f.parents[2].resolve().name for f in files],
            "speaker": speakers,
            "session": [f.parent.name for f in files],
        }
    )
    listing = next(
        (p for p in (path / "SPEAKERS.TXT", path.resolve().parent / "SPEAKERS.TXT") if p.is_file()), None
    )
    if listing:
        genders = _genders(listing)
        unknown = sorted(set(speakers) - set(genders))
        if unknown:
            raise UsageError(f"{listing}: does not list speaker {unknown[0]} of {path}; add a line for it")
        table["gender"] = [genders[s] for s in speakers]
    return dataset(table, name=path.resolve().name, source=str(path))


def _utterances(path: Path) -> Iterator[Path]:
    """Yield the audio files of a root or a subset."""
    for depth in ("*/*/*.flac", "*/*/*/*.flac"):
        for file in path.glob(depth):
            match = NAME.fullmatch(file.name)
            if match and (file.parent.parent.name, file.parent.name) == match.groups()[:2]:
                yield file


def _genders(listing: Path) -> dict[str, str]:
    """Return speaker -> gender from SPEAKERS.TXT: columns between pipes, comment lines with a semicolon."""
    rows = [
        line.split("|")
        for line in listing.read_text(encoding="utf-8").splitlines()
        if not line.startswith(";")
    ]
    return {row[0].strip(): GENDERS.get(row[1].strip(), row[1].strip()) for row in rows if len(row) > 1}
