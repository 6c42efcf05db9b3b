"""Splits: one fold per clip, made so that no group stands on both sides, and refused where one does."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from bench.datasets.kinds.manifest import read_table
from bench.errors import LabelError, SplitError, UsageError, shortlist
from bench.types import Dataset, Labels, Split, Task

FOLDS = 5
SEED = 0
"""The folds' own seed: a cell's seed varies the head, never the split."""

SOURCES = ("parent", "noise_recording")
"""Columns that are always kept apart: the clip that a segment is of, and the noise under a clip."""

DEV = {"val", "valid", "validation"}


def target(dataset: Dataset, task: Task) -> Labels:
    """Return the label of every clip.

    Raises
    ------
    LabelError
        If the dataset has no such column, a clip no label, or all clips the same one.
    """
    if task.target not in dataset.labels:
        raise LabelError(
            f"{dataset.source}: has no column '{task.target}', which task '{task.name}' predicts "
            f"(label columns: {', '.join(dataset.labels)})"
        )
    y = _column(dataset, task.target)
    if (y == y[0]).all():
        raise LabelError(
            f"{dataset.source}: every clip has the {task.target} '{y[0]}'; expected two classes or more"
        )
    return y


def make(dataset: Dataset, task: Task, how: str, heard: Sequence[str] = ()) -> Split:
    """Return the split of a task over a dataset.

    Clips that share a value of any column that is kept apart are one group, and so are clips that hold the
    same audio.

    Parameters
    ----------
    how : str
        ``cv:K`` for K folds, stratified and grouped; ``loso`` for a fold per group; ``holdout:F`` to test the
        share F of the clips once; ``fixed`` for the split that the dataset has for the task, or else its
        column `fold`; ``FILE.csv`` for a table of clip (or of another label column) and fold; ``random`` for
        five folds that leak; empty for ``fixed`` if there is one, else ``cv:5``.
    heard : Sequence[str]
        What is the same of clips that hold the same audio; empty where that is of no other clip.

    Raises
    ------
    UsageError
        If `how` is none of these, or does not fit the dataset.
    LabelError
        If the target or a group column has gaps, or the target a single class.
    SplitError
        If the data allow no split by any of the task's groups, or the fixed split leaks.
    """
    y = target(dataset, task)
    fixed = "fold" in dataset.labels or task.name in dataset.fixed
    protocol = _protocol(dataset, task, how or ("fixed" if fixed else f"cv:{FOLDS}"))
    reasons: list[str] = []
    for column in task.groups:
        if column not in dataset.labels:
            reasons.append(f"{column}: there is no such column")
            continue
        groups = _groups(dataset, task, column, heard)
        group = joined(groups)
        if protocol.leaky:
            return Split(protocol.name, protocol.assign(y, group), groups, leaky=True)
        reason = _obstacle(column, group, y, protocol)
        if not reason:
            split = Split(protocol.name, protocol.assign(y, group), groups, "; ".join(reasons))
            try:
                check(split, y)
            except SplitError as error:
                if protocol.given:
                    raise
                reason = str(error)
            else:
                return split
        reasons.append(f"{column}: {reason}")
    raise SplitError(
        f"task '{task.name}' cannot be split on {dataset.source} without a leak: {'; '.join(reasons)}; "
        "add clips or a group column, drop these classes, or ask for fewer folds"
    )


@dataclass(frozen=True, slots=True)
class _Protocol:
    """How folds are assigned: from labels and groups, both shape=(n_clips,), to folds.

    Parameters
    ----------
    n_folds : int
        How many groups it takes.
    n_clips : int
        How many clips the largest class must have at least.
    given : bool
        Whether the user gave the folds: then a leak is an error, not a reason to try another group.
    """

    name: str
    assign: Callable[[Labels, Labels], Labels]
    n_folds: int = 2
    n_clips: int = 0
    given: bool = False
    leaky: bool = False


def _protocol(dataset: Dataset, task: Task, how: str) -> _Protocol:
    """Return the protocol that ``--split`` names."""
    if how == "fixed" and task.name in dataset.fixed:
        return _given(how, _listed_folds(dataset, dataset.fixed[task.name]))
    if how == "fixed" and "fold" in dataset.labels:
        return _given(how, _column(dataset, "fold"))
    if how.endswith(".csv"):
        return _given(Path(how).name, _listed_folds(dataset, Path(how)))
    if how == "loso":
        return _Protocol(how, lambda _, group: np.array([f"group {name}" for name in group]))
    if how == "random":
        return _Protocol(how, lambda y, _: _folds(y, None, FOLDS), leaky=True)
    kind, _, value = how.partition(":")
    if kind == "cv" and value.isdecimal() and int(value) >= 2:
        n_folds = int(value)
        return _Protocol(how, lambda y, group: _folds(y, group, n_folds), n_folds, n_clips=n_folds)
    if kind == "holdout" and re.fullmatch(r"0?\.\d+", value) and 0.05 <= float(value) <= 0.5:
        share = Fraction(value).limit_denominator(20)
        return _Protocol(how, partial(_holdout, share=share), share.denominator, n_clips=share.denominator)
    expected = f"{dataset.source} has no column 'fold', and no fixed split of task '{task.name}'"
    if how != "fixed":
        expected = (
            "expected fixed, cv:K with K >= 2, loso, holdout:F with F from 0.05 to 0.5, random or FILE.csv"
        )
    raise UsageError(f"--split {how}: {expected}")


def _given(name: str, fold: Labels) -> _Protocol:
    named = np.array(["dev" if each in DEV else each for each in fold.tolist()])
    return _Protocol(name, lambda _y, _group: named, given=True)


def check(split: Split, y: Labels) -> None:
    """Refuse a split that leaks without saying so, or that tests a class that it does not train on.

    Raises
    ------
    SplitError
        Naming the groups on both sides of a fold, or the classes.
    """
    rounds = list(split.rounds())
    if not rounds:
        raise SplitError(
            f"split '{split.name}' tests no clip; expected the folds train and test, or two or more folds"
        )
    guarded = {} if split.leaky else {name: pd.factorize(group) for name, group in split.groups.items()}
    for fold, train, test in rounds:
        for column, (codes, names) in guarded.items():
            sides = np.zeros((2, len(names)), dtype=bool)
            sides[0, codes[train]] = sides[1, codes[test]] = True
            both = set(names[sides.all(axis=0)].tolist())
            if both:
                raise SplitError(
                    f"split '{split.name}' leaks: {column} {shortlist(both)} on both sides of fold '{fold}'; "
                    f"put every {column} into one fold"
                )
        unseen = set(np.unique(y[test]).tolist()) - set(np.unique(y[train]).tolist())
        if unseen:
            raise SplitError(
                f"split '{split.name}' tests classes in fold '{fold}' that it never trains on: {shortlist(unseen)}"
            )


def _obstacle(column: str, group: Labels, y: Labels, protocol: _Protocol) -> str:
    """Return why groups cannot be kept apart in so many folds; empty if they can."""
    n_groups = pd.Series(group).nunique()
    if n_groups < protocol.n_folds:
        return f"{n_groups} groups are fewer than {protocol.n_folds} folds"
    per_class = pd.Series(group).groupby(y).nunique()
    alone = per_class[per_class < 2]
    if len(alone):
        return f"{len(alone)} of {len(per_class)} classes have a single {column} ({shortlist(alone.index)})"
    most = int(pd.Series(y).value_counts().max())
    return (
        f"no class has more than {most} clips, fewer than {protocol.n_clips} folds"
        if most < protocol.n_clips
        else ""
    )


def _groups(dataset: Dataset, task: Task, column: str, heard: Sequence[str]) -> Mapping[str, Labels]:
    """Return the groups of a column, of the more lenient ones, and of equal audio: none of them may leak."""
    columns = task.groups[task.groups.index(column) :]
    names = [name for name in (*columns, *SOURCES) if name in dataset.labels]
    groups = {name: _shared(_whole(dataset, name)) for name in names}
    if any(heard):
        clips = dataset.table["clip"].tolist()
        first = dict(zip(reversed(heard), reversed(clips), strict=True))
        same = [first[audio] if audio else clip for clip, audio in zip(clips, heard, strict=True)]
        groups["audio"] = np.array(same, dtype=object)
    return groups


def _shared(values: "pd.Series[str]") -> Labels:
    """Return values each of which is one object, however often it stands there, to save memory."""
    codes, names = pd.factorize(values)
    return np.asarray(names, dtype=object)[codes]


def permuted(y: Labels, split: Split) -> Labels:
    """Return labels that groups have exchanged: all clips that share group and label get another such set's.

    What tells groups apart, and is wrongly on both sides of a split, so scores above chance with them too.
    """
    sets = pd.DataFrame({"group": split.groups[split.group], "y": y}).groupby(["group", "y"])
    labels = sets.size().index.get_level_values("y").to_numpy(dtype=str)
    exchanged = np.random.default_rng(SEED).permutation(labels)
    return np.asarray(exchanged[sets.ngroup().to_numpy()])


def joined(groups: Mapping[str, Labels]) -> Labels:
    """Return one group per clip: clips that share a value of any column, be it through others, are one.

    Each is called after its first clip's value of the first column.
    """
    columns = [pd.factorize(column)[0] for column in groups.values()]
    n_clips = len(columns[0])
    ends = np.cumsum([n_clips, *(int(column.max()) + 1 for column in columns)])
    values = np.concatenate([column + start for column, start in zip(columns, ends[:-1], strict=True)])
    clips = np.tile(np.arange(n_clips), len(columns))
    graph = coo_array((np.ones(len(clips), dtype=bool), (clips, values)), shape=(ends[-1], ends[-1]))
    n_groups, component = connected_components(graph, directed=False)
    group, first = component[:n_clips], np.empty(n_groups, dtype=int)
    first[group[::-1]] = np.arange(n_clips)[::-1]  # of equal places the last one stays
    named: Labels = next(iter(groups.values()))[first][group]
    return named


def _folds(y: Labels, group: Labels | None, n_folds: int) -> Labels:
    """Return stratified folds, named from 0 up, that share no group if there are groups."""
    fold = np.empty(len(y), dtype=object)
    splitter = (StratifiedKFold if group is None else StratifiedGroupKFold)(
        n_folds, shuffle=True, random_state=SEED
    )
    with warnings.catch_warnings():
        # A class with fewer clips than folds is stratified as far as it goes.
        warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
        codes = None if group is None else pd.factorize(group, sort=True)[0]
        classes = pd.factorize(y, sort=True)[0]
        for number, (_, test) in enumerate(splitter.split(classes, classes, codes)):
            fold[test] = str(number)
    return fold.astype(str)


def _holdout(y: Labels, group: Labels, share: Fraction) -> Labels:
    """Return the folds train and test, of which test has about the share of every class."""
    tested = [str(number) for number in range(share.numerator)]
    return np.where(np.isin(_folds(y, group, share.denominator), tested), "test", "train")


def _listed_folds(dataset: Dataset, path: Path) -> Labels:
    """Return the fold of every clip from a table of clip, or of a label column, and fold."""
    table = read_table(path)
    columns = [name for name in table.columns if name in {"clip", *dataset.labels} - {"fold"}]
    if "fold" not in table or not columns:
        raise UsageError(f"{path}: has the columns {', '.join(table.columns)}; expected clip, fold")
    column = columns[0]
    folds = dict(zip(table[column], table["fold"], strict=True))
    values = dataset.table[column].tolist()
    unlisted = set(values) - set(folds)
    unknown = set(folds) - set(values) if column == "clip" else set()
    if unlisted or unknown or len(folds) < len(table):
        raise UsageError(
            f"{path}: expected every {column} of {dataset.source} once; {len(table) - len(folds)} stand "
            f"twice, {len(unlisted)} are not listed ({shortlist(unlisted)}), {len(unknown)} are unknown "
            f"({shortlist(unknown)})"
        )
    return np.array([folds[value] for value in values])


def listed(split: Split, dataset: Dataset, column: str) -> pd.DataFrame:
    """Return a split as the table that ``FILE.csv`` takes: the fold of every clip, or of every label.

    Parameters
    ----------
    column : str
        ``clip`` or a label column.

    Raises
    ------
    UsageError
        If there is no such column, or one of its labels is in several folds.
    """
    if column not in {"clip", *dataset.labels}:
        raise UsageError(f"{dataset.source}: has no column '{column}' (columns: {shortlist(dataset.labels)})")
    table = pd.DataFrame({column: dataset.table[column].to_numpy(), "fold": split.fold}).drop_duplicates()
    several = table.loc[table[column].duplicated(), column].unique().tolist()
    if several:
        raise UsageError(
            f"{dataset.source}: {column} {shortlist(several)} is in several folds; list them by clip"
        )
    return table.sort_values(column, ignore_index=True)


def _column(dataset: Dataset, name: str) -> Labels:
    """Return a label column without gaps."""
    codes, names = pd.factorize(_whole(dataset, name))
    labels: Labels = np.asarray(names, dtype=str)[codes]
    return labels


def _whole(dataset: Dataset, name: str) -> "pd.Series[str]":
    """Return a label column, unless it has gaps."""
    column = dataset.table[name]
    empty = (column == "").to_numpy()
    if empty.any():
        others = shortlist(set(column[~empty].tolist()))
        expected = f"; expected one of {others}" if others else ""
        raise LabelError(f"{dataset.location(int(empty.argmax()))}: column '{name}' is empty{expected}")
    return column
