"""Questions: what the query of a request asks for, beside the recording."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bench.serving.limits import Limits, RefusalError

SWITCH = {"true": True, "1": True, "false": False, "0": False}
"""Text of a query -> its value."""

LARGEST_TOP = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a request asks for.

    Parameters
    ----------
    window, hop : float | None
        Length and distance of windows, in s; None for the whole recording.
    transcribe : bool
        Whether the answer has a transcript.
    top : int | None
        Number of classes in the answer, the most probable first; None for all.
    """

    window: float | None = None
    hop: float | None = None
    transcribe: bool = False
    top: int | None = None

    @property
    def segments(self) -> str | None:
        """Return window and hop as the command line has them, such as ``3:1``; None without windows."""
        return None if self.window is None else f"{self.window:g}:{self.hop:g}"


def parse(query: Mapping[str, str], transcriber: str | None) -> Question:
    """Return the question of a query.

    Parameters
    ----------
    transcriber : str | None
        Name of the server's transcriber; None without one. A client chooses whether to use it, never another.

    Raises
    ------
    RefusalError
        If a parameter is unknown or has no such value (422).
    """
    names = {"segments", "transcribe", "top"}
    unknown = sorted(set(query) - names)
    if unknown:
        raise RefusalError(
            422, f"query: {_quoted(unknown[0])} is unknown; expected {', '.join(sorted(names))}"
        )
    window, hop = _windows(query["segments"]) if "segments" in query else (None, None)
    top = query.get("top")
    if top is not None and not (re.fullmatch("[0-9]{1,4}", top) and 1 <= int(top) <= LARGEST_TOP):
        raise RefusalError(422, f"query: top is {_quoted(top)}; expected a number from 1 to {LARGEST_TOP}")
    transcribe = _transcribe(query.get("transcribe"), transcriber)
    return Question(window=window, hop=hop, transcribe=transcribe, top=None if top is None else int(top))


def check_length(question: Question, seconds: float, limits: Limits) -> None:
    """Raise RefusalError (422) if a recording has too many windows."""
    if question.hop and seconds / question.hop > limits.windows:
        shortest = seconds / limits.windows
        raise RefusalError(
            422,
            f"query: segments of every {question.hop:g} s are more than {limits.windows} windows of this "
            f"recording; expected a hop of at least {shortest:.2g} s",
        )


def _windows(text: str) -> tuple[float, float]:
    """Return window and hop in s of a text such as ``3:1``; the hop is the window if there is none."""
    number = r"([0-9]{1,6}(?:\.[0-9]{1,6})?)"
    match = re.fullmatch(f"{number}(?::{number})?", text)
    window, hop = (float(match[1]), float(match[2] or match[1])) if match else (0.0, 0.0)
    if not 0 < hop <= window:
        line = f"query: segments is {_quoted(text)}; expected WINDOW:HOP in s, such as 3:1"
        raise RefusalError(422, line)
    return window, hop


def _transcribe(text: str | None, transcriber: str | None) -> bool:
    """Return whether a text asks for a transcript; with a transcriber that is the default."""
    if text is None:
        return transcriber is not None
    if text != transcriber and text.lower() not in SWITCH:
        raise RefusalError(422, f"query: transcribe is {_quoted(text)}; expected true or false")
    value = SWITCH.get(text.lower(), True)
    if value and transcriber is None:
        raise RefusalError(
            422, "query: transcribe: this server has no transcriber; start it with --transcribe NAME"
        )
    return value


def _quoted(text: str) -> str:
    """Return the beginning of a client's text in quotation marks, without what would not print."""
    return repr(text if len(text) <= 40 else f"{text[:40]}...")
