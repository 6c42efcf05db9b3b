"""Timelines: the segments of answers as CSV, as an Audacity label track and as RTTM."""

import re
from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

import pandas as pd

from bench.errors import readable
from bench.inference.answers import Answer, Segment
from bench.report.writers.csv import text

COLUMNS = ("file", "start", "end", "label", "confidence", "unfamiliar")
"""Columns of the CSV; times in s."""


def csv(*answers: Answer) -> str:
    """Return the segments of answers as CSV (RFC 4180, with line feeds), a line per segment below `COLUMNS`.

    Times have three digits behind the point, confidences four; a head without scores leaves them empty. An
    apostrophe keeps a spreadsheet from computing a name.
    """
    rows = []
    for answer in answers:
        for segment in segments(answer):
            confidence = "" if segment.confidence is None else f"{segment.confidence:.4f}"
            times = f"{segment.start:.3f}", f"{segment.end:.3f}"
            flag = str(segment.unfamiliar).lower()
            rows.append([readable(answer.file), *times, segment.label, confidence, flag])
    return text(pd.DataFrame(rows, columns=COLUMNS))


def audacity(answer: Answer) -> str:
    r"""Return the segments of an answer as a label track of Audacity: start, end and label between tabs.

    A label has its confidence behind it, and a question mark before it if the segment is unfamiliar. Tabs and
    line breaks in a label become spaces.
    """
    lines = []
    for segment in segments(answer):
        confidence = "" if segment.confidence is None else f" {segment.confidence:.2f}"
        sign = "? " if segment.unfamiliar else ""
        label = re.sub(r"\s+", " ", f"{sign}{segment.label}{confidence}")
        lines.append(f"{segment.start:.6f}\t{segment.end:.6f}\t{label}\n")
    return "".join(lines)


def rttm(answer: Answer) -> str:
    """Return the segments of an answer as Rich Transcription Time Marked lines, with the label as speaker.

    The ten fields are those of NIST's "2009 (RT-09) Rich Transcription Meeting Recognition Evaluation Plan",
    Appendix A. The file is the name without folder and suffix. White space, quotes and % in names are
    percent-encoded, as `urllib.parse.unquote` decodes them: spaces separate the fields.
    """
    name = _field(PurePath(answer.file).stem or "audio")
    lines = []
    for segment in segments(answer):
        duration = round(segment.end, 3) - round(segment.start, 3)  # so that no segment overlaps the next
        confidence = "<NA>" if segment.confidence is None else f"{segment.confidence:.4f}"
        label = _field(segment.label)
        lines.append(
            f"SPEAKER {name} 1 {segment.start:.3f} {duration:.3f} <NA> <NA> {label} {confidence} <NA>\n"
        )
    return "".join(lines)


def segments(answer: Answer) -> Sequence[Segment]:
    """Return the segments of an answer; without windows, one over the whole recording."""
    if answer.segments:
        return answer.segments
    prediction = answer.prediction
    whole = Segment(
        start=0.0,
        end=answer.duration,
        label=prediction.predicted_label,
        confidence=prediction.confidence,
        unfamiliar=prediction.unfamiliar is not None and prediction.unfamiliar.flag,
    )
    return (whole,)


def _field(text: str) -> str:
    """Return a text without white space, for a field of RTTM."""
    return re.sub(r"[\s%\"'\x00-\x1f\x7f]", lambda match: quote(match[0], safe=""), readable(text))
