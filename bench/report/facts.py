"""What a reader has to know before believing a number: neutral texts that writers mark up."""

from __future__ import annotations

from collections.abc import Iterator

from bench import display
from bench.report.rows import Table
from bench.report.spans import Span, Text
from bench.store import TableProtocol

FEW_GROUPS = 20
"""Below so many groups, an interval is rough."""

FEW_GROUPS_OF_A_CLASS = 5


def _plain(text: str) -> Text:
    return (Span(text),)


def _warning(title: str, text: str) -> Text:
    return Span(title, "strong"), Span(f": {text}")


def facts(table: Table) -> list[Text]:
    """Return the facts about a table's data, split, preprocessing and clips."""
    source = table.source
    texts: list[Text] = []
    if source.synthetic:
        why = "these numbers show that the tool works and say nothing about real audio."
        texts.append(_warning("Synthetic audio", why))
    data = f"Data: {source.n_clips} clips, version {source.version}, content "
    texts.append((Span(data), Span(source.content[:12], "code"), Span(".")))
    if table.protocol:
        texts += _split(table.protocol)
        largest = max((row.first.train_size for row in table.rows), default=1.0)
        if largest < 1:
            texts.append(_plain(f"Heads learn from {largest:g} of the training groups of every class."))
        texts += _doubts(table.protocol)
    steps = dict.fromkeys((row.first.extractor, row.first.preprocess) for row in table.rows)
    texts += [_plain(f"Preprocessing of {name}: {display.steps(step)}.") for name, step in steps if step]
    n_bad = max((row.first.n_bad for row in table.rows), default=0)
    if n_bad:
        texts.append(_plain(f"{n_bad} clips cannot be decoded and are left out: see bad_clips.csv."))
    return texts + [_plain(note) for note in source.notes]


def _split(protocol: TableProtocol) -> Iterator[Text]:
    """Yield how the clips were split and augmented."""
    folds = f"{protocol.n_folds} tested fold{'s' if protocol.n_folds > 1 else ''}"
    split = f"{display.split(protocol.split)} ({protocol.n_groups} groups)"
    yield _plain(f"Split: {split}, {folds}, {protocol.n_classes} classes.")
    if protocol.apart:
        yield _plain(f"Kept apart in every fold: {', '.join(protocol.apart)}.")
    if protocol.split.leaky:
        yield _warning("Leaky split", "for demonstration only; these numbers are higher than honest ones.")
    if protocol.note:
        yield _plain(f"No stricter split was possible: {protocol.note}.")
    if protocol.augmentation:
        augmentation = display.augmentation(protocol.augmentation)
        yield _plain(f"Changed copies of the training clips, never tested: {augmentation}.")


def _doubts(protocol: TableProtocol) -> Iterator[Text]:
    """Yield why few groups or classes make a weak claim."""
    if protocol.n_groups < FEW_GROUPS:
        yield _warning(
            "Few groups",
            f"{protocol.n_groups} values of {protocol.split.group} say little about others; intervals need "
            f"{FEW_GROUPS} or more.",
        )
    name, n_groups = protocol.fewest_groups
    if n_groups < FEW_GROUPS_OF_A_CLASS:
        yield _warning("Few groups of a class", f"'{name}' has {n_groups}.")
