"""Checks of a dataset before a run: its audio, labels, groups, and the tasks that it allows."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tabulate import tabulate

from bench import audio, display
from bench.datasets import recordings, spelling
from bench.datasets.folds import column_folds, is_leak
from bench.errors import BenchError, ClipError, UsageError, shortlist
from bench.types import Clip, Dataset, Split, SplitId, Task

FULL_SCALE = 0.999
CLIPPED_SAMPLES = 3
"""Least number of successive samples at full scale in a clipped clip."""

SILENT = 1e-3
"""Highest peak of a silent clip (-60 dB of full scale)."""

SplitMaker = Callable[[Dataset, Task, str, Sequence[str]], Split]
"""Signature of `splits.make`."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Facts of a dataset; lists contain the ids of clips.

    Parameters
    ----------
    seconds : Mapping[str, float]
        Total, minimum, median and maximum length of the decodable clips, in s.
    rates, channels : Mapping[str, int]
        Sample rate in Hz, and number of channels -> number of clips.
    undecodable : Mapping[str, str]
        Clip -> reason.
    clipped, silent : Sequence[str]
        Clips with peaks at full scale, and clips without sound.
    duplicates : Sequence[Sequence[str]]
        Groups of clips with the same decoded samples at the same rate.
    near_copies : Sequence[Sequence[str]] | None
        Groups of clips that are near copies of each other; None if they were not looked for.
    leaks : Sequence[Sequence[str]]
        Groups of clips with the same samples or near copies, on both sides of the column `fold`.
    spellings : Mapping[str, Sequence[Mapping[str, int]]]
        Column -> for every label that is spelt in several ways, its spellings -> number of clips.
    labels : Mapping[str, Mapping[str, int]]
        Column -> number of values, and of clips: of the rarest value, of the most frequent one, without any.
    tasks : Mapping[str, str]
        Task -> its split, or the reason why it cannot run.
    notes : Sequence[str]
        Remarks: audio files that are left out, names of columns, labels that differ only in spelling, and
        whether every file counts as a recording.
    """

    dataset: str
    n_clips: int
    seconds: Mapping[str, float]
    rates: Mapping[str, int]
    channels: Mapping[str, int]
    undecodable: Mapping[str, str]
    clipped: Sequence[str]
    silent: Sequence[str]
    duplicates: Sequence[Sequence[str]]
    near_copies: Sequence[Sequence[str]] | None
    leaks: Sequence[Sequence[str]]
    spellings: Mapping[str, Sequence[Mapping[str, int]]]
    labels: Mapping[str, Mapping[str, int]]
    tasks: Mapping[str, str]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """Facts of a decoded clip: length in s, rate in Hz, channels, digest of its samples, and defects."""

    seconds: float
    rate: int
    channels: int
    sha256: str
    clipped: bool
    silent: bool


def check(dataset: Dataset, tasks: Iterable[Task], make_split: SplitMaker, near: bool = False) -> Summary:
    """Return the summary of a dataset; every clip is decoded.

    Parameters
    ----------
    make_split : SplitMaker
        `splits.make`, from a higher level.
    near : bool
        Whether to look for near copies.
    """
    dataset = dataset.with_leftovers()
    facts: dict[str, ClipFacts] = {}
    undecodable: dict[str, str] = {}
    clips = dataset.clips()
    for clip in clips:
        try:
            facts[clip.id] = _facts(clip)
        except ClipError as error:
            undecodable[clip.id] = str(error)
    fingerprints = audio.duplicate_fingerprints(clips)
    copies = audio.near_copies(clips, fingerprints) if near else [""] * len(clips)
    groups = [copy or fingerprint for copy, fingerprint in zip(copies, fingerprints, strict=True)]
    spellings = {column: spelling.variants(dataset, column) for column in dataset.labels}
    by_file = filter(None, [recordings.remark(dataset)])
    variants = spelling.remarks(dataset, dataset.labels)
    return Summary(
        dataset=dataset.name,
        n_clips=len(dataset.table),
        seconds=_lengths([clip.seconds for clip in facts.values()] or [0.0]),
        rates=_counts(clip.rate for clip in facts.values()),
        channels=_counts(clip.channels for clip in facts.values()),
        undecodable=undecodable,
        clipped=[name for name, clip in facts.items() if clip.clipped],
        silent=[name for name, clip in facts.items() if clip.silent],
        duplicates=_groups((clip.sha256, name) for name, clip in facts.items()),
        near_copies=_groups((copy, clip.id) for copy, clip in zip(copies, clips, strict=True))
        if near
        else None,
        leaks=_leaks(dataset, groups),
        spellings={column: labels for column, labels in spellings.items() if labels},
        labels={column: _balance(dataset, column) for column in dataset.labels},
        tasks={task.name: _verdict(dataset, task, groups, make_split) for task in tasks},
        notes=[display.note(note) for note in (*dataset.notes, *by_file, *variants)],
    )


def _groups(pairs: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Return the clips of every key that several have; a clip with the key '' has none."""
    groups: dict[str, list[str]] = {}
    for key, clip in pairs:
        groups.setdefault(key, []).append(clip)
    return [clips for key, clips in groups.items() if key and len(clips) > 1]


def _leaks(dataset: Dataset, groups: Sequence[str]) -> list[list[str]]:
    """Return the clips of every group on both sides of the column `fold`; none if there are no such folds.

    The tasks say what is wrong with a column that cannot be read as folds.
    """
    try:
        folds = column_folds(dataset)
    except UsageError:
        folds = None
    if folds is None:
        return []
    names = dataset.table["clip"].tolist()
    fold = dict(zip(names, folds.tolist(), strict=True))
    sides = set(fold.values())
    copies = _groups(zip(groups, names, strict=True))
    return [clips for clips in copies if is_leak([fold[clip] for clip in clips], sides)]


def _facts(clip: Clip) -> ClipFacts:
    """Return the facts of a clip at its own rate.

    Raises
    ------
    ClipError
        If the clip cannot be decoded.
    """
    header = audio.header(clip.path)
    if header is None:
        audio.read(clip, 16_000)  # raises with the reason
        raise ClipError(f"{clip.path}: has no readable header; expected an audio file")
    samples = audio.read(clip, header.sample_rate)
    full = np.abs(samples) >= FULL_SCALE
    run = (
        np.convolve(full, np.ones(CLIPPED_SAMPLES), mode="valid") if samples.size >= CLIPPED_SAMPLES else full
    )
    return ClipFacts(
        seconds=samples.size / header.sample_rate,
        rate=header.sample_rate,
        channels=header.channels,
        sha256=hashlib.sha256(f"{header.sample_rate} ".encode() + samples.tobytes()).hexdigest(),
        clipped=bool((run >= CLIPPED_SAMPLES).any()),
        silent=bool(np.abs(samples).max() < SILENT),
    )


def _lengths(seconds: Sequence[float]) -> Mapping[str, float]:
    """Return the total, minimum, median and maximum of lengths in s."""
    lengths = {
        "total": sum(seconds),
        "min": min(seconds),
        "median": float(np.median(seconds)),
        "max": max(seconds),
    }
    return {name: round(length, 3) for name, length in lengths.items()}


def _counts(numbers: Iterable[int]) -> Mapping[str, int]:
    """Return number -> how often it occurs, in the order of their texts."""
    return dict(sorted(Counter(map(str, numbers)).items()))


def _balance(dataset: Dataset, column: str) -> Mapping[str, int]:
    """Return the numbers of values and clips of a label column."""
    counts = dataset.table.loc[dataset.table[column] != "", column].value_counts()
    return {
        "values": len(counts),
        "rarest": int(counts.min()) if len(counts) else 0,
        "most_frequent": int(counts.max()) if len(counts) else 0,
        "without": len(dataset.table) - int(counts.sum()),
    }


def _verdict(dataset: Dataset, task: Task, fingerprints: Sequence[str], make_split: SplitMaker) -> str:
    """Return the default split of a task, or the reason why there is none."""
    if task.target not in dataset.labels:
        return f"no column '{task.target}'"
    try:
        split = make_split(dataset, task, "", fingerprints)
    except BenchError as error:
        return f"cannot run: {error}"
    label = display.split(SplitId(split.name, split.group, split.leaky))
    group = split.groups[split.group]
    n_unlabelled = int((group == "").sum())  # a clip with a label has a group
    n_groups = len(np.unique(group[group != ""]))
    left_out = f", {n_unlabelled} clips without a label left out" if n_unlabelled else ""
    return f"{label} ({n_groups} groups{left_out})"


def text(summary: Summary) -> str:
    """Return a summary as tables for people."""
    seconds = summary.seconds
    facts: list[tuple[str, Any]] = [
        ("clips", summary.n_clips),
        ("hours", f"{seconds['total'] / 3600:.3f}"),
        ("seconds", f"{seconds['min']:.2f} to {seconds['max']:.2f}, median {seconds['median']:.2f}"),
        ("sample rates (Hz)", ", ".join(f"{rate}: {n}" for rate, n in summary.rates.items())),
        ("channels", ", ".join(f"{channels}: {n}" for channels, n in summary.channels.items())),
        ("undecodable", _count_and_names(list(summary.undecodable))),
        ("clipped", _count_and_names(summary.clipped)),
        ("silent", _count_and_names(summary.silent)),
        ("same audio", _count_and_names([" = ".join(names) for names in summary.duplicates])),
    ]
    if summary.near_copies is not None:
        near = [" ~ ".join(names) for names in summary.near_copies]
        facts.append(("near copies", _count_and_names(near)))
    if summary.leaks:
        leaks = [" ~ ".join(names) for names in summary.leaks]
        facts.append(("copies on both sides", _count_and_names(leaks)))
    labels = [[column, *counts.values()] for column, counts in summary.labels.items()]
    headers = ["label", "values", "clips of the rarest", "of the most frequent", "without"]
    parts = [
        tabulate(facts, tablefmt="plain", disable_numparse=True),
        tabulate(labels, headers=headers, tablefmt="simple"),
        tabulate(list(summary.tasks.items()), headers=["task", "split"], maxcolwidths=[None, 90]),
    ]
    if summary.notes:
        parts.append("\n".join(summary.notes))
    if summary.undecodable:
        parts.append("\n".join(f"undecodable: {reason}" for reason in summary.undecodable.values()))
    return "\n\n".join(parts)


def _count_and_names(names: Sequence[str]) -> str:
    return f"{len(names)} ({shortlist(names)})" if names else "0"
