"""Scores over the time that an hour of audio takes."""

from bench import display
from bench.report import words
from bench.report.document import Picture, Section
from bench.report.figures import Axis, Point, Points
from bench.report.rows import Table


def section(table: Table) -> Section | None:
    """Return a figure of scores over costs; None if no cost was measured."""
    names = words.names(table)
    points = []
    for row in table.rows:
        cost, score = row.first.cost, table.ranking(row)
        seconds = cost.extract_s + cost.predict_s
        if row.is_baseline or seconds <= 0 or cost.audio_s <= 0:
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
    figure = Points(
        title=f"{table.metric} over cost",
        x=Axis("s of extraction and prediction per hour of audio", log=True),
        y=Axis(table.metric),
        points=tuple(points),
        colour="extractor",
        shape="head",
        front=True,
    )
    picture = Picture("score and cost", figure)
    return Section("score and cost", 3, (picture,), media=frozenset({"page"}), table=table.stem)
