"""Confidence intervals of scores, or the reason why a score has none.

Conventions: an interval is for the value of this run's fitted models on new groups of the same kind. Clips of
one group, such as a speaker's, are alike, so that its width comes from the spread of the groups. A value is
on a scale from 0 to 1, from the lowest to the highest value of its metric, unless that has no limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from bench.metrics import METRICS, Floats, Metric, Predicted
from bench.metrics.base import Codes
from bench.stats import groups, intervals
from bench.stats.groups import ClassGroups
from bench.stats.intervals import LEVEL, N_DRAWS, weights_per_draw
from bench.types import Labels, Score, Unbounded

MIN_EFFECTIVE = 3.0
"""Effective number of groups below which a score gets no interval."""

MIN_FAILING = 8
"""Number of groups with an error from which their spread shows what other groups may do."""

UNSEEN_SHARE = 0.05
"""Share of groups that fail altogether which an interval has to allow for while it may be unseen."""

UPPER = (1 + LEVEL) / 2

TINY = 1e-12
"""What rounding may add to a value or to a number of groups; smallest number of trials and variance."""

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Interval of a score, or why it has none.

    Parameters
    ----------
    low, high : float | None
        Bounds of the 95 % interval; None without one.
    unbounded : Unbounded
        Why there is no interval; empty with one.
    """

    low: float | None = None
    high: float | None = None
    unbounded: Unbounded = ""


def bounds(metric: Metric, p: Predicted, group: Labels) -> Interval | None:
    """Return the 95 % interval of a metric, or None; see `bound`."""
    interval = bound(metric, p, group)
    return None if interval.low is None or interval.high is None else (interval.low, interval.high)


def bound(metric: Metric, p: Predicted, group: Labels) -> Bounds:
    """Return the 95 % interval of a metric, or why its groups do not allow one.

    A metric with a lowest and a highest value gets the interval of Korn and Graubard, a mean of recalls the
    intervals of the classes, combined. A metric without limits gets Student's t, and none if all groups are
    equal.

    Parameters
    ----------
    group : Labels
        Group of every clip, shape=(n_clips,).
    """
    return _bound(metric, p, np.unique(group, return_inverse=True)[1], metric.score(p))


def _bound(metric: Metric, p: Predicted, codes: Codes, value: float) -> Bounds:
    """Return the bounds of a metric's value, given the group of every clip as a number from 0."""
    size = int(codes.max()) + 1
    if size < 2:
        return Bounds(unbounded="few_groups")
    if weights_per_draw(metric, p) * min(size, N_DRAWS) > intervals.MAX_WEIGHTS:
        return Bounds(unbounded="too_large")
    n_groups = groups.effective_groups(metric, p, codes)
    if n_groups < MIN_EFFECTIVE - TINY:
        return Bounds(unbounded="few_groups")
    span = metric.high - metric.low
    if not np.isfinite(span):
        variance = groups.variance(metric, p, codes)
        return Bounds(*student(value, variance, n_groups, metric.low)) if variance > TINY else Bounds()
    share = min(max((value - metric.low) / span, 0.0), 1.0)  # a correlation may be 1 + 2e-16
    if metric.over == "recalls":
        low, high = mean_recall(share, ClassGroups.of(p, codes), n_groups)
    else:
        variance = groups.variance(metric, p, codes) / span**2
        low, high = (float(limit) for limit in korn_graubard(share, variance, len(codes), n_groups))
    quality, worst = (share, low) if metric.higher_is_better else (1 - share, 1 - high)
    n_failing = len(np.unique(codes[p.y_pred != p.y_true]))
    # A ranking compares clips of two groups: either may fail.
    loss = UNSEEN_SHARE * (2 if metric.needs == "scores" and metric.over == "classes" else 1)
    if worst > (1 - loss) * quality and may_hide_failures(n_failing, size, n_groups):
        return Bounds(unbounded="rare_failures")
    return Bounds(metric.low + span * low, metric.low + span * high)


def bounded(predicted: Predicted, group: Labels, scores: Sequence[Score]) -> list[Score]:
    """Return scores of predictions with their intervals, or with the reason for having none.

    Parameters
    ----------
    group : Labels
        shape=(n_clips,).
    """
    codes = np.unique(group, return_inverse=True)[1]
    limits = [_bound(METRICS[score.metric], predicted, codes, score.value) for score in scores]
    return [
        replace(score, low=limit.low, high=limit.high, unbounded=limit.unbounded)
        for score, limit in zip(scores, limits, strict=True)
    ]


def korn_graubard(
    share: float | Floats,
    variance: float | Floats,
    n_clips: float | Floats,
    n_groups: float,
    n_trials: float | Floats | None = None,
) -> tuple[Floats, Floats]:
    """Return the intervals of values by an effective number of clips, for a single value or one per class.

    That number is share * (1 - share) / variance, at most `n_clips`, times the square of the ratio of
    Student's t for `n_clips` - 1 and for `n_groups` - 1 degrees of freedom; the interval is Clopper and
    Pearson's. The lowest and the highest value have a trial for every group.

    Parameters
    ----------
    share : float | Floats
        A share of clips, or another metric on a scale from 0 to 1.
    variance : float | Floats
        Its variance over samples of groups.
    n_clips : float | Floats
        Number of clips.
    n_groups : float
        Effective number of groups.
    n_trials : float | Floats | None
        Number of groups of every class; None for `n_groups`.

    References
    ----------
    Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", Survey Methodology 24, 1998. Clopper and Pearson, "The use of confidence or
    fiducial limits illustrated in the case of the binomial", Biometrika, 1934.
    """
    alone = n_groups if n_trials is None else n_trials
    share, variance, n_clips, alone = np.broadcast_arrays(*map(np.float64, (share, variance, n_clips, alone)))
    share = np.where(share < TINY, 0.0, np.where(share > 1 - TINY, 1.0, share))
    is_extreme = (share == 0) | (share == 1)
    ratio = special.stdtrit(np.maximum(n_clips - 1, 1), UPPER) / special.stdtrit(n_groups - 1, UPPER)
    n_effective = np.minimum(share * (1 - share) / np.maximum(variance, TINY), n_clips) * ratio**2
    trials = np.where(is_extreme, alone, n_effective)
    right, wrong = trials * share, trials * (1 - share)
    low = special.betaincinv(np.maximum(right, TINY), wrong + 1, 1 - UPPER)
    high = special.betaincinv(right + 1, np.maximum(wrong, TINY), UPPER)
    return np.where(right > 0, low, 0.0), np.where(wrong > 0, high, 1.0)


def mean_recall(value: float, pairs: ClassGroups, n_groups: float) -> Interval:
    """Return the interval of a mean recall, from Korn and Graubard's of every class.

    The distances of their bounds from the recalls are added as standard errors of correlated estimates are
    (MOVER). A class without an error has a distance too, which its jackknife variance of 0 would hide.

    Parameters
    ----------
    value : float
        Mean recall, of all classes of the labels, and perhaps of others that are only predicted.
    n_groups : float
        Effective number of groups of the mean.

    References
    ----------
    Zou and Donner, "Construction of confidence limits about effect measures: a general approach", Statistics
    in Medicine 27, 2008.
    """
    label, df = pairs.label, pairs.df
    n_clips, n_right = (np.bincount(label, of).astype(np.float64) for of in (pairs.clips, pairs.right))
    recall = n_right / n_clips
    rest = np.maximum(n_clips[label] - pairs.clips, 1)
    change = (n_right[label] - pairs.right) / rest - recall[label]  # of a recall without the group
    squares = np.bincount(label, change**2)
    has_spread = squares > 0
    direction = change / np.sqrt(np.where(has_spread, squares, 1))[label]
    n_classes = recall.sum() / value if value > 0 else len(recall)
    low, high = korn_graubard(recall, squares * df / (df + 1), n_clips, n_groups, df + 1)
    halves = []
    for distance in ((recall - low) / n_classes, (high - recall) / n_classes):
        of_groups = np.bincount(pairs.group, distance[label] * direction)
        halves.append(float(np.sqrt((of_groups**2).sum() + (distance[~has_spread] ** 2).sum())))
    return max(value - halves[0], 0.0), min(value + halves[1], 1.0)


def student(value: float, variance: float, n_groups: float, lowest: float) -> Interval:
    """Return Student's interval of a value without an upper limit, by logarithms if it has a lower one."""
    half = float(special.stdtrit(n_groups - 1, UPPER) * np.sqrt(variance))
    if not np.isfinite(lowest):
        return value - half, value + half
    above = value - lowest
    factor = float(np.exp(half / above)) if above > 0 else 1.0
    return lowest + above / factor, lowest + above * factor


def may_hide_failures(n_failing: int, n_groups: int, n_effective: float) -> bool:
    """Return whether groups are too few to show that one in 20 fails altogether.

    They are if none of these may be among them with a probability above 5 %, which takes fewer than 59
    groups, and fewer than `MIN_FAILING` groups have any error, and not all, so that the spread rests on a
    handful.

    Parameters
    ----------
    n_failing : int
        Number of groups with an error.
    n_groups : int
        Number of groups.
    n_effective : float
        Number of groups of equal size that say as much.

    References
    ----------
    Parker et al., "National Center for Health Statistics data presentation standards for proportions", Vital
    and Health Statistics 2(175), 2017: proportions with fewer than 8 degrees of freedom are held back for
    review.
    """
    is_rare = n_failing < min(MIN_FAILING, n_groups)
    return is_rare and (1 - UNSEEN_SHARE) ** n_effective > UNSEEN_SHARE
