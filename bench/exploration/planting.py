"""Planted label errors: wrong labels on purpose, and how many of them confident learning finds."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from bench import splits
from bench.errors import UsageError
from bench.exploration.confident import Codes, LabelQuality, label_quality
from bench.learn.folds import evaluate
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.splits import CrossValidation, RandomFolds, SplitProtocol
from bench.types import SCORE_PREFIX, Embeddings, Labels, Split

N_FOLDS = 5
"""Largest number of folds."""

MIN_CLIPS = 10
"""Least number of clips of a class; clips of a rarer class are left out."""

PENALTY = 0.01
"""C of the logistic regression; with a weaker penalty it learns wrong labels by heart, and agrees."""

Unit = Literal["clip", "group"]
"""What gets a wrong label as a whole: a clip, or all clips of a group."""

FoldKind = Literal["group", "random"]
"""Whether the folds keep groups apart, or ignore them."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Planted:
    """Labels with errors that were planted.

    Parameters
    ----------
    labels : tuple[str, ...]
        Label of every clip; '' where it is unknown.
    is_planted : np.ndarray, shape=(n_clips,), dtype=bool
        Whether the label was changed.
    """

    labels: tuple[str, ...]
    is_planted: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedSearch:
    """How many planted errors are among the suspects, with one kind of errors and one kind of folds.

    An error that the labels had before counts as a false suspect.

    Parameters
    ----------
    unit : Unit
        What the errors were planted on.
    folds : FoldKind
        How the clips were split for the predictions.
    n_clips, n_planted, n_suspects, n_hits : int
        Numbers of clips with a label, of planted errors, of suspects, and of planted errors among these.
    accuracy : float
        Share of the clips whose most probable class is their label, planted or not, in [0, 1].
    average_precision : float
        Average precision of the planted errors in the list by quality, in [0, 1].
    """

    unit: Unit
    folds: FoldKind
    n_clips: int
    n_planted: int
    n_suspects: int
    n_hits: int
    accuracy: float
    average_precision: float

    @property
    def precision(self) -> float:
        """Return the share of planted errors among the suspects; 0 without suspects."""
        return self.n_hits / max(self.n_suspects, 1)

    @property
    def recall(self) -> float:
        """Return the share of the planted errors that are suspects."""
        return self.n_hits / self.n_planted


def plant(labels: Sequence[str], share: float, seed: int, groups: Sequence[str] | None = None) -> Planted:
    """Return labels of which a share is wrong: on single clips, or on all clips of some groups.

    A wrong label is another class, each with the same chance. All clips of a group with one label get the
    same other one, and two labels of a group stay apart.

    Parameters
    ----------
    labels : Sequence[str]
        Label of every clip; a clip whose label is '' keeps it.
    share : float
        Share of the clips, or of the groups, in (0, 0.5]; at least one is wrong.
    groups : Sequence[str] | None
        Group of every clip, such as its speaker, to plant errors on whole groups; None for single clips.

    Raises
    ------
    UsageError
        If the share is out of range, or there are fewer than two classes or units.
    """
    if not 0 < share <= 0.5:
        raise UsageError(f"--plant-errors {share:.3g}: expected a share above 0 and up to 0.5, such as 0.05")
    y = np.asarray(labels, dtype=object)
    rows = np.flatnonzero(y != "")
    classes, codes = np.unique(y[rows].astype(str), return_inverse=True)
    names = rows if groups is None else np.asarray(groups, dtype=object)[rows].astype(str)
    units, unit = np.unique(names, return_inverse=True)
    if len(classes) < 2 or len(units) < 2:
        raise UsageError(
            f"--plant-errors: {len(rows)} labelled clips of {len(classes)} classes in {len(units)} units; "
            "expected two classes and two units (clips or groups), or more"
        )
    rng = np.random.default_rng(seed)
    wrong = rng.choice(len(units), max(1, round(share * len(units))), replace=False)
    offset = np.zeros(len(units), dtype=int)
    offset[wrong] = rng.integers(1, len(classes), len(wrong))
    y[rows] = classes[(codes + offset[unit]) % len(classes)]
    is_planted = np.zeros(len(y), dtype=bool)
    is_planted[rows] = offset[unit] > 0
    return Planted(labels=tuple(map(str, y)), is_planted=is_planted)


def search_planted(
    vectors: Embeddings, labels: Sequence[str], groups: Sequence[str], share: float, seed: int = 0
) -> tuple[PlantedSearch, ...]:
    """Plant errors on clips and on groups, and search them with folds by group and with random folds.

    The probabilities come from logistic regression with a strong penalty on standardised vectors, in up to
    `N_FOLDS` folds. Folds by group are left out where the labels allow none, such as one class per group.

    Parameters
    ----------
    vectors : Embeddings
        shape=(n_clips, dim).
    labels : Sequence[str]
        Label of every clip; clips whose label is '' or has fewer than `MIN_CLIPS` clips are left out.
    groups : Sequence[str]
        Group of every clip, such as its speaker; a clip whose group is '' is a group.
    share : float
        Share of the clips, or of the groups, in (0, 0.5].

    Returns
    -------
    tuple[PlantedSearch, ...]
        One per unit (single clips first) and kind of folds.

    Raises
    ------
    UsageError
        See `plant`; or if the labels allow no folds.
    """
    counts = Counter(labels)
    rows = [row for row, label in enumerate(labels) if label and counts[label] >= MIN_CLIPS]
    X, y = vectors[rows], [labels[row] for row in rows]
    names: Labels = np.array([groups[row] or f"clip {row}" for row in rows])
    searches: list[PlantedSearch] = []
    units: tuple[Unit, ...] = ("clip", "group")
    for unit in units:
        planted = plant(y, share, seed, names.tolist() if unit == "group" else None)
        noisy = np.array(planted.labels)
        for kind, split in _splits(noisy, names).items():
            quality = out_of_fold(X, noisy, split)
            searches.append(_search(unit, kind, quality, planted.is_planted))
    if not searches:
        raise UsageError(
            "--plant-errors: a class has too few clips for folds; expected two clips or more of each"
        )
    return tuple(searches)


def out_of_fold(X: Embeddings, y: Labels, split: Split) -> LabelQuality:
    """Return the quality of every label by logistic regression in the folds of a split."""
    recipe = PipelineSpec(lambda: LogisticRegression(C=PENALTY, max_iter=2000))
    evaluation = evaluate(Examples(X, y, split), recipe, lambda: 0.0, checks_apart=False)
    table = evaluation.predictions.sort_values("row")
    classes = np.unique(y)
    p = table[[f"{SCORE_PREFIX}{name}" for name in classes]].fillna(0.0).to_numpy()
    codes: Codes = np.searchsorted(classes, y)
    return label_quality(codes, p)


def _splits(y: Labels, groups: Labels) -> dict[FoldKind, Split]:
    """Return the splits that the labels allow."""
    if len(np.unique(y)) < 2:
        return {}
    n_folds = min(N_FOLDS, len(np.unique(groups)))
    protocols: dict[FoldKind, SplitProtocol] = {
        "group": CrossValidation(n_folds),
        "random": RandomFolds(N_FOLDS),
    }
    possible = {}
    for kind, protocol in protocols.items():
        if splits.checks.obstacle(("group",), groups, y, protocol) is None:
            split = Split(kind, protocol.folds(y, groups), {"group": groups}, leaky=protocol.leaky)
            if splits.checks.fault(split, y) is None:
                possible[kind] = split
    return possible


def _search(
    unit: Unit, folds: FoldKind, quality: LabelQuality, is_planted: npt.NDArray[np.bool_]
) -> PlantedSearch:
    return PlantedSearch(
        unit=unit,
        folds=folds,
        n_clips=len(is_planted),
        n_planted=int(is_planted.sum()),
        n_suspects=int(quality.is_suspect.sum()),
        n_hits=int((quality.is_suspect & is_planted).sum()),
        accuracy=quality.accuracy,
        average_precision=float(average_precision_score(is_planted, -quality.quality)),
    )
