"""Reports of runs, from the store alone: no audio, no clock.

`tables` turns results into rows, `sections` says what people read about them, `figures` describes and draws,
`writers` makes files, and `publishing` puts them on disk.
"""

from bench.report.publishing import Report, publish, updated, write
from bench.report.writers import FORMATS, Format

__all__ = ["FORMATS", "Format", "Report", "publish", "updated", "write"]
