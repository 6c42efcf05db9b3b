"""Windows of a recording: clips of one length, at one distance, over all of it."""

import math
from collections.abc import Sequence
from dataclasses import replace

from bench import audio
from bench.datasets import segments
from bench.errors import ClipError, UsageError
from bench.types import Clip


def parse(text: str, option: str = "--segments") -> tuple[float, float]:
    """Return the length of a window and the distance of two starts, in s, from a text as ``3:1`` or ``3``.

    Parameters
    ----------
    option : str
        The option that holds the text, for messages.

    Raises
    ------
    UsageError
        If the text is no pair of lengths.

    Examples
    --------
    >>> parse("3:1"), parse("2.5")
    ((3.0, 1.0), (2.5, 2.5))
    """
    seconds, _, hop = text.partition(":")
    try:
        lengths = float(seconds), float(hop or seconds)
    except ValueError as error:
        raise UsageError(f"{option} {text}: expected SECONDS or SECONDS:HOP, such as 3:1") from error
    _check(*lengths, option)
    return lengths


def clips(recording: Clip, seconds: float, hop: float | None = None) -> list[Clip]:
    """Return the windows of a recording in the order of time, as clips that are decoded when they are read.

    The starts are those of the segments that a card cuts for training. The rest at the end belongs to a
    window of the same length that ends with the recording: padding would add zeros, which a model may
    never have heard in training. A recording shorter than a window is one window of its own length.

    Parameters
    ----------
    seconds : float
        Length of a window, in s.
    hop : float | None
        Distance between the starts of two windows, in s; `seconds` if None.

    Raises
    ------
    ClipError
        If the file has no readable header or no samples.
    UsageError
        If a length is out of range, or there are too many windows.
    """
    hop = seconds if hop is None else hop
    _check(seconds, hop)
    first, length = _place(recording)
    return _parts(recording, first, spans(length, seconds, hop))


def spans(length: float, seconds: float, hop: float) -> list[tuple[float, float]]:
    """Return the starts and ends of the windows of a recording of some length, all in s; see `clips`.

    Raises
    ------
    UsageError
        If there are too many windows.
    """
    if length / hop > segments.MOST_SEGMENTS:
        many = f"more than {segments.MOST_SEGMENTS:,} windows of {seconds:g} s every {hop:g} s"
        raise UsageError(f"{length:g} s have {many}; raise the hop")
    last = max(length - seconds, 0.0)
    starts = [min(start, last) for start in segments.offsets(length, seconds, hop, pad=True)]
    return [(start, min(start + seconds, length)) for start in starts]


def blocks(recording: Clip, seconds: float = 60.0) -> list[Clip]:
    """Return a recording in blocks beside each other, of a length in s, as clips; the last may be shorter.

    Raises
    ------
    ClipError
        If the file has no readable header or no samples.
    """
    first, length = _place(recording)
    starts = segments.offsets(length, seconds, seconds, pad=True)
    return _parts(recording, first, [(start, min(start + seconds, length)) for start in starts])


def _place(recording: Clip) -> tuple[float, float]:
    """Return where a recording begins in its file, and its length, in s."""
    first = recording.start or 0.0
    last = audio.read_header(recording.path).seconds if recording.end is None else recording.end
    if not last - first > 0:
        raise ClipError(f"{recording.path}: has 0 samples; expected audio")
    return first, last - first


def _parts(recording: Clip, first: float, spans: Sequence[tuple[float, float]]) -> list[Clip]:
    """Return the parts of a recording between the starts and ends of spans, in s."""
    return [
        replace(recording, id=f"{recording.id}#{number}", start=first + start, end=first + end)
        for number, (start, end) in enumerate(spans)
    ]


def _check(seconds: float, hop: float, option: str = "--segments") -> None:
    """Raise UsageError if a length is out of range."""
    low, high = segments.SHORTEST_S, segments.LONGEST_S
    if not all(math.isfinite(length) and low <= length <= high for length in (seconds, hop)):
        raise UsageError(
            f"{option} {seconds:g}:{hop:g}: expected lengths from {low} to {high} s, such as 3:1"
        )
