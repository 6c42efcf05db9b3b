"""What a user asks of a run: one declaration for the command line, suites and the record of the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from bench.request.declaration import (
    LARGEST_SEED,
    N_PERMUTATIONS,
    NEAR_COPIES,
    PRECISIONS,
    RUNTIMES,
    Output,
    Request,
)
from bench.request.description import Describing
from bench.request.exploration import SHARED, Exploration, Transfer
from bench.request.indexing import INDEXED, READING, Indexing
from bench.request.inference import AnswerFormat, Explanation, Inference
from bench.request.option import Form, Option
from bench.request.question import Inquiry, QuestionFormat
from bench.request.searching import HitFormat, Merge, Search

__all__ = [
    "INDEXED",
    "LARGEST_SEED",
    "NEAR_COPIES",
    "N_PERMUTATIONS",
    "PRECISIONS",
    "READING",
    "RUNTIMES",
    "SHARED",
    "AnswerFormat",
    "Describing",
    "Explanation",
    "Exploration",
    "Form",
    "HitFormat",
    "Indexing",
    "Inference",
    "Inquiry",
    "Merge",
    "Option",
    "Output",
    "QuestionFormat",
    "Request",
    "Search",
    "Transfer",
    "doubled",
    "options",
    "recorded",
    "suite_keys",
]


def doubled(values: Sequence[Any]) -> str:
    """Return the first value that a list holds twice; '' for none.

    Examples
    --------
    >>> doubled(["knn", "svm", "knn"])
    'knn'
    """
    return next((str(value) for value in values if values.count(value) > 1), "")


def options(noun: type[Any]) -> dict[str, Option]:
    """Return the options of a class by their fields' names."""
    return {
        item.name: Option(name=item.name, **item.metadata["option"])
        for item in dataclasses.fields(noun)
        if "option" in item.metadata
    }


def recorded(request: Request) -> dict[str, Any]:
    """Return the fields of a request that its record holds: all but where it is computed."""
    names = (item.name for item in dataclasses.fields(request) if item.metadata.get("recorded", True))
    return {name: getattr(request, name) for name in names}


def suite_keys() -> dict[str, dict[str, Option]]:
    """Return table -> key -> option of a suite."""
    tables: dict[str, dict[str, Option]] = {}
    for noun in (Request, Output):
        for option in options(noun).values():
            if option.table:
                tables.setdefault(option.table, {})[option.key] = option
    return tables
