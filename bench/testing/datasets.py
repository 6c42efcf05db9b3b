"""Rules for datasets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bench import audio
from bench.errors import BenchError, shortlist
from bench.testing.checks import Check, Rule, Subject, build_checks
from bench.types import Clip, Dataset

RATE = 16_000
"""Rate at which clips are decoded, in Hz."""


def has_clips(subject: Subject[Dataset]) -> None:
    """There is at least one clip, and clip ids are unique."""
    ids = subject.plugin.table["clip"]
    assert len(ids) > 0, "no clips"
    assert not ids.duplicated().any(), f"repeated: {shortlist(ids[ids.duplicated()].tolist())}"


def files_are_there(subject: Subject[Dataset]) -> None:
    """The audio file of every clip exists."""
    absent = [clip.id for clip in subject.plugin.clips() if not clip.path.is_file()]
    assert not absent, f"absent: {shortlist(absent)}"


def decodes(subject: Subject[Dataset]) -> None:
    """Every clip can be decoded to finite samples."""
    undecodable = [clip.id for clip in subject.plugin.clips() if not _is_decodable(clip)]
    assert not undecodable, f"not decoded: {shortlist(undecodable)}"


def _is_decodable(clip: Clip) -> bool:
    try:
        return bool(np.isfinite(audio.read(clip, RATE)).all())
    except BenchError:
        return False


def labels_are_whole(subject: Subject[Dataset]) -> None:
    """Every clip has a value in every label column."""
    dataset = subject.plugin
    columns = [name for name in dataset.labels if (dataset.table[name] == "").any()]
    assert not columns, f"empty values in {shortlist(columns)}"


def opens_alike(subject: Subject[Dataset]) -> None:
    """The dataset has the same table when it is opened again."""
    assert subject.factory().table.equals(subject.plugin.table)


RULES: Sequence[Rule] = (has_clips, files_are_there, decodes, labels_are_whole, opens_alike)


def check_dataset(
    factory: Callable[[], Dataset], expected_failures: Mapping[str, str] | None = None
) -> list[Check]:
    """Return the checks of a dataset; parameters as in `check_extractor`."""
    return build_checks(RULES, Subject(factory), expected_failures)
