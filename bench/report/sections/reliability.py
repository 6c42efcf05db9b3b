"""Reliability of the best row's probabilities: how often they are right, before and after calibration."""

from collections.abc import Mapping

from scipy.stats import binomtest

from bench import display
from bench.calibration.calibration import Calibration, calibrate
from bench.calibration.reliability import Bin, Reliability
from bench.report import words
from bench.report.document import Cell, Grid, Paragraph, Picture, Section, cell, text
from bench.report.figures import Axis, Point, Points
from bench.report.rows import Table
from bench.stats import MIN_GROUPS
from bench.types import SCORE_PREFIX

MOST_CLIPS = 100_000
"""Largest number of clips for which probabilities are calibrated: more take longer than the rest of a report."""


def section(table: Table) -> Section | None:
    """Return the reliability of a table's best row; None without one, and for one without scores."""
    if table.best is None:
        return None
    best = table.best.first
    predictions = table.predictions(best)
    if not any(str(name).startswith(SCORE_PREFIX) for name in predictions.columns):
        return None
    title = f"{words.title(table)}: {best.extractor}, {display.head(table.best.system)}"
    n_groups = predictions["group"].nunique()
    obstacle = ""
    if len(predictions) > MOST_CLIPS:
        obstacle = f"{len(predictions)} clips, and probabilities of more than {MOST_CLIPS} are not calibrated"
    elif n_groups < MIN_GROUPS:
        obstacle = f"{n_groups} groups; expected at least {MIN_GROUPS}, to calibrate each by others"
    calibration = None if obstacle else calibrate(predictions)
    if calibration is None and not obstacle:
        return None
    path = f"figures/{table.stem}-{best.key[:8]}-reliability.png"
    return Section(
        f"Reliability: {title}",
        3,
        (Paragraph(text(f"Not measured: {obstacle}.")),)
        if calibration is None
        else (
            Paragraph(text(*_sentences(calibration))),
            _grid(calibration),
            Picture("reliability", diagram(title, calibration), path, keyed=True),
        ),
        media=frozenset({"markdown", "page"}),
        table=table.stem,
    )


def _sentences(calibration: Calibration) -> tuple[str, ...]:
    """Return how the probabilities were calibrated, and what the numbers are."""
    calibrator = calibration.calibrator
    start = "its scores" if calibrator.are_probabilities else "the softmax of its decision values"
    method = (
        f"a temperature of {1 / calibrator.slope:.3g}"
        if calibrator.kind == "temperature"
        else "isotonic regression"
    )
    return (
        f"Before calibration the probabilities are {start}; after, {method} changes them. All "
        f"{calibration.n_clips} held-out clips of {calibration.n_groups} groups are measured, each with a "
        "calibrator of other groups. ",
        "ECE is the mean gap between confidence and accuracy; by chance is what calibrated probabilities of "
        "as many clips have.",
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
