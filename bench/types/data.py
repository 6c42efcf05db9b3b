"""Clips, datasets, their cards, tasks and splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlparse

import numpy as np
import numpy.typing as npt

from bench.keys import digest
from bench.types.arrays import Labels

if TYPE_CHECKING:  # pandas takes 0.3 s to import, and `bench list` needs none of it
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Noise:
    """What is mixed under a clip: a file from `start` (in s) on, repeated if too short, at an SNR in dB."""

    path: Path
    start: float
    snr_db: float


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of audio: a file, or the part of it from `start` to `end` (in s).

    Parameters
    ----------
    seconds : float | None
        What it is padded to with zeros, in s.
    noise : Noise | None
        What is mixed under it when it is read.
    """

    id: str
    path: Path
    start: float | None = None
    end: float | None = None
    seconds: float | None = None
    noise: Noise | None = None


AUDIO_COLUMNS = ("start", "end", "seconds", "noise_path", "noise_start", "mix_db")
"""Columns of a dataset that are no labels, besides `clip` and `path`: fields of its `Clip` and `Noise`."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A named, versioned table of clips with label columns.

    Parameters
    ----------
    table : pd.DataFrame
        One row per clip: `clip`, `path`, those of `AUDIO_COLUMNS` that it needs, and label columns of str.
        One of them is `recording`: the file, unless the dataset says otherwise.
        An index named `line` holds the line of each clip in the file that `source` names.
    source : str
        Where the clips are described, for messages.
    notes : tuple[str, ...]
        What every table made from it must say.
    fixed : Mapping[str, Path]
        Task -> the file of its fixed split.
    """

    name: str
    table: pd.DataFrame
    source: str
    version: str = "1"
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    fixed: Mapping[str, Path] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """Return the names of the label columns."""
        return [str(c) for c in self.table.columns if c not in {"clip", "path", *AUDIO_COLUMNS}]

    def clips(self) -> list[Clip]:
        """Return the clips in the order of the table."""
        table = self.table.reindex(columns=["clip", "path", *AUDIO_COLUMNS])
        clips = []
        for row in table.itertuples(index=False):
            # What is missing is NaN, the one value that differs from itself.
            values: list[Any] = [value if value == value else None for value in row]
            clip, path, start, end, seconds, noise, noise_start, mix_db = values
            mixed = Noise(Path(noise), noise_start, mix_db) if noise else None
            clips.append(Clip(clip, Path(path), start, end, seconds, mixed))
        return clips

    def location(self, row: int) -> str:
        """Return where the clip of a row is described, as ``file:line`` if it is a line of a file."""
        if self.table.index.name == "line":
            return f"{self.source}:{self.table.index[row]}"
        return f"{self.source}: {self.table['clip'].iloc[row]}"


@dataclass(frozen=True, slots=True)
class Card:
    """What is declared of a dataset before it is opened.

    Parameters
    ----------
    kind : str
        A name from `bench.datasets.KINDS`; it is called with `params`.
    files : tuple[Mapping[str, Any], ...]
        What is downloaded: of each tar or zip archive its `url`, and as far as known its `hash` (as pooch
        writes it, ``sha256:...``), its size in `bytes`, and what it has `unpacked` if that is very large.
    verified : str
        Which of the facts above were checked, and where.
    obtain : str
        How to come by data that cannot be downloaded by everybody.
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

    def folder(self, home: Path) -> Path:
        """Return where below home its files are, or would be; cards of the same files share it."""
        if not self.files:
            return home / "data" / f"{self.name}-{self.version}"
        archive = Path(urlparse(str(self.files[0].get("url"))).path).name
        return home / "data" / f"{archive.partition('.')[0]}-{digest(list(map(dict, self.files)))[:8]}"


@dataclass(frozen=True, slots=True)
class Task:
    """What is predicted: the target column, what may never stand on both sides of a split, the metrics.

    Parameters
    ----------
    groups : tuple[str, ...]
        Label columns from strict to lenient; the strictest one that the data can satisfy is used.
    metrics : tuple[str, ...]
        Names from `bench.metrics`; the first one ranks.
    """

    name: str
    target: str
    groups: tuple[str, ...]
    metrics: tuple[str, ...]
    about: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which clips are trained on and tested on: one fold column, and the groups that no fold may share.

    Parameters
    ----------
    name : str
        As asked for, such as ``cv:5`` or ``fixed``.
    fold : Labels
        The fold of every clip. ``train`` is only trained on and ``dev`` is not used; where neither occurs,
        every fold is tested once and trained on otherwise.
    groups : Mapping[str, Labels]
        Column -> group of every clip, the one that the split was made by first; each is checked for leaks.
    note : str
        Why no stricter group was possible; empty if there is none.
    leaky : bool
        Whether the groups stand on both sides on purpose, to show what that is worth.
    """

    name: str
    fold: Labels
    groups: Mapping[str, Labels]
    note: str = ""
    leaky: bool = False

    @property
    def group(self) -> str:
        """Return the column that the split keeps apart."""
        return next(iter(self.groups))

    @property
    def label(self) -> str:
        """Return the words that a table names the split with."""
        return f"{self.name}, {'LEAKY, ignores' if self.leaky else 'grouped by'} {self.group}"

    def rounds(self) -> Iterator[tuple[str, npt.NDArray[np.intp], npt.NDArray[np.intp]]]:
        """Yield (fold, training rows, test rows) for every fold that is tested."""
        names = sorted(set(self.fold.tolist()))
        fixed = "train" in names
        for name in names:
            if name in {"train", "dev"}:
                continue
            train = self.fold == "train" if fixed else ~np.isin(self.fold, [name, "dev"])
            yield name, np.flatnonzero(train), np.flatnonzero(self.fold == name)

    def take(self, rows: npt.NDArray[np.bool_]) -> Self:
        """Return the split of the clips that `rows` selects."""
        groups = {column: group[rows] for column, group in self.groups.items()}
        return dataclasses.replace(self, fold=self.fold[rows], groups=groups)
