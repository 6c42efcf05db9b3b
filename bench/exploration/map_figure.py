"""A map as a figure for papers, and what it says of its faithfulness."""

from collections import Counter
from collections.abc import Mapping, Sequence

from bench.exploration.maps import Map
from bench.metrics.neighbours import Agreement
from bench.report.figures import Axis, Point, Points

MOST_LABELS = 20
"""Largest number of labels with a colour; those of fewer clips share one."""

OTHER, UNKNOWN = "other labels", "no label"
"""Names in the legend of the labels without a colour, and of clips without a label."""

TITLES: Mapping[str, str] = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
"""Method -> its name for people."""


def figure(fitted: Map, clips: Sequence[str], column: str, labels: Sequence[str], title: str) -> Points:
    """Return a map whose clips are coloured by their labels.

    Parameters
    ----------
    clips, labels : Sequence[str]
        The name and the label of every clip; '' for a clip without a label.
    column : str
        What the labels are, for the legend.
    title : str
        First line of the title, such as the extractor; a caption usually follows.
    """
    names = legend(labels)
    points = tuple(
        Point(name=clip, x=x, y=y, colour=name)
        for (x, y), clip, name in zip(fitted.points.tolist(), clips, names, strict=True)
    )
    x, y = (Axis(f"{TITLES[fitted.method]} {number}", ticks=False) for number in (1, 2))
    return Points(title, x, y, points, column, background=(OTHER, UNKNOWN))


def legend(labels: Sequence[str]) -> list[str]:
    """Return the name of every clip's label in a legend: of the most frequent labels their own."""
    counts = Counter(label for label in labels if label)
    frequent = set(sorted(counts, key=lambda label: (-counts[label], label))[:MOST_LABELS])
    return [label if label in frequent else OTHER if label else UNKNOWN for label in labels]


def caption(fitted: Map, agreements: Mapping[str, Agreement]) -> str:
    """Return how far a map can be trusted, in a line, and a line per column of labels."""
    trust = fitted.faithfulness
    k = trust.n_nearest
    lines = [
        f"{TITLES[fitted.method]}: trustworthiness {trust.trustworthiness:.3f}, "
        f"{trust.shared:.0%} of the {k} nearest neighbours kept"
    ]
    lines += [
        f"same {column} among the {k} nearest: {agreement.in_space:.2f} in the space, "
        f"{agreement.on_map:.2f} on the map, {agreement.chance:.2f} by chance"
        for column, agreement in agreements.items()
    ]
    return "\n".join(lines)
