"""A folder of audio: with one folder per class, CLASS/*.wav, or without classes."""

from collections import Counter
from pathlib import Path

import pandas as pd

from bench import audio
from bench.datasets.leftovers import SUFFIXES as AUDIO
from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.paths import path_text
from bench.types import Dataset, Note

SUFFIXES = audio.SUFFIXES


def holds(path: Path, *, audio: bool) -> bool:
    """Return whether a folder holds files at any depth that are not hidden; with `audio`, audio files."""
    names = (file.relative_to(path) for file in path.rglob("*") if file.is_file())
    return any(_is_clip(name) if audio else _is_visible(name) for name in names)


def _is_visible(name: Path) -> bool:
    return not any(part.startswith(".") for part in name.parts)


def _is_clip(name: Path) -> bool:
    """Return whether the path of a file in a folder is that of audio, and not hidden."""
    return name.suffix.lower() in SUFFIXES and _is_visible(name)


def load(path: Path, label: str) -> Dataset:
    """Return the dataset of a folder: audio files at any depth, without hidden files.

    The folders in it are classes if they hold at least half of its audio; files outside of them are left out
    then. Otherwise every file is a clip, without a label.

    Parameters
    ----------
    label : str
        Label column for the classes; '' for every file, without labels.

    Raises
    ------
    UsageError
        If there is no audio.
    """
    files = (file.relative_to(path) for file in sorted(path.rglob("*")) if file.is_file())
    visible = list(filter(_is_visible, files))
    clips = list(filter(_is_clip, visible))
    stems = {name.with_suffix("") for name in clips if _is_read_by_libsndfile(name)}
    # A film or a compressed copy beside the same recording is no other clip.
    clips = [name for name in clips if _is_read_by_libsndfile(name) or name.with_suffix("") not in stems]
    if not clips:
        raise UsageError(
            f"{path}: holds no audio; expected files ({', '.join(SUFFIXES)}), in a folder per class where "
            "there are classes; or give a CSV with a column path"
        )
    in_folders = [name for name in clips if len(name.parts) > 1]
    has_classes = bool(label) and 2 * len(in_folders) >= len(clips)
    if has_classes:
        clips = in_folders
    table = pd.DataFrame(
        {
            "clip": [path_text(name.as_posix()) for name in clips],
            "path": [path_text(path / name) for name in clips],
        }
    )
    if has_classes:
        table[label] = [path_text(name.parts[0]) for name in clips]
    others = Counter(name.suffix or name.name for name in visible if name.suffix.lower() not in AUDIO)
    notes = (Note("other files", counts=tuple(sorted(others.items()))),) if others else ()
    return dataset(table, name=path.resolve().name, source=str(path), notes=notes)


def _is_read_by_libsndfile(name: Path) -> bool:
    """Return whether a file has the suffix of audio that libsndfile reads."""
    suffix = name.suffix.lower()
    return suffix in SUFFIXES and suffix not in audio.AV_SUFFIXES
