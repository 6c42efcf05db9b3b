"""The record of a run: everything that a report needs beside results and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.request import Request
from bench.types import Augmentation, SplitId, TaskId

RUN_SCHEMA = 2
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
    notes : tuple[str, ...]
        What every table of it has to say.
    content : str
        Digest of the contents of its clips.
    """

    source: str
    version: str
    synthetic: bool
    notes: tuple[str, ...]
    n_clips: int
    content: str


@dataclass(frozen=True, slots=True)
class TableProtocol:
    """How a task was tested on a dataset.

    Parameters
    ----------
    metrics : tuple[str, ...]
        The first one ranks.
    split_digest : str
        Digest of every clip's content, label, fold and groups.
    note : str
        Why no stricter group was possible; empty if the strictest one was.
    apart : tuple[str, ...]
        Columns that no fold shares with another.
    fewest_groups : tuple[str, int]
        The class with the fewest groups, and their number.
    n_unlabelled : int
        Number of clips without a label for the task, which are left out.
    fewer_folds : str
        Why more folds could not keep these groups apart; empty for the usual number of folds.
    n_near_copies : int | None
        Number of clips that are near copies of others; None if they were not looked for.
    remarks : tuple[str, ...]
        What a reader should know about labels and groups.
    """

    dataset: str
    task: TaskId
    about: str
    metrics: tuple[str, ...]
    split: SplitId
    split_digest: str
    note: str
    apart: tuple[str, ...]
    n_groups: int
    n_folds: int
    n_classes: int
    fewest_groups: tuple[str, int]
    augmentation: Augmentation | None = None
    n_unlabelled: int = 0
    fewer_folds: str = ""
    remarks: tuple[str, ...] = ()
    n_near_copies: int | None = None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """The content of run.json.

    Parameters
    ----------
    request : Request
        What was asked for, without what only says where it is computed.
    folder : str
        Working folder of the run; paths of the request are relative to it.
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


@dataclass(frozen=True, slots=True)
class ReportRecord:
    """The content of report.json.

    Parameters
    ----------
    made_of : str
        Digest of everything that the report shows.
    text : str
        The tables, for a terminal.
    paths : tuple[str, ...]
        Its files, in the run's folder.
    """

    made_of: str
    text: str
    paths: tuple[str, ...]
