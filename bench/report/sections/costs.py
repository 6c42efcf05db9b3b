"""Scores over the time that an hour of audio takes."""

from bench import display
from bench.report import words
from bench.report.document import Picture, Section
from bench.report.figures import Axis, Point, Points
from bench.report.rows import Table


def section(table: Table) -> Section | None:
    """Return a figure of scores over costs; None if no cost was measured.

    The embedding counts by its processor time; by its elapsed time if a row used a GPU or lacks the former.
    """
    names = words.names(table)
    costs = [row.first.cost for row in table.learners]
    elapsed = any(cost.extract_cpu_s is None or cost.gpu_mb for cost in costs)
    points = []
    for row in table.learners:
        cost, score = row.first.cost, table.ranking(row)
        seconds = (cost.extract_s if elapsed else cost.extract_cpu_s or 0.0) + cost.predict_s
        if seconds <= 0 or cost.audio_s <= 0:
            continue
        low, high = score.bounds
        points.append(
            Point(
                name=names[row.system],
                x=float(f"{3600 * seconds / cost.audio_s:.3g}"),
                y=score.value,
                colour=row.system.extractor,
                shape=display.head(row.system),
                low=low,
                high=high,
            )
        )
    if not points:
        return None
    clock = "elapsed" if elapsed else "processor"
    figure = Points(
        title=f"{table.metric} over cost",
        x=Axis(f"{clock} s of embedding and prediction per hour of audio", log=True),
        y=Axis(table.metric),
        points=tuple(points),
        colour="extractor",
        shape="head",
        front=True,
    )
    picture = Picture("score and cost", figure)
    return Section("score and cost", 3, (picture,), media=frozenset({"page"}), table=table.stem)
