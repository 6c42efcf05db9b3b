"""The record of a run: everything that a report needs beside results and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from bench.request import Request
from bench.types import Augmentation, GroupObstacle, Note, SplitId, TaskId

RUN_SCHEMA = 4
"""Version of run.json."""


@dataclass(slots=True)
class Counters:
    """What a run did: cells and clips, and its time in s."""

    cells_planned: int = 0
    cells_computed: int = 0
    cells_reused: int = 0
    cells_failed: int = 0
    cells_skipped: int = 0
    clips_decoded: int = 0
    clips_embedded: int = 0
    clips_cached: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DatasetRecord:
    """A dataset of a run.

    Parameters
    ----------
    source : str
        Where its clips are described.
    notes : tuple[Note, ...]
        What every table of it has to say.
    content : str
        Digest of the contents of its clips.
    n_same_audio : int | None
        Number of clips that hold the audio of one before them, and share its embedding; None in records of
        earlier releases.
    """

    source: str
    version: str
    synthetic: bool
    notes: tuple[Note, ...]
    n_clips: int
    content: str
    n_same_audio: int | None = None


@dataclass(frozen=True, slots=True)
class TableProtocol:
    """How a task was tested on a dataset.

    Parameters
    ----------
    metrics : tuple[str, ...]
        The first one ranks.
    split_digest : str
        Digest of every clip's content, label, fold and groups.
    obstacles : tuple[GroupObstacle, ...]
        Why no stricter groups were possible; empty if the strictest ones were.
    apart : tuple[str, ...]
        Columns that no fold shares with another.
    fewest_groups : tuple[str, int]
        The class with the fewest groups, and their number.
    n_unlabelled : int
        Number of clips without a label for the task, which are left out.
    fewer_folds : GroupObstacle | None
        Why more folds could not keep these groups apart; None for the usual number of folds.
    n_near_copies : int | None
        Number of clips that are near copies of others; None if they were not looked for.
    remarks : tuple[Note, ...]
        What a reader should know about labels and groups.
    sampling_units : tuple[tuple[str, int], ...]
        Columns with the number of their values in the tested clips: the one whose groups intervals are drawn
        from, and behind it speakers and sessions that span several of these groups.
    repeats : tuple[str, ...]
        As `split_digest`, of the other assignments of groups to folds.
    """

    dataset: str
    task: TaskId
    about: str
    metrics: tuple[str, ...]
    split: SplitId
    split_digest: str
    obstacles: tuple[GroupObstacle, ...]
    apart: tuple[str, ...]
    n_groups: int
    n_folds: int
    n_classes: int
    fewest_groups: tuple[str, int]
    augmentation: Augmentation | None = None
    n_unlabelled: int = 0
    fewer_folds: GroupObstacle | None = None
    remarks: tuple[Note, ...] = ()
    sampling_units: tuple[tuple[str, int], ...] = ()
    repeats: tuple[str, ...] = ()
    n_near_copies: int | None = None

    @property
    def comparable(self) -> list[Any]:
        """Return what results in one table share besides data set and task: clips, split and metrics."""
        values = asdict(self)
        return [values[name] for name in ("split", "split_digest", "metrics", "augmentation")]

    def repeat(self, number: int) -> Self:
        """Return the protocol by another assignment of groups to folds; 0 is the first one."""
        if not number:
            return self
        split = replace(self.split, repeat=number)
        return replace(self, split=split, split_digest=self.repeats[number - 1])

    @property
    def fallbacks(self) -> tuple[GroupObstacle, ...]:
        """Return why columns of the data that name stricter groups are not kept apart."""
        return tuple(obstacle for obstacle in self.obstacles if obstacle.kind != "absent")


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of run.json.

    Parameters
    ----------
    request : Request
        What was asked for, without what only says where it is computed.
    folder : str
        Working folder of the run; paths of the request are relative to it.
    folders : tuple[str, ...]
        Folders of the machine, which files for others do not name.
    env : Mapping[str, Any]
        Versions, machine and cores.
    tables : tuple[TableProtocol, ...]
        One per dataset and task that could be split.
    identities : Mapping[str, Mapping[str, Any]]
        Name of an extractor or head -> everything that changes what it computes.
    cells : tuple[str, ...]
        Keys of the plan, in its order.
    earlier : tuple[str, ...]
        Keys of cells that earlier runs computed in this folder, with the same tables, extractors and heads.
    earlier_identities : Mapping[str, Mapping[str, Any]]
        As `identities`, of the extractors and heads of those cells.
    models : Mapping[str, str]
        Key of a cell -> digest of its saved models.
    """

    command: str
    request: Request
    folder: str
    finished: bool
    env: Mapping[str, Any]
    counters: Counters
    datasets: Mapping[str, DatasetRecord]
    tables: tuple[TableProtocol, ...]
    identities: Mapping[str, Mapping[str, Any]]
    cells: tuple[str, ...]
    schema: int = RUN_SCHEMA
    earlier: tuple[str, ...] = ()
    earlier_identities: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """The content of report.json.

    Parameters
    ----------
    made_of : str
        Digest of everything that the report shows.
    text : str
        The tables, for a terminal.
    files : Mapping[str, str]
        Path of each of its files, in the run's folder, -> SHA-256.
    out : str
        The folder as its commands name it.
    n_runs : int
        Number of runs that it shows.
    by, metrics, formats : tuple[str, ...]
        Options of `bench report`.
    bayes : bool
        Whether it has the Bayesian comparison.
    seal : str
        Digest of all other fields.
    """

    made_of: str
    text: str
    files: Mapping[str, str]
    out: str
    n_runs: int = 1
    by: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    bayes: bool = False
    seal: str = ""
