"""Metadata of a Hugging Face model card: a model per system."""

from typing import Any

import yaml

from bench import display
from bench.report import words
from bench.report.rows import Row, Table
from bench.report.sections import Content
from bench.types import System


def write(content: Content) -> str:
    """Return the model index as YAML."""
    models: dict[System, list[dict[str, Any]]] = {}
    for table in content.tables:
        for row in table.lines:
            models.setdefault(row.system, []).append(_result(table, row))
    index = [{"name": display.model(system), "results": results} for system, results in models.items()]
    return str(yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True))


def _result(table: Table, row: Row) -> dict[str, Any]:
    names = {score: display.metric(score) for score in row.scores}
    return {
        "task": {"type": "audio-classification", "name": table.task.name},
        "dataset": {
            "type": table.dataset,
            "name": words.dataset(table),
            "split": display.split(table.protocol.split) if table.protocol else "",
            "revision": table.source.content,
        },
        "metrics": [
            {"type": name, "name": name, "value": round(score.value, words.decimals(score))}
            for score, name in names.items()
        ],
    }
