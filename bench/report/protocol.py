"""The protocol: everything that a run's numbers depend on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench import display
from bench.report import markdown
from bench.report.markdown import escaped
from bench.store import RunRecord, Store

HIDDEN = {"code", "audio", "scale"}
"""Parts of an identity that a reader has no use for."""


def section(stores: Sequence[Store]) -> str:
    """Return the Markdown of data, splits, extractors, heads, seeds and machine of some runs."""
    records = [store.run() for store in stores]
    data = [
        (name, dataset.version, dataset.n_clips, dataset.content)
        for record in records
        for name, dataset in record.datasets.items()
    ]
    splits = [
        (
            table.dataset,
            table.task.name,
            display.split(table.split),
            ", ".join(table.apart),
            table.split_digest,
        )
        for record in records
        for table in record.tables
    ]
    identities = [
        (name, _identity(identity))
        for record in records
        for name, identity in record.identities.items()
        if identity
    ]
    facts: dict[str, list[str]] = {}
    for record in records:
        for name, value in _facts(record).items():
            facts.setdefault(name, []).append(value)
    commands = (
        f"`bench rerun {store.run_path}` computes it again and shows the differences; "
        f"`bench audit {store.out}` verifies it."
        for store in stores
    )
    parts = [
        "## Protocol",
        "\n".join(commands),
        _table(data, ["data set", "version", "clips", "content"]),
        _table(splits, ["data set", "task", "split", "kept apart", "digest"]),
        _table(identities, ["extractor or head", "identity"]),
        _table(
            [(name, "; ".join(dict.fromkeys(values))) for name, values in facts.items()], ["fact", "value"]
        ),
    ]
    return "\n\n".join(parts)


def _facts(record: RunRecord) -> Mapping[str, str]:
    request = record.request
    lists = {"preprocess": request.preprocess, "augment": request.augment}
    return {
        "seeds": ", ".join(map(str, request.seeds)),
        **{name: ", ".join(values) for name, values in lists.items() if values},
        "precision": request.precision,
        **{name: str(value) for name, value in record.env.items()},
    }


def _table(rows: Sequence[tuple[Any, ...]], headers: Sequence[str]) -> str:
    """Return a table of the distinct rows."""
    return markdown.table([[escaped(str(value)) for value in row] for row in dict.fromkeys(rows)], headers)


def _identity(identity: Mapping[str, Any]) -> str:
    """Return an identity in one line, without empty parts and hashes of code."""
    parts = {name: value for name, value in identity.items() if value and name not in HIDDEN}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in parts.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())
