"""What is to be known of a dataset before it is run: audio, labels, groups, and the tasks it allows."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from tabulate import tabulate

from bench import audio
from bench.errors import BenchError, ClipError, shortlist
from bench.types import Clip, Dataset, Split, Task

FULL_SCALE = 0.999
CLIPPED_SAMPLES = 3
"""So many samples in a row at full scale make a clip clipped."""

SILENT = 1e-3
"""A clip that never exceeds this (-60 dB of full scale) is silent."""


Splitter = Callable[[Dataset, Task, str, Sequence[str]], Split]


@dataclass(frozen=True, slots=True)
class Check:
    """What was found in a dataset; every list holds the ids of clips.

    Parameters
    ----------
    seconds : Mapping[str, float]
        The total, minimum, median and maximum length, in s.
    rates, channels : Mapping[str, int]
        Sample rate in Hz, and number of channels -> number of clips.
    duplicates : Sequence[Sequence[str]]
        Clips whose decoded samples, at the same rate, are the same.
    labels : Mapping[str, Mapping[str, int]]
        Column -> its number of values, of clips of the rarest and the most frequent, of clips without.
    tasks : Mapping[str, str]
        Task -> its split, or why it cannot run.
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
    labels: Mapping[str, Mapping[str, int]]
    tasks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one decoded clip is like."""

    seconds: float
    rate: int
    channels: int
    sha256: str
    clipped: bool
    silent: bool


def check(dataset: Dataset, tasks: Iterable[Task], split: Splitter) -> Check:
    """Return what is found in a dataset; every clip is decoded.

    Parameters
    ----------
    split : Splitter
        `splits.make`, which stands above this module.
    """
    heard: dict[str, _Heard] = {}
    undecodable: dict[str, str] = {}
    for clip in dataset.clips():
        try:
            heard[clip.id] = _listen(clip)
        except ClipError as error:
            undecodable[clip.id] = str(error)
    same: dict[str, list[str]] = {}
    for name, each in heard.items():
        same.setdefault(each.sha256, []).append(name)
    lengths = [each.seconds for each in heard.values()] or [0.0]
    equal = audio.heard(dataset.clips())
    return Check(
        dataset=dataset.name,
        n_clips=len(dataset.table),
        seconds={
            "total": round(sum(lengths), 3),
            "min": round(min(lengths), 3),
            "median": round(float(np.median(lengths)), 3),
            "max": round(max(lengths), 3),
        },
        rates=dict(sorted(Counter(str(each.rate) for each in heard.values()).items())),
        channels=dict(sorted(Counter(str(each.channels) for each in heard.values()).items())),
        undecodable=undecodable,
        clipped=[name for name, each in heard.items() if each.clipped],
        silent=[name for name, each in heard.items() if each.silent],
        duplicates=[names for names in same.values() if len(names) > 1],
        labels={column: _balance(dataset, column) for column in dataset.labels},
        tasks={task.name: _verdict(dataset, task, equal, split) for task in tasks},
    )


def _listen(clip: Clip) -> _Heard:
    """Return what a clip is like at its own rate.

    Raises
    ------
    ClipError
        If it cannot be decoded.
    """
    try:
        info = soundfile.info(clip.path)
    except (soundfile.LibsndfileError, OSError) as error:
        audio.read(clip, 16_000)  # says why in the reader's words
        raise ClipError(f"{clip.path}: has no header that can be read") from error
    samples = audio.read(clip, info.samplerate)
    full = np.abs(samples) >= FULL_SCALE
    run = (
        np.convolve(full, np.ones(CLIPPED_SAMPLES), mode="valid") if samples.size >= CLIPPED_SAMPLES else full
    )
    return _Heard(
        seconds=samples.size / info.samplerate,
        rate=info.samplerate,
        channels=info.channels,
        sha256=hashlib.sha256(f"{info.samplerate} ".encode() + samples.tobytes()).hexdigest(),
        clipped=bool((run >= CLIPPED_SAMPLES).any()),
        silent=bool(np.abs(samples).max() < SILENT),
    )


def _balance(dataset: Dataset, column: str) -> Mapping[str, int]:
    counts = dataset.table.loc[dataset.table[column] != "", column].value_counts()
    return {
        "values": len(counts),
        "rarest": int(counts.min()) if len(counts) else 0,
        "most_frequent": int(counts.max()) if len(counts) else 0,
        "without": len(dataset.table) - int(counts.sum()),
    }


def _verdict(dataset: Dataset, task: Task, same: Sequence[str], split: Splitter) -> str:
    """Return the default split of a task, or why there is none."""
    if task.target not in dataset.labels:
        return f"no column '{task.target}'"
    try:
        made = split(dataset, task, "", same)
    except BenchError as error:
        return f"cannot run: {error}"
    return f"{made.label} ({len(np.unique(made.groups[made.group]))} groups)"


def text(found: Check) -> str:
    """Return a check as tables for people."""
    seconds = found.seconds
    facts: list[tuple[str, Any]] = [
        ("clips", found.n_clips),
        ("hours", f"{seconds['total'] / 3600:.3f}"),
        ("seconds", f"{seconds['min']:.2f} to {seconds['max']:.2f}, median {seconds['median']:.2f}"),
        ("sample rates (Hz)", ", ".join(f"{rate}: {n}" for rate, n in found.rates.items())),
        ("channels", ", ".join(f"{channels}: {n}" for channels, n in found.channels.items())),
        ("undecodable", _counted(list(found.undecodable))),
        ("clipped", _counted(found.clipped)),
        ("silent", _counted(found.silent)),
        ("same audio", _counted([" = ".join(names) for names in found.duplicates])),
    ]
    labels = [[column, *counts.values()] for column, counts in found.labels.items()]
    headers = ["label", "values", "clips of the rarest", "of the most frequent", "without"]
    parts = [
        tabulate(facts, tablefmt="plain", disable_numparse=True),
        tabulate(labels, headers=headers, tablefmt="simple"),
        tabulate(list(found.tasks.items()), headers=["task", "split"], maxcolwidths=[None, 90]),
    ]
    if found.undecodable:
        parts.append("\n".join(f"undecodable: {reason}" for reason in found.undecodable.values()))
    return "\n\n".join(parts)


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} ({shortlist(names)})" if names else "0"
