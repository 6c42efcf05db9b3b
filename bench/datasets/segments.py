"""Segments of a fixed length: every clip becomes several, each of which knows its parent."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd
import soundfile

from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.types import Dataset


def segmented(whole: Dataset, seconds: float, hop: float | None = None, pad: bool = False) -> Dataset:
    """Return the dataset of the segments of a dataset's clips, with the label column `parent`.

    Parameters
    ----------
    seconds : float
        The length of a segment, in s.
    hop : float | None
        From the start of one to that of the next, in s; `seconds` if None.
    pad : bool
        Whether what is left at the end becomes a segment too, padded with zeros; else it is left out, and so
        is a clip that is shorter than a segment.

    Raises
    ------
    UsageError
        If a length is not positive, or no clip is long enough.
    """
    hop = seconds if hop is None else hop
    if not all(isinstance(length, (int, float)) and length > 0 for length in (seconds, hop)):
        raise UsageError(f"{whole.source}: segments of {seconds} s every {hop} s; expected lengths above 0")
    rows: list[Mapping[str, Any]] = []
    n_short = 0
    labels = zip(*(whole.table[name].tolist() for name in whole.labels), strict=True)
    for clip, values in zip(whole.clips(), labels, strict=True):
        kept = dict(zip(whole.labels, values, strict=True)) | {"path": str(clip.path), "parent": clip.id}
        start = clip.start or 0.0
        try:
            end = soundfile.info(clip.path).duration if clip.end is None else clip.end
        except (soundfile.LibsndfileError, OSError):
            rows.append({**kept, "clip": clip.id, "start": clip.start, "end": clip.end})
            continue  # it is listed as undecodable when it is read
        places = _places(end - start, seconds, hop, pad)
        n_short += not places
        rows += [
            {
                **kept,
                "clip": f"{clip.id}#{number}",
                "start": start + place,
                "end": min(start + place + seconds, end),
                **({"seconds": seconds} if pad else {}),
            }
            for number, place in enumerate(places)
        ]
    if not rows:
        raise UsageError(
            f"{whole.source}: no clip is as long as a segment of {seconds:g} s; allow pad = true"
        )
    note = (f"{n_short} clips shorter than a segment of {seconds:g} s are left out.",) if n_short else ()
    made = dataset(pd.DataFrame(rows), name=whole.name, source=whole.source)
    return dataclasses.replace(
        made, version=whole.version, synthetic=whole.synthetic, notes=(*whole.notes, *note)
    )


def _places(length: float, seconds: float, hop: float, pad: bool) -> list[float]:
    """Return where the segments of a clip begin, in s from its start."""
    slack = 1e-6  # a length in s is a rounded number of samples
    n_whole = int((length - seconds + slack) // hop) + 1 if length + slack >= seconds else 0
    covered = (n_whole - 1) * hop + seconds if n_whole else 0.0
    rest = pad and covered + slack < length
    return [number * hop for number in range(n_whole + rest)]
