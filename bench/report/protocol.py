"""The protocol card: everything that a run's numbers depend on."""

import json
from collections.abc import Mapping
from typing import Any

from bench import markdown
from bench.markdown import escaped
from bench.store import Store

UNTOLD = {"code", "audio", "scale"}
"""Parts of an identity that say nothing to a reader."""


def section(store: Store) -> str:
    """Return the Markdown of what run.json says of data, splits, extractors, heads, seeds and machine."""
    run = store.run()
    request = run["request"]
    data = [
        [name, source["version"], source["n_clips"], source["content"]]
        for name, source in run["datasets"].items()
    ]
    splits = [
        [table["dataset"], table["task"], table["split"], ", ".join(table["apart"]), table["split_digest"]]
        for table in run["tables"]
    ]
    learners = [[name, _told(identity)] for name, identity in run["identities"].items() if identity]
    steps = {name: ", ".join(request[name]) for name in ("preprocess", "augment") if request[name]}
    facts = {
        "seeds": ", ".join(map(str, request["seeds"])),
        **steps,
        "precision": request["precision"],
        **{name: str(value) for name, value in run["env"].items()},
    }
    parts = [
        "## Protocol",
        f"`bench rerun {store.run_path}` computes it again and says what moved;\n"
        f"`bench audit {store.out}` verifies it.",
        _table(data, ["data set", "version", "clips", "content"]),
        _table(splits, ["data set", "task", "split", "kept apart", "digest"]),
        _table(learners, ["extractor or head", "what it is"]),
        _table([list(fact) for fact in facts.items()], ["fact", "value"]),
    ]
    return "\n\n".join(parts)


def _table(rows: list[list[Any]], headers: list[str]) -> str:
    told = [[escaped(str(value)) for value in row] for row in rows]
    return markdown.table(told, headers)


def _told(identity: Mapping[str, Any]) -> str:
    """Return an identity in one line: what is empty, and the hashes of code, are left out."""
    kept = {name: value for name, value in identity.items() if value and name not in UNTOLD}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in kept.items()}
    return ", ".join(f"{name} {text}" for name, text in texts.items())
