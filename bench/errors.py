"""Errors that a user can fix, in one line: what, where, got, expected, how to fix.

BenchError
├── UsageError            exit code 2: nothing runs
│   └── LabelError        labels do not allow a task: exit code 2 if the user named it, else skipped cells
├── ClipError             a clip cannot be decoded: listed and counted
├── SplitError            a split leaks or is impossible: failed cells
│   └── LeakError         listed folds have a group on both sides: the message says what to choose from
├── PluginError           an extractor or head breaks its contract: failed cells
├── UnavailableError      a dependency or weights are missing: skipped cells
└── LanguageModelError    a language model does not answer as asked: what needs no model stays

Every other exception is a bug.
"""

import os
import re
import traceback
from collections.abc import Collection, Sequence
from pathlib import Path

RAW_BYTE = re.compile("[\udc80-\udcff\U0010ff80-\U0010ffff]")
"""A byte of a file's name that is no UTF-8, as Python has it, or as `paths.path_text` returns it."""


def readable(text: str) -> str:
    r"""Return a text with the bytes of file names that are no UTF-8 as escapes.

    Examples
    --------
    >>> readable("caf\udce9.wav")
    'caf\\xe9.wav'
    """
    return RAW_BYTE.sub(lambda match: f"\\x{ord(match[0]) & 0xFF:02x}", text)


class BenchError(Exception):
    """Base of all errors that a user can fix.

    Attributes
    ----------
    obstacle : object
        What the message says, as a value (`bench.types.CellObstacle`); None for an error without one.
    """

    obstacle: object = None

    def __str__(self) -> str:
        """Return the message; bytes of file names that are no UTF-8 are escaped."""
        return readable(super().__str__())


class UsageError(BenchError):
    """A request, a file or a name is wrong: exit code 2."""


class LabelError(UsageError):
    """The labels do not allow a task: exit code 2 if the user named the task, else its cells are skipped."""


class ClipError(BenchError):
    """A clip cannot be decoded: it is listed and counted, and the run continues."""


class SplitError(BenchError):
    """A split leaks, or the data do not allow it: its cells fail."""


class LeakError(SplitError):
    """The folds of a list have a group on both sides."""


class PluginError(BenchError):
    """An extractor or a head breaks its contract: its cells fail, and the run continues."""


class UnavailableError(BenchError):
    """An optional dependency or weights are missing: the cells are skipped, with the command to run."""


class LanguageModelError(BenchError):
    """A language model is not there, takes too long, or writes something else than it was asked for."""


def shortlist(names: Collection[str], most: int = 5) -> str:
    """Return the first names in their order, and the number of the others.

    Examples
    --------
    >>> shortlist(["b", "a", "c"], most=2)
    'a, b and 1 more'
    """
    return listing(sorted(names)[:most], len(names))


def listing(names: Sequence[str], total: int, separator: str = ", ") -> str:
    """Return names, and the number of the others, of which there are `total` with them.

    Examples
    --------
    >>> listing(["a", "b"], 3), listing(["a"], 1)
    ('a, b and 1 more', 'a')
    """
    n_more = total - len(names)
    return separator.join(names) + (f" and {n_more} more" if n_more > 0 else "")


def message(error: BaseException) -> str:
    """Return the message of an error in one line; its type if it has none.

    Examples
    --------
    >>> message(ValueError("no  idea"))
    'no idea'
    >>> message(MemoryError())
    'MemoryError'
    """
    text = " ".join(str(error).split())
    return type(error).__name__ if text in {"", "None"} else text


def reason(error: OSError) -> str:
    """Return why the system refused something; the message or the type of an error that does not say so.

    Examples
    --------
    >>> reason(PermissionError(13, "Permission denied", "a.wav"))
    'Permission denied'
    >>> reason(OSError("no  idea"))
    'no idea'
    """
    text = " ".join(str(error.strerror or "").split())
    if text:
        return text
    if isinstance(error.errno, int):
        return os.strerror(error.errno)
    return message(error) if len(error.args) == 1 else type(error).__name__


def one_line(error: BaseException) -> str:
    """Return the type and the message of an error in one line.

    Examples
    --------
    >>> one_line(ValueError("no  idea"))
    'ValueError: no idea'
    """
    name, text = type(error).__name__, message(error)
    return name if text == name else f"{name}: {text}"


def describe(error: BaseException) -> str:
    """Return an error in one line: the message of a `BenchError`; for a bug also its type, file and line."""
    if isinstance(error, BenchError):
        return message(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{one_line(error)}{place}"
