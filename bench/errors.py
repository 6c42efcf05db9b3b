"""Errors that a user can fix, in one line: what, where, got, expected, how to fix.

BenchError
├── UsageError            exit code 2: nothing runs
│   └── LabelError        labels do not allow a task: exit code 2 if the user named it, else skipped cells
├── ClipError             a clip cannot be decoded: listed and counted
├── SplitError            a split leaks or is impossible: failed cells
├── PluginError           an extractor or head breaks its contract: failed cells
└── UnavailableError      a dependency or weights are missing: skipped cells

Every other exception is a bug.
"""

import traceback
from collections.abc import Collection
from pathlib import Path


class BenchError(Exception):
    """Base of all errors that a user can fix."""


class UsageError(BenchError):
    """A request, a file or a name is wrong: exit code 2."""


class LabelError(UsageError):
    """The labels do not allow a task: exit code 2 if the user named the task, else its cells are skipped."""


class ClipError(BenchError):
    """A clip cannot be decoded: it is listed and counted, and the run continues."""


class SplitError(BenchError):
    """A split leaks, or the data do not allow it: its cells fail."""


class PluginError(BenchError):
    """An extractor or a head breaks its contract: its cells fail, and the run continues."""


class UnavailableError(BenchError):
    """An optional dependency or weights are missing: the cells are skipped, with the command to run."""


def shortlist(names: Collection[str], most: int = 5) -> str:
    """Return the first names in their order, and the number of the others.

    Examples
    --------
    >>> shortlist(["b", "a", "c"], most=2)
    'a, b and 1 more'
    """
    first = ", ".join(sorted(names)[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most} more"


def message(error: BaseException) -> str:
    """Return the message of an error in one line.

    Examples
    --------
    >>> message(ValueError("no  idea"))
    'no idea'
    """
    return " ".join(str(error).split())


def one_line(error: BaseException) -> str:
    """Return the type and the message of an error in one line.

    Examples
    --------
    >>> one_line(ValueError("no  idea"))
    'ValueError: no idea'
    """
    return f"{type(error).__name__}: {message(error)}"


def describe(error: BaseException) -> str:
    """Return an error in one line: the message of a `BenchError`; for a bug also its type, file and line."""
    if isinstance(error, BenchError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{one_line(error)} ({Path(frame.filename).name}:{frame.lineno})"
