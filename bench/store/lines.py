"""Lines of results.jsonl and of baselines, read and written as a whole."""

from collections.abc import Sequence
from pathlib import Path

from bench.files import replace_text
from bench.store import schema
from bench.types import Result


def read_results(path: Path) -> dict[str, Result]:
    """Return key -> result of a file that `write_results` wrote, the last line of each key.

    Raises
    ------
    UsageError
        If a line is damaged, changed after it was written, or of a newer schema.
    """
    rows = lines(path)
    return results_of(rows if rows[-1] else rows[:-1], path, sealed=True)


def write_results(path: Path, results: Sequence[Result]) -> None:
    """Write results as `read_results` reads them."""
    replace_text(path, "".join(schema.line(result) + "\n" for result in results))


def lines(path: Path) -> list[bytes]:
    """Return the lines of a file; the last one is empty unless it is torn."""
    return path.read_bytes().split(b"\n")


def results_of(rows: Sequence[bytes], path: Path, *, sealed: bool) -> dict[str, Result]:
    """Return key -> result of some lines of a file."""
    results = (
        schema.result(line, f"{path}:{number}", sealed=sealed) for number, line in enumerate(rows, start=1)
    )
    return {result.key: result for result in results}
