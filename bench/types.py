"""The nouns of the project as frozen values, the protocols that plugins meet, and `digest`.

Conventions: time is in s, sample rates in Hz. One word per concept: clip, dataset, extractor, frames,
embedding, head, task, split, fold, cell, result.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias, cast, runtime_checkable
from urllib.parse import urlparse

import numpy as np
import numpy.typing as npt

from bench.errors import UsageError

if TYPE_CHECKING:  # pandas takes 0.3 s to import, and `bench list` needs none of it
    import pandas as pd

Audio: TypeAlias = npt.NDArray[np.float32]
"""Mono samples, shape=(n_samples,), in [-1, 1]."""

Frames: TypeAlias = npt.NDArray[np.float32]
"""One clip, shape=(n_frames, dim), (n_layers, n_frames, dim) or, for a single frame, (dim,)."""

Statistics: TypeAlias = npt.NDArray[np.float32]
"""One clip's statistics over frames, shape=(n_layers, n_statistics, dim).

Behind more than one layer come the last hidden state, and the mean of the layers."""

Embeddings: TypeAlias = npt.NDArray[np.float32]
"""One vector per clip, shape=(n_clips, dim)."""

Samples: TypeAlias = Embeddings | Sequence[Frames]
"""What a head sees: vectors; layers, shape=(n_clips, n_layers, dim); or one array per clip of its frames."""

Labels: TypeAlias = npt.NDArray[np.str_]
"""One label per clip, shape=(n_clips,); of groups, an array of objects that are str."""

SCHEMA = 3
"""Version of a line in results.jsonl."""


def digest(value: object) -> str:
    """Return the key of a JSON value: 32 hex digits of the SHA-256 of its canonical form.

    Parameters
    ----------
    value : object
        Made of dict (with str keys), list, tuple, str, int, finite float, bool and None.

    Raises
    ------
    TypeError, ValueError
        If `value` holds anything else: a key is never made from a lossy text.

    Examples
    --------
    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    >>> digest(1) == digest("1")
    False
    """
    _refuse_other_keys(value)
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _refuse_other_keys(value: object) -> None:
    """Raise TypeError on a dict key that JSON would silently turn into a string."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"digest: key {key!r} is {type(key).__name__}, expected str")
            _refuse_other_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_other_keys(item)


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

    def place(self, row: int) -> str:
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
    place: str = ""
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
    place: str = ""


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


LAYERS = ("last", "mean", "all")
POOLS = ("mean", "std", "mean+std", "max", "first")
UNPOOLED = "none"
"""The pooling of a head that sees frames."""


Layer = int | Literal["last", "mean", "all"]
"""A layer by its number, the last hidden state, the mean over the layers, or each of them."""


@dataclass(frozen=True, slots=True)
class View:
    """Which layer and which pooling turns frames into the vector that a clip head sees.

    Examples
    --------
    >>> View.parse("layer=9@pool=max")
    View(layer=9, pool='max')
    >>> str(View())
    'mean+std'
    """

    layer: Layer = "last"
    pool: str = "mean+std"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the view that ``layer=N@pool=NAME`` describes; either part may be missing."""
        view = cls()
        for part in filter(None, text.split("@")):
            name, _, value = part.partition("=")
            if name == "layer" and value.isdecimal():
                view = dataclasses.replace(view, layer=int(value))
            elif name == "layer" and value in LAYERS:
                view = dataclasses.replace(view, layer=cast("Layer", value))
            elif name == "pool" and value in {*POOLS, UNPOOLED}:
                view = dataclasses.replace(view, pool=value)
            else:
                layers, pools = "|".join(LAYERS), "|".join((*POOLS, UNPOOLED))
                raise UsageError(f"view '@{part}' is unknown; expected @layer=N|{layers} or @pool={pools}")
        return view

    def __str__(self) -> str:
        """Return the pooling, preceded by the layer unless that is the last one."""
        pool = "frames" if self.pool == UNPOOLED else self.pool
        return pool if self.layer == "last" else f"layer {self.layer}, {pool}"


BASELINE = "dummy"
"""The head that is in every table: what a score is worth without looking at the audio."""

Kind = Literal["extractor", "head", "reducer"]
Unit = Literal["clip", "frame", "sequence", "layers"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was published with weights.

    Parameters
    ----------
    name : str
        The hub's id.
    parameters : int
        Of the whole checkpoint, of which an extractor may use a part.
    rate : int
        Of the audio, in Hz.
    data : str
        What they were trained on.
    """

    name: str
    licence: str
    parameters: int
    rate: int
    data: str
    citation: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Spec:
    """What the registry knows of an extractor, a head or a reducer without importing it.

    Parameters
    ----------
    factory : str
        ``module:attribute``; called with `params`.
    requires : tuple[str, ...]
        Distributions that it needs; their versions are part of its identity.
    place : str
        The file that declares it.
    root : str
        The folder whose modules `factory` may name besides the installed ones; empty for none.
    unit : Unit
        What a head sees of a clip: a pooled vector, single frames, all its frames, or a pooled vector of each
        layer.
    steps : tuple[str, ...]
        The reducers that a head's features go through first.
    scale : bool
        Whether a head's features are standardised.
    grid : Mapping[str, Any]
        The values of a head's parameters that ``--tune`` chooses from.
    preprocess : tuple[str, ...]
        The steps of `bench.preprocess` that an extractor's clips go through first.
    weights : str
        A folder, a file or a hub's id; `factory` gets its place here as `checkpoint`, with `device` and
        `precision`.
    offered : bool
        Whether it runs without being asked for.
    """

    kind: Kind
    name: str
    factory: str
    params: Mapping[str, Any] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    about: str = ""
    place: str = ""
    root: str = ""
    unit: Unit = "clip"
    steps: tuple[str, ...] = ()
    scale: bool = True
    grid: Mapping[str, Any] = field(default_factory=dict)
    preprocess: tuple[str, ...] = ()
    weights: str = ""
    offered: bool = True


@runtime_checkable
class Extractor(Protocol):
    """Audio -> frames; one with `n_layers` gives every layer, shape=(n_layers, n_frames, dim).

    It may also say, in s, the longest clip that it takes (`max_seconds`; longer ones come in windows), what
    it pads every clip to (`padded_seconds`), how much audio it takes at once (`batch_seconds`; it raises
    MemoryError if that was too much), that several threads may call it at once (`concurrent`), and how many
    parameters its network has (`n_params`).
    """

    sample_rate: int
    dim: int

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one array per clip, of clips of any length; no clip's frames depend on the others."""
        ...


class Head(Protocol):
    """A scikit-learn classifier; a fresh one is built for every fold.

    Its `fit` may also take `groups`, shape=(n_clips,), for an inner split of its own; one that clusters has
    `assign`, which returns the cluster of every row.
    """

    def fit(self, X: Samples, y: Labels) -> Self:
        """Fit on the training side of one fold."""
        ...

    def predict(self, X: Samples) -> Labels:
        """Return one label per sample of X."""
        ...


@dataclass(frozen=True, slots=True)
class Cell:
    """One point of the matrix: dataset x task x extractor(view) x head x seed.

    Parameters
    ----------
    split : str
        The split in words: what it is and which column it keeps apart.
    key : str
        The digest of everything that changes the result.
    steps : tuple[Spec, ...]
        The reducers before the head.
    augment : str
        What is done to copies of the training clips; empty if there are none.
    train_size : float
        The share of the groups of every class that is trained on, in (0, 1].
    """

    dataset: str
    synthetic: bool
    task: Task
    extractor: Spec
    view: View
    head: Spec
    seed: int
    split: str
    key: str
    steps: tuple[Spec, ...] = ()
    augment: str = ""
    train_size: float = 1.0


SCORE_PREFIX = "score_"
VOTES_PREFIX = "votes_"
"""Of the columns of predictions that hold a class's score, or how many of a clip's frames are for it."""


class Status(StrEnum):
    """How a cell ended."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's value over all tested clips, its interval if computed, and its value per fold."""

    value: float
    low: float | None = None
    high: float | None = None
    folds: tuple[float, ...] = ()

    @property
    def bounds(self) -> tuple[float, float]:
        """Return the interval; the value itself where there is none."""
        low = self.value if self.low is None else self.low
        return low, self.value if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Usage:
    """What some work took in the process that did it.

    Parameters
    ----------
    seconds, cpu_s : float
        By the clock, and by the processor over all threads of the process, in s.
    peak_mb : float
        The most memory that the process held meanwhile, in MB of 10^6 bytes.
    gpu_mb : float | None
        The most that torch held on the GPU; None where it used none.
    energy_wh : float | None
        By codecarbon, in Wh; None where that is not installed.
    """

    seconds: float
    cpu_s: float
    peak_mb: float
    gpu_mb: float | None = None
    energy_wh: float | None = None

    def part(self, share: float) -> Self:
        """Return what a share of the work took; memory is not shared."""
        energy_wh = None if self.energy_wh is None else share * self.energy_wh
        return dataclasses.replace(
            self, seconds=share * self.seconds, cpu_s=share * self.cpu_s, energy_wh=energy_wh
        )

    @classmethod
    def total(cls, usages: Sequence[Self]) -> Self:
        """Return what several pieces of work took together, one after the other."""
        gpu = [each.gpu_mb for each in usages if each.gpu_mb is not None]
        energy = [each.energy_wh for each in usages if each.energy_wh is not None]
        return cls(
            seconds=sum(each.seconds for each in usages),
            cpu_s=sum(each.cpu_s for each in usages),
            peak_mb=max(each.peak_mb for each in usages),
            gpu_mb=max(gpu) if gpu else None,
            energy_wh=sum(energy) if energy else None,
        )


@dataclass(frozen=True, slots=True)
class Cost:
    """What a cell took, measured where it was done; of the embedding, when that was done.

    Parameters
    ----------
    audio_s : float
        The length of the clips that were embedded, in s.
    extract_s, extract_cpu_s : float, float | None
        What embedding them took by the clock and by the processor, decoding included in the latter, in s.
    fit_s, predict_s, cpu_s : float, float, float | None
        What all folds took by the clock, and both together by the processor, in s.
    dim : int
        Of what the head saw.
    params : int | None
        Of the extractor's network; None where the extractor does not say.
    peak_mb, gpu_mb, energy_wh : float | None
        As in `Usage`, of embedding and evaluation together.

    What an earlier version did not measure is None.
    """

    audio_s: float = 0.0
    extract_s: float = 0.0
    extract_cpu_s: float | None = None
    fit_s: float = 0.0
    predict_s: float = 0.0
    cpu_s: float | None = None
    dim: int = 0
    params: int | None = None
    peak_mb: float | None = None
    gpu_mb: float | None = None
    energy_wh: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One cell's outcome: a line of results.jsonl.

    Parameters
    ----------
    n_groups : int
        Groups of the tested clips, which the intervals are drawn from.
    tuned : tuple[Mapping[str, Any], ...]
        The parameters chosen in every fold.
    predictions : str
        The digest of the predictions that the scores are of.
    split_digest : str
        Of every clip's content, label, fold and groups: only results that share it can be compared.
    """

    key: str
    dataset: str
    task: str
    extractor: str
    view: str
    head: str
    seed: int
    split: str
    status: Status
    synthetic: bool = False
    preprocess: str = ""
    augment: str = ""
    reason: str = ""
    scores: Mapping[str, Score] = field(default_factory=dict)
    n_train: int = 0
    n_test: int = 0
    n_classes: int = 0
    n_groups: int = 0
    n_bad: int = 0
    train_size: float = 1.0
    cost: Cost = field(default_factory=Cost)
    env: Mapping[str, str] = field(default_factory=dict)
    tuned: tuple[Mapping[str, Any], ...] = ()
    predictions: str = ""
    split_digest: str = ""
    schema: int = SCHEMA
