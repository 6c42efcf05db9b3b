"""Groups of clips that a split keeps apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench.datasets.grouping import join_groups, overlapping_windows
from bench.splits.labels import complete
from bench.types import Dataset, Labels, Split

SOURCES = ("parent", "noise_recording")
"""Columns that every split keeps apart: the clip of a segment, and the noise under a clip."""

COPIES = "audio"
"""Column of the groups of clips that share audio."""

SEED = 0
"""Seed of the first permutation of labels."""


def task_groups(dataset: Dataset, columns: Sequence[str], fingerprints: Sequence[str]) -> dict[str, Labels]:
    """Return column -> group of every clip, shape=(n_clips,), for all columns that a split keeps apart.

    These are `columns`, `SOURCES`, ``audio`` if clips share audio, and ``window`` if the others do not keep
    windows of a file together that overlap.

    Parameters
    ----------
    fingerprints : Sequence[str]
        Fingerprint of every clip's samples; '' if no other clip shares them.

    Raises
    ------
    LabelError
        If a clip has no group.
    """
    sources = [name for name in SOURCES if name in dataset.labels]
    groups = {name: _interned(complete(dataset, name)) for name in dict.fromkeys([*columns, *sources])}
    if any(fingerprints):
        clips = dataset.table["clip"].tolist()
        first = dict(zip(reversed(fingerprints), reversed(clips), strict=True))
        pairs = zip(clips, fingerprints, strict=True)
        audio = [first[fingerprint] if fingerprint else clip for clip, fingerprint in pairs]
        groups[COPIES] = np.array(audio, dtype=object)
    windows = overlapping_windows(dataset.table)
    if len(set(zip(windows, join_groups(groups), strict=True))) > len(set(windows)):
        groups["window"] = windows
    return groups


def _interned(values: "pd.Series[str]") -> Labels:
    """Return values with one object for equal values, to save memory."""
    codes, names = pd.factorize(values)
    return np.asarray(names, dtype=object)[codes]


def permute_labels(y: Labels, split: Split, seed: int = SEED) -> Labels:
    """Return labels that were exchanged among groups, shape=(n_clips,); clips without a label have none.

    Clips with the same group and the same label keep a common label. A score above chance with permuted
    labels shows that something identifies groups across the folds: a leak.
    """
    has_label = y != ""
    table = pd.DataFrame({"group": split.groups[split.group], "y": y})[has_label]
    sets = table.groupby(["group", "y"])
    labels = sets.size().index.get_level_values("y").to_numpy(dtype=str)
    permutation = np.random.default_rng(seed).permutation(labels)
    permuted = y.copy()
    permuted[has_label] = permutation[sets.ngroup().to_numpy()]
    return permuted


def shuffle_labels(y: Labels, split: Split, seed: int = SEED) -> Labels:
    """Return labels that clips exchanged within their group, shape=(n_clips,), '' where there is none.

    If no group has clips of two labels, clips exchange them over all groups.
    """
    group = pd.factorize(split.groups[split.group])[0]
    clips = np.flatnonzero(y != "")
    if len(set(zip(group[clips], y[clips], strict=True))) == len(set(group[clips])):
        group = np.zeros(len(y), dtype=int)
    rng = np.random.default_rng(seed)
    shuffled = y.copy()
    places = clips[np.argsort(group[clips], kind="stable")]
    order = clips[np.lexsort((rng.random(len(clips)), group[clips]))]
    shuffled[places] = y[order]
    return shuffled
