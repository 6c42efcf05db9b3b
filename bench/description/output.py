"""Output: what was described, as a text for people."""

from __future__ import annotations

import textwrap

from bench.description.describing import Report

WIDTH = 100
"""Largest width of an example, in characters."""


def text(report: Report) -> str:
    """Return how many files got what, and examples."""
    if not report.n_written:
        return "nothing to do: every recording has its descriptions"
    counts = [f"{kind} by {name}: {n} recordings" for (kind, name), n in sorted(report.n_written.items())]
    examples = [
        f"{file.clip}: {textwrap.shorten(caption.text, WIDTH) or '(nothing)'}"
        for file, caption in report.examples
    ]
    return "\n".join([*counts, *(["", *examples] if examples else [])])
