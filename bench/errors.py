"""The errors that a user can fix, each one line: what, where, got, expected, how to fix."""

import traceback
from collections.abc import Collection
from pathlib import Path


class BenchError(Exception):
    """Something the user can fix; anything else that is raised is a bug."""


class UsageError(BenchError):
    """The command asks for something that does not exist or cannot be: exit code 2."""


class LabelError(UsageError):
    """The labels do not allow a task: exit code 2 if it was asked for, else its cells are skipped."""


class ClipError(BenchError):
    """One clip cannot be decoded: it is listed and counted, the rest runs on."""


class SplitError(BenchError):
    """A split leaks or the data do not allow it: the cell fails."""


class PluginError(BenchError):
    """An extractor or a head broke its contract: its cells fail, the rest runs on."""


class UnavailableError(BenchError):
    """An optional dependency is absent: the cell is skipped, with the command that fixes it."""


def shortlist(names: Collection[str], most: int = 5) -> str:
    """Return the first names as a list, with how many more there are.

    Examples
    --------
    >>> shortlist(["b", "a", "c"], most=2)
    'a, b and 1 more'
    """
    shown = ", ".join(sorted(names)[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def one_line(error: BaseException) -> str:
    """Return the type and the message of an error in one line.

    Examples
    --------
    >>> one_line(ValueError("no  idea"))
    'ValueError: no idea'
    """
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def describe(error: BaseException) -> str:
    """Return an error in one line: a user's own as it is, a bug's with where it was raised."""
    if isinstance(error, BenchError):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{one_line(error)} ({Path(frame.filename).name}:{frame.lineno})"
