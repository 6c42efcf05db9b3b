"""Reliability of the best row's probabilities: how often they are right, before and after calibration."""

from collections.abc import Mapping

from scipy.stats import binomtest

from bench import display
from bench.calibration.calibration import Calibration, calibrate
from bench.calibration.reliability import Bin, Reliability
from bench.report import words
from bench.report.document import Block, Cell, Grid, Medium, Notes, Picture, Section, cell, text
from bench.report.figures import Axis, Point, Points
from bench.report.rows import Table
from bench.stats import MIN_GROUPS
from bench.types import SCORE_PREFIX

MOST_CLIPS = 100_000
"""Largest number of clips whose probabilities are calibrated: more take longer than the rest of a report."""


def section(table: Table) -> Section | None:
    """Return the reliability of a table's best row; None without one, and for one without scores."""
    if table.best is None:
        return None
    best = table.best.first
    predictions = table.predictions(best)
    if not any(str(name).startswith(SCORE_PREFIX) for name in predictions.columns):
        return None
    title = f"{words.title(table)}: {best.extractor}, {display.head(table.best.system)}"
    obstacle = _obstacle(len(predictions), predictions["group"].nunique())
    blocks: tuple[Block, ...] = (Notes((text(f"Reliability is not measured: {obstacle}."),)),)
    if not obstacle:
        calibration = calibrate(predictions)
        if calibration is None:  # of one class
            return None
        figure = Picture("reliability", diagram(title, calibration), f"figures/{table.stem}-reliability.png")
        blocks = (Notes((text(_sentences(calibration)),)), _grid(calibration), figure)
    media: frozenset[Medium] = frozenset({"markdown"} if obstacle else {"markdown", "page"})
    return Section(f"Reliability: {title}", 3, blocks, media=media, table=table.stem)


def _obstacle(n_clips: int, n_groups: int) -> str:
    """Return why reliability is not measured; empty if it is."""
    if n_clips > MOST_CLIPS:
        return f"{n_clips} clips take too long; expected at most {MOST_CLIPS}"
    if n_groups < MIN_GROUPS:
        return f"{n_groups} groups are too few to calibrate each by others; expected at least {MIN_GROUPS}"
    return ""


def _sentences(calibration: Calibration) -> str:
    """Return how the probabilities were calibrated, and what the numbers are."""
    calibrator, before, after = calibration.calibrator, calibration.before, calibration.after
    start = "the head's" if calibrator.are_probabilities else "the softmax of decision values"
    is_temperature = calibrator.kind == "temperature"
    method = f"a temperature of {1 / calibrator.slope:.3g}" if is_temperature else "isotonic regression"
    return (
        f"Confidence and accuracy of the best row differ by {before.ece:.3f} on average before calibration, "
        f"and by {after.ece:.3f} after (ECE); calibrated probabilities of as many clips differ by "
        f"{after.chance_ece:.3f} by chance. Probabilities before calibration are {start}; after, {method} "
        f"changes them, fitted to other groups than the clip's ({calibration.n_groups} groups)."
    )


def _grid(calibration: Calibration) -> Grid:
    """Return the measures before and after calibration."""
    parts = {"before": calibration.before, "after": calibration.after}
    return Grid(
        ("calibration", "ECE", "by chance", "log_loss", "brier"),
        tuple((cell(name), *map(_number, _values(part))) for name, part in parts.items()),
    )


def _values(part: Reliability) -> tuple[float, ...]:
    return part.ece, part.chance_ece, part.log_loss, part.brier


def _number(value: float) -> Cell:
    return cell(value, f"{value:.3f}")


def diagram(title: str, calibration: Calibration) -> Points:
    """Return a reliability diagram: the accuracy of clips by their confidence, with Wilson's 95 % intervals.

    References
    ----------
    Niculescu-Mizil and Caruana, "Predicting good probabilities with supervised learning", ICML 2005.
    """
    curves: Mapping[str, Reliability] = {"before": calibration.before, "after": calibration.after}
    return Points(
        title,
        Axis("confidence"),
        Axis("accuracy"),
        tuple(_point(name, part) for name, curve in curves.items() for part in curve.bins),
        colour="calibration",
        diagonal=True,
    )


def _point(name: str, part: Bin) -> Point:
    n_right = round(part.accuracy * part.n_clips)
    interval = binomtest(n_right, part.n_clips).proportion_ci(method="wilson")
    return Point(
        name=f"{name}: {part.n_clips} clips",
        x=part.confidence,
        y=part.accuracy,
        colour=name,
        low=float(interval.low),
        high=float(interval.high),
    )
