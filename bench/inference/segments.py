"""Segments: overlapping windows vote on a label over time, and equal neighbours merge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.inference.answers import Prediction, Segment, Window

DIGITS = 6
"""Digits behind the point of a boundary in s: boundaries that differ by less are one."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """The vote on the time between two boundaries, in s."""

    start: float
    end: float
    label: str
    confidence: float
    unfamiliar: bool


def merge(windows: Sequence[Window]) -> tuple[Segment, ...]:
    """Return the segments of one label, in the order of time.

    Between two boundaries of windows, the label is that of the highest mean probability of the windows there,
    as in dense prediction with a sliding window; of equal ones, the first by name. It is unfamiliar if most
    of these windows are. Neighbours with the same label and the same flag are one segment; its confidence
    is the mean over its time. Time without a window belongs to no segment.

    Parameters
    ----------
    windows : Sequence[Window]
        If one has no probabilities, every window votes for its label, and segments have no confidence.

    Examples
    --------
    >>> def window(start: float, **votes: float) -> Window:
    ...     label = max(votes, key=votes.__getitem__)
    ...     prediction = Prediction(predicted_label=label, confidence=votes[label], probabilities=votes)
    ...     return Window(start=start, end=start + 2, prediction=prediction)
    >>> windows = [window(0, a=0.9, b=0.1), window(1, a=0.3, b=0.7), window(2, a=0.1, b=0.9)]
    >>> [(segment.start, segment.end, segment.label) for segment in merge(windows)]
    [(0, 2, 'a'), (2, 4, 'b')]
    """
    has_scores = all(window.prediction.probabilities for window in windows)
    runs: list[list[_Cell]] = []
    for cell in _cells(sorted(windows, key=lambda window: window.start), has_scores):
        if runs and _continues(runs[-1][-1], cell):
            runs[-1].append(cell)
        else:
            runs.append([cell])
    return tuple(_segment(run, has_scores) for run in runs)


def _cells(windows: Sequence[Window], has_scores: bool) -> Iterator[_Cell]:
    """Yield the votes between all boundaries; windows come sorted by their start."""
    votes = [_votes(window.prediction, has_scores) for window in windows]
    classes = sorted({label for vote in votes for label in vote})
    probabilities = np.array([[vote.get(label, 0.0) for label in classes] for vote in votes])
    flags = np.array([_is_unfamiliar(window.prediction) for window in windows])
    spans = [(round(window.start, DIGITS), round(window.end, DIGITS)) for window in windows]
    current: list[int] = []
    n_started = 0
    for start, end in pairwise(sorted({boundary for span in spans for boundary in span})):
        while n_started < len(spans) and spans[n_started][0] <= start:
            current.append(n_started)
            n_started += 1
        current = [row for row in current if spans[row][1] >= end]
        if current:
            means = probabilities[current].mean(axis=0)
            best = int(means.argmax())
            is_unfamiliar = bool(flags[current].mean() > 0.5)
            yield _Cell(start, end, classes[best], float(means[best]), is_unfamiliar)


def _votes(prediction: Prediction, has_scores: bool) -> dict[str, float]:
    """Return the probability of each class; 1 for the label without probabilities."""
    return dict(prediction.probabilities) if has_scores else {prediction.predicted_label: 1.0}


def _is_unfamiliar(prediction: Prediction) -> bool:
    """Return whether a window is marked as far from the training clips."""
    return prediction.unfamiliar is not None and prediction.unfamiliar.flag


def _continues(before: _Cell, cell: _Cell) -> bool:
    """Return whether a cell belongs to the segment of the one before."""
    return (before.end, before.label, before.unfamiliar) == (cell.start, cell.label, cell.unfamiliar)


def _segment(cells: Sequence[_Cell], has_scores: bool) -> Segment:
    """Return the segment of neighbouring cells."""
    lengths = [cell.end - cell.start for cell in cells]
    confidence = np.average([cell.confidence for cell in cells], weights=lengths)
    return Segment(
        start=cells[0].start,
        end=cells[-1].end,
        label=cells[0].label,
        confidence=float(confidence) if has_scores else None,
        unfamiliar=cells[0].unfamiliar,
    )
