"""Reports of runs, from the store alone: no audio, no clock.

`tables` turns results into rows, `sections` says what people read about them, `figures` describes and draws,
`writers` makes their texts, `writing` puts them on disk, `verification` compares them there, and
`publishing` puts them into a folder of others.
"""

from bench.report.publishing import publish
from bench.report.verification import differences, unchecked
from bench.report.writers import FORMATS, Format
from bench.report.writing import Report, updated, write

__all__ = ["FORMATS", "Format", "Report", "differences", "publish", "unchecked", "updated", "write"]
