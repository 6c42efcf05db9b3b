"""The protocol card: everything that a run's numbers depend on."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import markdown
from bench.report.markdown import escaped
from bench.store import Store

UNTOLD = {"code", "audio", "scale"}
"""Parts of an identity that say nothing to a reader."""


def section(stores: Sequence[Store]) -> str:
    """Return the Markdown of what run.json says of data, splits, extractors, heads, seeds and machine."""
    runs = [store.run() for store in stores]
    data = [
        (name, source["version"], source["n_clips"], source["content"])
        for run in runs
        for name, source in run["datasets"].items()
    ]
    splits = [
        (table["dataset"], table["task"], table["split"], ", ".join(table["apart"]), table["split_digest"])
        for run in runs
        for table in run["tables"]
    ]
    learners = [
        (name, _told(identity)) for run in runs for name, identity in run["identities"].items() if identity
    ]
    facts: dict[str, list[str]] = {}
    for run in runs:
        for name, value in _facts(run).items():
            facts.setdefault(name, []).append(value)
    parts = [
        "## Protocol",
        "\n".join(
            f"`bench rerun {store.run_path}` computes it again and says what moved; "
            f"`bench audit {store.out}` verifies it."
            for store in stores
        ),
        _table(data, ["data set", "version", "clips", "content"]),
        _table(splits, ["data set", "task", "split", "kept apart", "digest"]),
        _table(learners, ["extractor or head", "what it is"]),
        _table(
            [(name, "; ".join(dict.fromkeys(values))) for name, values in facts.items()], ["fact", "value"]
        ),
    ]
    return "\n\n".join(parts)


def _facts(run: Mapping[str, Any]) -> Mapping[str, str]:
    request = run["request"]
    return {
        "seeds": ", ".join(map(str, request["seeds"])),
        **{name: ", ".join(request[name]) for name in ("preprocess", "augment") if request[name]},
        "precision": request["precision"],
        **{name: str(value) for name, value in run["env"].items()},
    }


def _table(rows: Sequence[tuple[Any, ...]], headers: Sequence[str]) -> str:
    """Return a table of every row once."""
    return markdown.table([[escaped(str(value)) for value in row] for row in dict.fromkeys(rows)], headers)


def _told(identity: Mapping[str, Any]) -> str:
    """Return an identity in one line: what is empty, and the hashes of code, are left out."""
    kept = {name: value for name, value in identity.items() if value and name not in UNTOLD}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in kept.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())
