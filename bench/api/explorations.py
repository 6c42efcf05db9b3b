"""Explore a collection from a notebook or a program."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench import catalog, paths
from bench import compute as computation
from bench.api.objects import Function, named
from bench.api.runs import dataset_text, with_specs
from bench.errors import UsageError, shortlist
from bench.exploration import Findings, clip_table, sections
from bench.exploration.clusters import Clusters
from bench.exploration.maps import Map
from bench.exploration.outliers import Outliers
from bench.report.writers import markdown
from bench.request import SHARED, Exploration, Request
from bench.request import options as declared_options
from bench.runner.options import check
from bench.validation import convert


@dataclass(frozen=True)
class Overview:
    """What a collection holds; in a notebook it shows as its tables.

    Parameters
    ----------
    findings : Findings
        Everything that was computed; `map`, `clusters` and `outliers` are those of the first extractor.
    """

    findings: Findings

    @property
    def map(self) -> Map | None:
        """Return the places of the clips in the plane, and how far they can be trusted."""
        return self.findings.spaces[0].map

    @property
    def clusters(self) -> Clusters | None:
        """Return the clusters of the clips."""
        return self.findings.spaces[0].clusters

    @property
    def outliers(self) -> Outliers | None:
        """Return how strange every clip is."""
        return self.findings.spaces[0].outliers

    def to_pandas(self) -> pd.DataFrame:
        """Return a row per clip: its labels, and its place, cluster and q-value by every extractor."""
        return clip_table(self.findings)

    def _repr_markdown_(self) -> str:
        return markdown.text(sections(self.findings))

    def __repr__(self) -> str:
        return self._repr_markdown_()


def explore(
    dataset: str | Path | pd.DataFrame = "demo",
    *,
    extractors: str | Sequence[str | Function | Any] = (),
    out: str | Path | None = None,
    **options: Any,
) -> Overview:
    """Return what a collection of clips holds; what an earlier call computed is used again.

    Parameters
    ----------
    dataset : str | Path | pd.DataFrame
        A name, a folder, a file, or a table with the column `path`; it needs no labels.
    extractors : str | Sequence[str | Function | Any]
        One name, or as of `bench.run`; by default `mfcc`.
    out : str | Path | None
        Folder of the files that ``bench explore`` writes; None writes none.
    options
        Further options of ``bench explore`` by the names of `bench.request.Exploration`, such as
        ``map="pca"``, ``clusters="3"``, ``outliers=True``, or ``normalisation=True`` for ``--cmvn``.

    Raises
    ------
    UsageError
        If something is unknown or does not fit; the message says how to fix it.
    """
    extractors = (extractors,) if isinstance(extractors, str) else extractors
    names, specs = named("extractor", extractors)
    shared, fields = _divided(options)
    exploration = convert(fields, Exploration, "bench.explore")
    declared = with_specs(catalog.load(), specs)
    with tempfile.TemporaryDirectory() as folder:
        text = dataset_text(dataset, Path(folder) if out is None else Path(out), 0)
        request = Request(
            datasets=(text,), home=paths.home(), extractors=names, command="bench.explore(...)", **shared
        )
        check(request)
        if out is None:
            return Overview(computation.findings(request, exploration, declared))
        return Overview(computation.explore(request, replace(exploration, out=Path(out)), declared).findings)


def _divided(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of a request, and those of an exploration.

    Raises
    ------
    UsageError
        If one is unknown.
    """
    declared = declared_options(Exploration)
    of_exploration, of_request = declared.keys() - {"out"}, {*SHARED} - {"extractors"}
    if unknown := options.keys() - of_request - of_exploration:
        expected = ", ".join(sorted(of_request | of_exploration))
        raise UsageError(f"unknown option {shortlist(unknown)}; expected {expected}")
    shared, fields = {}, {}
    for name, value in options.items():
        if name in of_request:
            shared[name] = tuple(value) if isinstance(value, list) else value
        else:  # a folder and a number of clusters are texts on the command line
            is_text = declared[name].form == "text" and isinstance(value, int | Path)
            fields[name] = str(value) if is_text else value
    return shared, fields
