"""Suspects: probable label errors, from the predictions of a run's best head for the clips of other folds."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.errors import UsageError
from bench.exploration.confident import Codes, LabelQuality, are_probabilities, calibrated, label_quality
from bench.report import tables
from bench.report.rows import Row, Table
from bench.store import Store
from bench.types import SCORE_PREFIX, Status


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelList:
    """Labels of clips, or of whole groups, with their quality; suspects first, then the lowest quality.

    Parameters
    ----------
    name : tuple[str, ...]
        The clip, or the group.
    group : tuple[str, ...]
        The group of every clip; the same as `name` for groups.
    label, suggestion : tuple[str, ...]
        The label, and the class that the clip probably is of.
    quality : np.ndarray, shape=(n_names,), in [0, 1]
        Probability of the label, of a group the mean over its clips with this label.
    is_suspect : np.ndarray, shape=(n_names,), dtype=bool
        Whether the label is probably wrong; of a group, whether more than half of its clips are suspects.
    n_clips, n_suspects : np.ndarray, shape=(n_names,), dtype=int
        Number of clips with this label, and of suspects among them.
    """

    name: tuple[str, ...]
    group: tuple[str, ...]
    label: tuple[str, ...]
    suggestion: tuple[str, ...]
    quality: npt.NDArray[np.float64]
    is_suspect: npt.NDArray[np.bool_]
    n_clips: npt.NDArray[np.intp]
    n_suspects: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Suspects:
    """Probable label errors of one task on one data set.

    Parameters
    ----------
    dataset, task : str
        Of the table of the leaderboard.
    extractor, layer, pool, head : str
        Best row whose predictions have scores per class.
    rank : int
        Place of that row among the ranked ones, from 1.
    split, group : str
        Protocol of the folds, and the column that they keep apart.
    is_leaky : bool
        Whether the folds ignore the groups.
    is_calibrated : bool
        Whether decision values were turned into probabilities.
    accuracy : float
        Share of the clips whose most probable class is their label, in [0, 1]; where it is low, most suspects
        are errors of the head.
    n_errors : float
        Estimated number of wrong labels; it also counts those that cannot be pointed at.
    clips : LabelList
        Every tested clip.
    groups : LabelList | None
        Every label of a group that two clips or more have, to find groups whose label is wrong as a whole;
        None if there is none.
    """

    dataset: str
    task: str
    extractor: str
    layer: str
    pool: str
    head: str
    rank: int
    split: str
    group: str
    is_leaky: bool
    is_calibrated: bool
    accuracy: float
    n_errors: float
    clips: LabelList
    groups: LabelList | None


def suspects(out: Path) -> tuple[Suspects, ...]:
    """Return the probable label errors of every task in the folder of a run.

    Results and predictions are checked against their seals. Predictions are those of the best row with scores
    per class; its probabilities are averaged over seeds, repeats, and the segments of a clip. Decision values
    become probabilities by one temperature.

    Parameters
    ----------
    out : Path
        Folder that ``bench run --out`` wrote.

    Raises
    ------
    UsageError
        If the folder holds no run, a changed result, or no task with scores per class.
    """
    leaderboard = tables.tables([Store(out)])
    lists = [table_suspects(table) for table in leaderboard if not table.permuted]
    complete = tuple(entry for entry in lists if entry)
    if not complete:
        others = itertools.chain.from_iterable(table.others for table in leaderboard)
        reasons = [result.reason for result in others if result.status == Status.FAILED]
        obstacle = "no head gives scores of classes for any task; run one that does, such as logreg"
        raise UsageError(f"--suspects {out}: {reasons[0] if reasons else obstacle}")
    return complete


def table_suspects(table: Table) -> Suspects | None:
    """Return the probable label errors of a table; None if no row has scores per class.

    Raises
    ------
    UsageError
        If predictions are not those that were scored.
    """
    for rank, row in enumerate(table.learners, 1):
        scores = _scores(table, row)
        if scores is None or table.protocol is None:
            continue
        values, is_calibrated = scores
        classes = [str(name).removeprefix(SCORE_PREFIX) for name in values.columns[2:]]
        clips, groups, quality = _lists(values, classes)
        split, view = table.protocol.split, row.system.view
        return Suspects(
            dataset=table.dataset,
            task=table.task.name,
            extractor=row.system.extractor,
            layer=str(view.layer),
            pool=view.pool,
            head=row.system.head,
            rank=rank,
            split=split.protocol,
            group=split.group,
            is_leaky=split.leaky,
            is_calibrated=is_calibrated,
            accuracy=quality.accuracy,
            n_errors=quality.n_errors,
            clips=clips,
            groups=groups,
        )
    return None


def _scores(table: Table, row: Row) -> tuple[pd.DataFrame, bool] | None:
    """Return `group`, `y_true` and the probability of every class by clip, and whether they were calibrated.

    None if the row has no scores per class.
    """
    parts, is_calibrated = [], False
    for result in row.results:
        predictions = table.stores[result.key].scored_predictions(result)
        columns = [name for name in predictions if str(name).startswith(SCORE_PREFIX)]
        if not columns:
            return None
        scores = predictions[columns].to_numpy(dtype=np.float64)
        # A class that a fold was not trained on has no score.
        p = np.nan_to_num(scores, nan=0.0)
        if not are_probabilities(p):
            y = pd.Index(columns).get_indexer(pd.Index(SCORE_PREFIX + predictions["y_true"]))
            p, is_calibrated = calibrated(np.where(np.isnan(scores), -np.inf, scores), y), True
        parts.append(predictions[["clip", "group", "y_true"]].join(pd.DataFrame(p, columns=columns)))
    return _by_clip(pd.concat(parts, ignore_index=True), table), is_calibrated


def _by_clip(predictions: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return one row per clip, or per clip that segments with one label are parts of."""
    labels = table.labels()
    if "parent" in labels:
        parent = labels.set_index("clip")["parent"].loc[predictions["clip"]].to_numpy(str)
        if predictions.groupby(parent)["y_true"].nunique().max() == 1:
            predictions = predictions.assign(clip=parent)
    clips = predictions.groupby("clip", sort=True)
    return clips[["group", "y_true"]].first().join(clips.mean(numeric_only=True))


def _lists(values: pd.DataFrame, classes: Sequence[str]) -> tuple[LabelList, LabelList | None, LabelQuality]:
    """Return the lists of clips and of groups, and the quality of the labels by clip."""
    p = values.iloc[:, 2:].to_numpy(dtype=np.float64)
    label, group = values["y_true"].to_numpy(str), values["group"].to_numpy(str)
    quality = label_quality(_codes(label, classes), p)
    clips = _list(values.index.to_numpy(str), group, label, (classes, quality))
    by_group = pd.DataFrame(p).assign(suspect=quality.is_suspect).groupby([group, label])
    sizes = by_group.size()
    means = by_group.mean()[sizes > 1]
    if means.empty:
        return clips, None, quality
    group, label = (means.index.get_level_values(level).to_numpy(str) for level in (0, 1))
    scores, share = means.drop(columns="suspect").to_numpy(), means["suspect"].to_numpy()
    of_groups = replace(
        quality,
        quality=scores[np.arange(len(means)), _codes(label, classes)],
        suggestion=scores.argmax(axis=1),
        is_suspect=share > 0.5,
    )
    n_clips = np.asarray(sizes[sizes > 1], dtype=np.intp)
    counts = n_clips, np.rint(share * n_clips).astype(np.intp)
    return clips, _list(group, group, label, (classes, of_groups), counts), quality


def _codes(label: npt.NDArray[np.str_], classes: Sequence[str]) -> Codes:
    return pd.Index(classes).get_indexer(pd.Index(label))


def _list(
    name: npt.NDArray[np.str_],
    group: npt.NDArray[np.str_],
    label: npt.NDArray[np.str_],
    verdict: tuple[Sequence[str], LabelQuality],
    counts: tuple[Codes, Codes] | None = None,
) -> LabelList:
    """Return labels in the order of their suspicion; without `counts` they are of single clips."""
    classes, quality = verdict
    n_clips, n_suspects = counts or (np.ones(len(name), dtype=np.intp), quality.is_suspect.astype(np.intp))
    order = quality.order
    return LabelList(
        name=tuple(name[order].tolist()),
        group=tuple(group[order].tolist()),
        label=tuple(label[order].tolist()),
        suggestion=tuple(classes[code] for code in quality.suggestion[order]),
        quality=quality.quality[order],
        is_suspect=quality.is_suspect[order],
        n_clips=n_clips[order],
        n_suspects=n_suspects[order],
    )


def frame(labels: LabelList) -> pd.DataFrame:
    """Return a list of labels as a table, one row per clip or per label of a group."""
    return pd.DataFrame(
        {
            "name": labels.name,
            "group": labels.group,
            "label": labels.label,
            "suggestion": labels.suggestion,
            "quality": labels.quality,
            "suspect": labels.is_suspect,
            "n_clips": labels.n_clips,
            "n_suspects": labels.n_suspects,
        }
    )
