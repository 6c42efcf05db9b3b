"""Segments of a fixed length, cut from every clip of a dataset."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench import audio
from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.paths import path_text
from bench.types import PADDED, Clip, Dataset, Note

SHORTEST_S, LONGEST_S = 0.001, 86_400
"""Bounds of the length of a segment and of the distance between two, in s."""

SLACK_S = 1e-6
"""Tolerance of lengths in s, which are rounded numbers of samples."""

MOST_SEGMENTS = 10_000_000
"""Largest number of segments of a dataset."""


def cut(clips: Dataset, seconds: float, hop: float | None = None, pad: bool = False) -> Dataset:
    """Return the dataset of the segments of all clips, with the label column `parent`.

    Parameters
    ----------
    seconds : float
        Length of a segment, in s.
    hop : float | None
        Distance between the starts of two segments, in s; `seconds` if None.
    pad : bool
        Whether the rest at the end becomes a segment too, padded with zeros. If not, the rest is left out,
        and so are clips shorter than a segment.

    Raises
    ------
    UsageError
        If a length is out of range, no clip is long enough, or there are too many segments.
    """
    hop = seconds if hop is None else hop
    if not all(SHORTEST_S <= length <= LONGEST_S for length in (seconds, hop)):
        expected = f"expected lengths from {SHORTEST_S} to {LONGEST_S} s"
        raise UsageError(f"{clips.source}: segments of {seconds:g} s every {hop:g} s; {expected}")
    rows: list[Mapping[str, Any]] = []
    n_short = 0
    labels = zip(*(clips.table[name].tolist() for name in clips.labels), strict=True)
    for clip, values in zip(clips.clips(), labels, strict=True):
        shared = dict(zip(clips.labels, values, strict=True)) | {
            "path": path_text(clip.path),
            "parent": clip.id,
        }
        end = _end(clip)
        if end is None:  # the clip is listed as undecodable when it is read
            rows.append({**shared, "clip": clip.id, "start": clip.start, "end": clip.end})
            continue
        start = clip.start or 0.0
        if not (end - start) / hop + len(rows) < MOST_SEGMENTS:
            many = f"more than {MOST_SEGMENTS:,} segments of {seconds:g} s every {hop:g} s"
            raise UsageError(f"{clips.source}: {many}, at {clip.id}, which ends at {end:g} s; raise hop")
        starts = offsets(end - start, seconds, hop, pad)
        n_short += not starts
        rows += [
            {
                **shared,
                "clip": f"{clip.id}#{number}",
                "start": start + offset,
                "end": min(start + offset + seconds, end),
                **({PADDED: seconds} if pad else {}),
            }
            for number, offset in enumerate(starts)
        ]
    if not rows:
        raise UsageError(f"{clips.source}: no clip is as long as a segment of {seconds:g} s; set pad = true")
    note = (Note("short clips", count=n_short, seconds=seconds),) if n_short else ()
    segments = dataset(pd.DataFrame(rows), name=clips.name, source=clips.source)
    fields = {name: getattr(clips, name) for name in ("version", "synthetic", "leftovers")}
    return dataclasses.replace(segments, **fields, notes=(*clips.notes, *note))


def _end(clip: Clip) -> float | None:
    """Return the end of a clip in its file, in s; None if it needs a header and there is none."""
    if clip.end is not None:
        return clip.end
    header = audio.header(clip.path)
    return header.seconds if header else None


def offsets(length: float, seconds: float, hop: float, pad: bool) -> list[float]:
    """Return the starts of the segments of a clip, in s from the start of the clip.

    Parameters
    ----------
    length : float
        Length of the clip, in s.
    seconds, hop : float
        Length of a segment, and the distance between two starts, in s.
    pad : bool
        Whether the rest at the end becomes a segment too.
    """
    n_whole = int((length - seconds + SLACK_S) // hop) + 1 if length + SLACK_S >= seconds else 0
    covered = max((n_whole - 1) * hop + seconds, n_whole * hop) if n_whole else 0.0  # a gap is no rest
    rest = pad and covered + SLACK_S < length
    return [number * hop for number in range(n_whole + rest)]
