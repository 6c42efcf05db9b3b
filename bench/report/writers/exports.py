"""Tables for other programs: CSV, JSON, LaTeX, Hugging Face's model-index, JUnit XML."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd
import yaml

from bench._version import __version__
from bench.report import junit
from bench.report.leaderboard import decimals, number
from bench.report.rows import Row, Table
from bench.types import BASELINE, Cost, Status

SCHEMA = 1
"""Version of leaderboard.json; docs/leaderboard.schema.json describes it."""

COSTS = Cost.names("export")


def content(tables: Sequence[Table]) -> dict[str, Any]:
    """Return what leaderboard.json holds."""
    return {"schema": SCHEMA, "bench": __version__, "tables": [_table(table) for table in tables]}


def _table(table: Table) -> dict[str, Any]:
    source, protocol = table.source, table.protocol
    return {
        "dataset": table.dataset,
        "task": table.task,
        "title": table.title,
        "version": source["version"],
        "content": source["content"],
        "synthetic": source["synthetic"],
        "split": protocol.get("split", ""),
        "split_digest": protocol.get("split_digest", ""),
        "leaky": protocol.get("leaky", False),
        "permuted": protocol.get("permuted", False),
        "metric": protocol["metrics"][0] if protocol else "",
        "rows": [_row(row) for row in table.rows],
        "others": [
            {
                "extractor": result.extractor,
                "view": result.view,
                "head": result.head,
                "seed": result.seed,
                "status": str(result.status),
                "reason": result.reason,
            }
            for result in table.others
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    first = row.first
    return {
        "rank": [row.standing.low, row.standing.high],
        "tied_with_best": row.standing.tied,
        "extractor": "" if first.head == BASELINE else first.extractor,
        "view": row.view,
        "preprocess": first.preprocess,
        "head": first.head,
        "seeds": [result.seed for result in row.results],
        "train_size": first.train_size,
        "clips": first.n_test,
        "groups": first.n_groups,
        "scores": {
            name: {"value": score.value, "low": score.low, "high": score.high, "folds": list(score.folds)}
            for name, score in row.scores.items()
        },
        "cost": {name: getattr(first.cost, name) for name in COSTS},
    }


def as_json(tables: Sequence[Table]) -> str:
    """Return the tables as JSON."""
    return json.dumps(content(tables), indent=2, ensure_ascii=False) + "\n"


def frame(tables: Sequence[Table]) -> pd.DataFrame:
    """Return a line per row of every table, and per cell that has none."""
    lines: list[Mapping[str, Any]] = []
    for table in content(tables)["tables"]:
        shared = {name: table[name] for name in ("task", "dataset", "split", "split_digest", "synthetic")}
        for row in table["rows"]:
            low, high = row.pop("rank")
            scores = {
                name if part == "value" else f"{name}_{part}": score[part]
                for name, score in row.pop("scores").items()
                for part in ("value", "low", "high")
            }
            cost, seeds = row.pop("cost"), " ".join(map(str, row.pop("seeds")))
            lines.append(
                {**shared, "status": "ok", "rank_low": low, "rank_high": high, **row, "seeds": seeds}
                | {"metric": table["metric"], **scores, **cost}
            )
        lines += [{**shared, **other, "seeds": other["seed"]} for other in table["others"]]
    return pd.DataFrame(lines).drop(columns="seed", errors="ignore")


def as_csv(tables: Sequence[Table]) -> str:
    """Return the lines of `frame`."""
    return str(frame(tables).to_csv(index=False, lineterminator="\n"))


def as_latex(tables: Sequence[Table]) -> str:
    """Return a table for booktabs each, with the rows that may be the best in bold."""
    parts = []
    for table in tables:
        if not table.rows:
            continue
        names = [table.main, *table.metrics]
        shown = pd.DataFrame(
            [
                {
                    "extractor": row.extractor,
                    "view": row.view,
                    "head": row.first.head,
                    **{name: number(row.scores[name]) if name in row.scores else "" for name in names},
                }
                for row in table.rows
            ]
        )
        bold = ["font-weight: bold" if row.standing.tied else "" for row in table.rows]
        style = (
            shown.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis="columns")
        )
        style = style.apply(lambda column, bold=bold: bold, subset=[table.main])
        caption = f"{table.task} on {table.title}".translate(LATEX)
        parts.append(style.to_latex(hrules=True, convert_css=True, caption=caption, position="ht"))
    return "\n".join(parts)


LATEX = str.maketrans(
    {each: f"\\{each}" for each in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)
"""What a caption escapes."""


def as_model_index(tables: Sequence[Table]) -> str:
    """Return the metadata of a Hugging Face model card: a model per extractor, view and head."""
    models: dict[str, list[dict[str, Any]]] = {}
    for table in tables:
        for row in table.rows:
            name = " ".join(filter(None, [row.first.extractor, row.first.view, row.first.head]))
            models.setdefault(BASELINE if row.first.head == BASELINE else name, []).append(
                {
                    "task": {"type": "audio-classification", "name": table.task},
                    "dataset": {
                        "type": table.dataset,
                        "name": table.title,
                        "split": table.protocol["split"],
                        "revision": table.source["content"],
                    },
                    "metrics": [
                        {"type": metric, "name": metric, "value": round(score.value, decimals(score))}
                        for metric, score in row.scores.items()
                    ],
                }
            )
    index = [{"name": name, "results": results} for name, results in models.items()]
    return str(yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=True))


def as_junit(tables: Sequence[Table]) -> str:
    """Return JUnit XML with a suite per table and a case per cell."""
    suites = {}
    for table in tables:
        done = [result for row in (*table.rows, *table.smaller) for result in row.results]
        suites[f"{table.task} on {table.title}"] = [
            junit.Case(
                f"{result.dataset}.{result.task}",
                f"{result.extractor} ({result.view}), {result.head}, seed {result.seed}",
                OUTCOMES[result.status],
                result.reason,
            )
            for result in (*done, *table.others)
        ]
    return junit.text(suites)


OUTCOMES: Mapping[Status, Literal["passed", "failure", "skipped"]] = {
    Status.OK: "passed",
    Status.FAILED: "failure",
    Status.SKIPPED: "skipped",
}

MADE: Mapping[str, Callable[[Sequence[Table]], str]] = {
    "csv": as_csv,
    "json": as_json,
    "latex": as_latex,
    "model-index": as_model_index,
    "junit": as_junit,
}
"""By the format's name."""
