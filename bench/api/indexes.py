"""Index a collection, and search in it, from a notebook or a program."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bench import catalog, paths
from bench import compute as computation
from bench.api.runs import dataset_text
from bench.errors import UsageError, shortlist
from bench.request import INDEXED, READING, Indexing, Request, Search
from bench.request import options as declared_options
from bench.retrieval import output, statistics
from bench.retrieval import search as searching
from bench.retrieval.index import Index
from bench.runner.options import check
from bench.validation import convert

SHOWING = frozenset({"evaluate", "format", "html"})
"""Options of ``bench search`` that say how it is shown, or ask for something else than hits."""


@dataclass(frozen=True)
class OpenedIndex:
    """An index in a folder; in a notebook it shows what it holds.

    Parameters
    ----------
    index : Index
    device, weights : str
        Of its extractor, for a search by a recording.
    """

    index: Index
    device: str = "auto"
    weights: str = ""

    def search(self, **options: Any) -> pd.DataFrame:
        """Return what is like a chunk, a recording or a text: a row per hit, the best first.

        Parameters
        ----------
        options
            Those of ``bench search`` by the names of `bench.request.Search`, such as ``id=12`` or
            ``audio="new.wav"``, ``k=5``, ``where="seconds > 2"``, ``not_same=["speaker"]``.

        Raises
        ------
        ClipError
            If the recording cannot be read.
        UsageError
            If an option is unknown or does not fit the index.
        """
        search = convert(_fields(options, Search, "audio"), Search, "search")
        hits = searching.hits(self.index, search, catalog.load(), device=self.device, weights=self.weights)
        return output.frame(hits)

    def add(self, dataset: str | Path, **options: Any) -> OpenedIndex:
        """Add the clips of a data set that the index lacks, and return the index.

        Parameters
        ----------
        options
            ``audio`` and ``parent_pattern``, as of ``bench index add``.

        Raises
        ------
        UsageError
            If an option is unknown, the data set cannot be opened, or the extractor of the index is not here.
        """
        if unknown := options.keys() - READING:
            raise UsageError(f"unknown option {shortlist(unknown)}; expected {', '.join(sorted(READING))}")
        request = Request(datasets=(str(dataset),), home=paths.home(), device=self.device, **options)
        computation.add(self.index.path, request, catalog.load(), weights=self.weights)
        return self

    def _repr_html_(self) -> str:
        return f"<pre>{self}</pre>"

    def __str__(self) -> str:
        return statistics.table(statistics.of(self.index))


def open_index(path: str | Path, *, device: str = "auto", weights: str | Path = "") -> OpenedIndex:
    """Return the index in a folder that ``bench index`` wrote.

    Parameters
    ----------
    device, weights : str
        Of its extractor, for a search by a recording.

    Raises
    ------
    UsageError
        If there is none, or it is damaged.
    """
    return OpenedIndex(Index.open(Path(path)), device, str(weights))


def index(
    dataset: str | Path | pd.DataFrame = "demo",
    *,
    to: str | Path,
    extractors: str = "mfcc",
    **options: Any,
) -> OpenedIndex:
    """Return a new index of the clips of a data set.

    Parameters
    ----------
    dataset : str | Path | pd.DataFrame
        A name, a folder, a file, or a table with the column `path`; it needs no labels.
    to : str | Path
        Folder of the index.
    extractors : str
        Name of one extractor, with one layer.
    options
        Further options of ``bench index`` by the names of `bench.request.Indexing`, such as ``chunk="10:5"``.

    Raises
    ------
    UsageError
        If something is unknown or does not fit; the message says how to fix it.
    """
    shared = {name: options.pop(name) for name in INDEXED if name in options}
    indexing = convert(_fields({**options, "to": to}, Indexing, "to"), Indexing, "bench.index")
    with tempfile.TemporaryDirectory() as folder:
        text = dataset_text(dataset, Path(folder), 0)
        request = Request(
            datasets=(text,),
            home=paths.home(),
            extractors=(extractors,),
            command="bench.index(...)",
            **shared,
        )
        check(request)
        opened, _ = computation.index(request, indexing, catalog.load())
    return OpenedIndex(opened, request.device)


def _fields(options: Mapping[str, Any], noun: type[Any], place: str) -> dict[str, Any]:
    """Return the fields of a noun, with its place as a path and lists for names.

    Raises
    ------
    UsageError
        If one is unknown.
    """
    declared = {name: each for name, each in declared_options(noun).items() if name not in SHOWING}
    if unknown := options.keys() - declared.keys():
        raise UsageError(f"unknown option {shortlist(unknown)}; expected {', '.join(sorted(declared))}")
    fields = dict(options)
    for name, value in options.items():
        if name == place and value is not None:
            fields[name] = Path(value)
        elif declared[name].form == "list" and isinstance(value, str):
            fields[name] = (value,)
    return fields
