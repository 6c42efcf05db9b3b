"""Output: what was described, as a text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tabulate import tabulate

from bench.description.describing import Report
from bench.description.titles import Titles
from bench.types.retrieval import Message

WIDTH = 100
"""Largest width of an example, in characters."""


def report(report: Report) -> str:
    """Return how many recordings got what, and examples."""
    if not report.n_written:
        return "every recording that can be read has these descriptions"
    counts = [f"{kind} by {name}: {n} recordings" for (kind, name), n in sorted(report.n_written.items())]
    examples = [
        f"{file.clip}: {textwrap.shorten(caption.text, WIDTH) or '(nothing)'}"
        for file, caption in report.examples
    ]
    return "\n".join([*counts, *(["", *examples] if examples else [])])


def titles(titles: Titles) -> str:
    """Return a table of titles, and the share of hidden recordings that fit their own."""
    rows = [
        {
            "cluster": each.cluster,
            "title": each.title or "(none)",
            "by": each.model,
            "recordings": each.n_recordings,
            "hidden right": "" if each.share is None else f"{each.share:.2f}",
        }
        for each in titles.titles
    ]
    lines = [tabulate(rows, headers="keys", disable_numparse=True), "", _test(titles)]
    lines += [
        f"{each.cluster}: refused '{each.refused}', which fits too few recordings"
        for each in titles.titles
        if each.refused
    ]
    return "\n".join(lines)


def prompts(prompts: Sequence[Sequence[Message]]) -> str:
    """Return what a language model would be asked."""
    return "\n\n".join(f"[{message.role}]\n{message.text}" for chat in prompts for message in chat)


def _test(titles: Titles) -> str:
    """Return how well the titles tell hidden recordings apart, in a line."""
    test = titles.test
    if test.share is None:
        return "the titles are not tested: too few recordings could be hidden"
    interval = "" if test.low is None else f" [{test.low:.2f}, {test.high:.2f}]"
    chance = "" if test.chance is None else f", chance {test.chance:.2f}"
    return f"{test.share:.2f}{interval} of {test.n_hidden} hidden recordings fit their own title best{chance}"
