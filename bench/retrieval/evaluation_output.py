"""Output of an evaluation: a table for people, JSON and CSV."""

from __future__ import annotations

from typing import Any

import msgspec
import pandas as pd
from tabulate import tabulate

from bench.files import indented_json
from bench.report import words
from bench.report.writers.csv import text as csv_text
from bench.request import HitFormat
from bench.retrieval.evaluation import CLIP, Evaluation

METRICS = {"map@r": "MAP@R", "r_precision": "R-precision"}
"""Metric -> its name for people, where it has another one."""


def write(evaluation: Evaluation, form: HitFormat) -> str:
    """Return an evaluation in a form."""
    if form == "json":
        return indented_json(fields(evaluation))
    if form == "csv":
        return csv_text(frame(evaluation))
    return table(evaluation) + "\n"


def fields(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as JSON has it."""
    values: dict[str, Any] = msgspec.to_builtins(evaluation)
    return {**values, "scores": frame(evaluation).replace({float("nan"): None}).to_dict("records")}


def frame(evaluation: Evaluation) -> pd.DataFrame:
    """Return a row per metric: its value, the bounds of its interval, and chance."""
    rows = [
        {
            "metric": each.score.metric,
            "value": each.score.value,
            "low": each.score.low,
            "high": each.score.high,
            "chance": each.chance,
        }
        for each in evaluation.scores
    ]
    return pd.DataFrame(rows).astype({"low": float, "high": float})


def table(evaluation: Evaluation) -> str:
    """Return an evaluation as a table for people, and what it is of."""
    rows = [
        [
            METRICS.get(each.score.metric, each.score.metric),
            words.value(each.score) + words.interval(each.score),
            f"{each.chance:.3f}",
        ]
        for each in evaluation.scores
    ]
    scores: str = tabulate(rows, headers=["neighbours", evaluation.label, "chance"], disable_numparse=True)
    return f"{scores}\n\n{_about(evaluation)}"


def _about(evaluation: Evaluation) -> str:
    """Return what was compared with what, in sentences."""
    e = evaluation
    apart = f"of another {' and '.join(e.not_same)}" if e.not_same else f"of another {CLIP}"
    lines = [
        f"{e.n_queries} chunks of {e.n_classes} values; {e.n_candidates:.0f} candidates each, {apart}",
        f"intervals over {e.n_units} values of {e.unit}" if e.unit != CLIP else "intervals over clips",
    ]
    if e.n_alone:
        lines.append(f"{e.n_alone} chunks have no such neighbour with their value, and are left out")
    return "\n".join(lines)
