"""The protocol: everything that the numbers of a report depend on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench import display
from bench.report.document import Grid, Paragraph, Section, cell, code, text
from bench.store import RunRecord, Store

HIDDEN = {"code", "audio", "scale"}
"""Parts of an identity that a reader can do nothing with."""


def section(stores: Sequence[Store]) -> Section:
    """Return the data, splits, extractors, heads, seeds and machines of the runs, every row once."""
    runs = [store.run() for store in stores]
    data = [
        (name, source.version, source.n_clips, source.content)
        for run in runs
        for name, source in run.datasets.items()
    ]
    splits = [
        (
            *(table.dataset, table.task.name, display.split(table.split)),
            *(", ".join(table.apart), display.sampling(table.sampling_units), table.split_digest),
        )
        for run in runs
        for table in run.tables
    ]
    learners = [
        (display.component(name), _description(identity))
        for run in runs
        for name, identity in {**run.identities, **run.earlier_identities}.items()
        if identity
    ]
    return Section(
        "Protocol",
        2,
        (
            *(_commands(store) for store in stores),
            _grid(("data set", "version", "clips", "content"), data),
            _grid(("data set", "task", "split", "kept apart", "drawn", "digest"), splits),
            _grid(("extractor or head", "identity"), learners),
            _grid(("fact", "value"), _facts(runs)),
        ),
        media=frozenset({"markdown"}),
    )


def _commands(store: Store) -> Paragraph:
    """Return the commands that check a run."""
    rerun = code(f"bench rerun {store.name}/{store.run_path.name}")
    audit = code(f"bench audit {store.name}")
    return Paragraph(text(rerun, " computes it again and lists differences; ", audit, " verifies it."))


def _facts(runs: Sequence[RunRecord]) -> list[tuple[str, str]]:
    """Return settings and versions, with the values of all runs."""
    facts: dict[str, list[str]] = {}
    for run in runs:
        request = run.request
        lists = {"preprocess": request.preprocess, "augment": request.augment}
        normalise = {"normalise": request.normalise} if request.normalise else {}
        values = {
            "seeds": ", ".join(map(str, request.seeds)),
            **{name: ", ".join(items) for name, items in lists.items() if items},
            **normalise,
            "precision": request.precision,
            **{name: str(value) for name, value in run.env.items()},
        }
        for name, value in values.items():
            facts.setdefault(name, []).append(value)
    return [(name, "; ".join(dict.fromkeys(values))) for name, values in facts.items()]


def _grid(headers: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> Grid:
    """Return a grid of every row once."""
    return Grid(headers, tuple(tuple(cell(str(value)) for value in row) for row in dict.fromkeys(rows)))


def _description(identity: Mapping[str, Any]) -> str:
    """Return an identity in one line, without empty parts and hashes of code."""
    parts = {name: value for name, value in identity.items() if value and name not in HIDDEN}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parts.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())
