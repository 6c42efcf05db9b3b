"""Clips, datasets, their cards, tasks and splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlparse

import numpy as np
import numpy.typing as npt

from bench.keys import digest
from bench.paths import path_of
from bench.types.arrays import Labels
from bench.types.notes import Note
from bench.types.obstacles import GroupObstacle
from bench.validation import file_name

if TYPE_CHECKING:  # pandas takes 0.3 s to import, and `bench list` needs none of it
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise under a clip: a file from `start` (in s) on, repeated if it is too short, at an SNR in dB."""

    path: Path
    start: float
    snr_db: float


@dataclass(frozen=True, slots=True)
class Planned:
    """What a run knew of a clip when it was planned.

    Parameters
    ----------
    content : str
        Digest of the clip's content.
    stamps : tuple[str, ...]
        Of its files, as `audio.stamp` returns them: files with these stamps hold that content.
    """

    content: str
    stamps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of audio: a file, or a window of it.

    Parameters
    ----------
    start, end : float | None
        Window in s; None for the start or the end of the file.
    seconds : float | None
        Length after padding with zeros, in s; None for no padding.
    noise : Noise | None
        Noise to mix under the clip when it is read.
    planned : Planned | None
        What the clip must still be when it is read; None for anything.
    """

    id: str
    path: Path
    start: float | None = None
    end: float | None = None
    seconds: float | None = None
    noise: Noise | None = None
    planned: Planned | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files of the clip and of its noise."""
        return (self.path, self.noise.path) if self.noise else (self.path,)


PADDED, NOISE_PATH, NOISE_START, NOISE_SNR = (
    "audio.seconds",
    "audio.noise_path",
    "audio.noise_start",
    "audio.snr_db",
)
"""Columns that change the audio: the length after padding, and the fields of `Noise`."""

AUDIO_COLUMNS = ("start", "end", PADDED, NOISE_PATH, NOISE_START, NOISE_SNR)
"""Columns that are not labels, besides `clip` and `path`: the fields of `Clip` and `Noise`."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A named, versioned table of clips with label columns.

    Parameters
    ----------
    table : pd.DataFrame
        One row per clip: `clip`, `path` (as `paths.path_text` returns it), any of `AUDIO_COLUMNS`, and label
        columns of str. The label column `recording` is always there: the file, unless the dataset has such a
        column. An index with the name `line` contains the line of every clip in the file `source`.
    source : str
        File or folder that describes the clips, for messages.
    synthetic : bool
        Whether the audio is synthetic.
    notes : tuple[Note, ...]
        What a reader of every table of results should know.
    fold_lists : Mapping[str, Path]
        Task -> table of its fixed split.
    leftovers : Callable[[], Sequence[Note]] | None
        Returns notes of the audio files that the dataset leaves out. It looks at every file of folders, so
        that a run calls it once for its index of the audio; None if no file is left out.
    """

    name: str
    table: pd.DataFrame
    source: str
    version: str = "1"
    synthetic: bool = False
    notes: tuple[Note, ...] = ()
    fold_lists: Mapping[str, Path] = field(default_factory=dict)
    leftovers: Callable[[], Sequence[Note]] | None = None

    def __post_init__(self) -> None:
        """Refuse a name that cannot be part of a file's name."""
        file_name(self.name, f"{self.source}: name")

    @property
    def labels(self) -> list[str]:
        """Return the names of the label columns."""
        return [str(c) for c in self.table.columns if c not in {"clip", "path", *AUDIO_COLUMNS}]

    def with_leftovers(self) -> Self:
        """Return the dataset with the notes of the files that it leaves out."""
        notes = self.leftovers() if self.leftovers else ()
        return dataclasses.replace(self, notes=(*self.notes, *notes), leftovers=None)

    def clips(self) -> list[Clip]:
        """Return the clips in the order of the table."""
        table = self.table.reindex(columns=["clip", "path", *AUDIO_COLUMNS])
        clips = []
        for row in table.itertuples(index=False):
            # Missing values are NaN, the one value that differs from itself.
            values: list[Any] = [value if value == value else None for value in row]
            clip, path, start, end, seconds, noise_path, noise_start, snr_db = values
            noise = Noise(path_of(noise_path), noise_start, snr_db) if noise_path else None
            clips.append(
                Clip(id=clip, path=path_of(path), start=start, end=end, seconds=seconds, noise=noise)
            )
        return clips

    def location(self, row: int) -> str:
        """Return the place that describes the clip of a row: ``file:line``, or ``file: clip``."""
        if self.table.index.name == "line":
            return f"{self.source}:{self.table.index[row]}"
        return f"{self.source}: {self.table['clip'].iloc[row]}"


@dataclass(frozen=True, slots=True)
class Card:
    """Declaration of a dataset: kind, parameters, licence and downloads.

    Parameters
    ----------
    kind : str
        Name from `bench.datasets.KINDS`, whose loader takes `params`; empty with a `factory`.
    factory : str
        Function of an installed distribution, ``module:attribute``, that returns a path or a table. No file
        can name one.
    source : str
        File of the card, for messages; relative paths in `params` start from its folder.
    verified : str
        Facts of the card that were verified, with their sources.
    obtain : str
        Instructions to get data that have no public download.
    files : tuple[Mapping[str, Any], ...]
        Tar and zip archives to download: `url`, and optionally `hash` (in pooch's form, ``sha256:...``),
        size in `bytes`, and `unpacked`, the largest size after unpacking in bytes.
    synthetic : bool
        Whether the audio is synthetic.
    root : str
        Folder of a user's copy of the data, in place of the download; empty without.
    """

    name: str
    kind: str
    version: str
    about: str
    source: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    licence: str = ""
    citation: str = ""
    verified: str = ""
    obtain: str = ""
    files: tuple[Mapping[str, Any], ...] = ()
    synthetic: bool = False
    factory: str = ""
    root: str = ""

    def __post_init__(self) -> None:
        """Refuse a name and a version that cannot be part of a file's name."""
        file_name(self.file_name, f"{self.source}: name and version")

    @property
    def file_name(self) -> str:
        """Return the name and the version in the name of a folder; a slash becomes a dot."""
        return f"{self.name.replace('/', '.')}-{self.version}"

    def folder(self, home: Path) -> Path:
        """Return the folder below `home` for the downloads; cards with the same files share one folder."""
        if not self.files:
            return home / "data" / self.file_name
        archive = Path(urlparse(str(self.files[0].get("url"))).path).name
        return home / "data" / f"{archive.partition('.')[0]}-{digest(list(map(dict, self.files)))[:8]}"


@dataclass(frozen=True, slots=True)
class Task:
    """A prediction task: the target column, the groups that a split keeps apart, and the metrics.

    Parameters
    ----------
    target : str
        Label column to predict.
    groups : tuple[str, ...]
        Label columns from strict to lenient; a split uses the strictest one that the data allow.
    stricter : tuple[str, ...]
        Label columns, from strict to lenient, that are tried before `groups` where the data have them; a
        fixed split need not keep them apart.
    metrics : tuple[str, ...]
        Names from `bench.metrics`; the first one ranks.
    source : str
        File of the declaration, for messages.
    """

    name: str
    target: str
    groups: tuple[str, ...]
    metrics: tuple[str, ...]
    about: str = ""
    source: str = ""
    stricter: tuple[str, ...] = ()


UNUSED = "dev"
"""Fold of clips that are neither trained on nor tested."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """The folds of a dataset for a task, and the groups that the folds keep apart.

    Parameters
    ----------
    name : str
        Value of ``--split``, such as ``cv:5`` or ``fixed``.
    fold : Labels
        The fold of every clip, shape=(n_clips,). Clips of ``train`` are for training only, clips of ``dev``
        are not used. Without a fold ``train``, every fold is tested once and trained on otherwise.
    groups : Mapping[str, Labels]
        Column -> group of every clip, shape=(n_clips,); the column that the split keeps apart comes first.
        All columns are checked for leaks.
    obstacles : tuple[GroupObstacle, ...]
        Why the data allow no stricter groups; empty for the strictest ones.
    leaky : bool
        Whether groups are on both sides on purpose, to measure the effect of a leak.
    fewer_folds : GroupObstacle | None
        Why more folds cannot keep these groups apart; None for the usual number of folds.
    """

    name: str
    fold: Labels
    groups: Mapping[str, Labels]
    obstacles: tuple[GroupObstacle, ...] = ()
    leaky: bool = False
    fewer_folds: GroupObstacle | None = None

    @property
    def group(self) -> str:
        """Return the column that the folds keep apart."""
        return next(iter(self.groups))

    def rounds(self) -> Iterator[tuple[str, npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """Yield (fold, training rows, test rows) for every test fold; rows have shape=(n_rows,)."""
        names = sorted(set(self.fold.tolist()))
        fixed = "train" in names
        for name in names:
            if name in {"train", UNUSED}:
                continue
            train = self.fold == "train" if fixed else ~np.isin(self.fold, [name, UNUSED])
            yield name, np.flatnonzero(train), np.flatnonzero(self.fold == name)

    def spread(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return the split of more clips: those of `rows`, shape=(n_clips,), have its folds, the others none.

        An unused clip is in the fold ``dev`` and has the group ''.
        """
        fold = np.full(len(rows), UNUSED, dtype=object)
        fold[rows] = self.fold
        groups = {}
        for column, group in self.groups.items():
            groups[column] = np.full(len(rows), "", dtype=object)
            groups[column][rows] = group
        return dataclasses.replace(self, fold=fold.astype(str), groups=groups)

    def take(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return the split of a part of the clips; `rows` has shape=(n_clips,)."""
        groups = {column: group[rows] for column, group in self.groups.items()}
        return dataclasses.replace(self, fold=self.fold[rows], groups=groups)
