"""Compute a matrix from names, tables, functions and estimators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench import catalog, paths
from bench.api.objects import Function, named
from bench.api.results import Results
from bench.catalog import Registry
from bench.compute import compute
from bench.datasets.columns import path_column
from bench.errors import UsageError, shortlist
from bench.request import Request
from bench.request import options as declared_options
from bench.runner.options import check
from bench.store import Store
from bench.types import Kind, Spec


def run(  # an axis of the matrix per parameter, as on the command line
    *,
    tasks: Sequence[str] = (),
    datasets: Sequence[str | Path | pd.DataFrame] = ("demo",),
    extractors: Sequence[str | Function | Any] = (),
    heads: Sequence[str | Any] = (),
    out: str | Path = "bench-out",
    track: Sequence[str] = (),
    **options: Any,
) -> Results:
    """Compute the matrix datasets x tasks x extractors x heads, and return the results.

    Results that an earlier run with the same `out` computed are used again.

    Parameters
    ----------
    tasks : Sequence[str]
        Names; empty for all that fit the data.
    datasets : Sequence[str | Path | pd.DataFrame]
        Names, folders, manifests, or tables with the column `path` and a column per label.
    extractors : Sequence[str | Function | Any]
        Names as for ``bench run``, functions of one clip and its sample rate, or objects with `embed` or
        their classes, whose attribute `weights` may name a file.
    heads : Sequence[str | Any]
        Names as for ``bench run``, or scikit-learn classifiers with their parameters.
    out : str | Path
        Folder of the results.
    track : Sequence[str]
        Services that get the results too, such as ``mlflow:URI``.
    options
        Further options of ``bench run`` by the names of `bench.request.Request`, such as ``split="cv:5"`` or
        ``seeds=(0, 1)``.

    Raises
    ------
    UsageError
        If something is unknown or does not fit; the message says how to fix it.
    """
    out = Path(out)
    accepted = declared_options(Request).keys() - {"tasks", "datasets", "extractors", "heads"}
    if unknown := options.keys() - accepted:
        raise UsageError(f"unknown option {shortlist(unknown)}; expected {', '.join(sorted(accepted))}")
    extractor_names, extractor_specs = named("extractor", extractors)
    head_names, head_specs = named("head", heads)
    specs = [*extractor_specs, *head_specs]
    if specs and options.get("jobs", 1) > 1:
        names = shortlist([spec.name for spec in specs])
        raise UsageError(f"jobs: {names}: an object exists in this process only; expected jobs=1")
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in options.items()
    }
    request = Request(
        datasets=tuple(dataset_text(dataset, out, number) for number, dataset in enumerate(datasets)),
        home=paths.home(),
        tasks=tuple(tasks),
        extractors=extractor_names,
        heads=head_names,
        command="bench.run(...)",
        **fields,
    )
    check(request)
    store = Store(out)
    compute(request, with_specs(catalog.load(), specs), store, track=track)
    return Results(store)


def with_specs(declared: Registry, specs: Sequence[Spec]) -> Registry:
    """Return a registry with further specs."""
    kinds: dict[Kind, dict[str, Spec]] = {
        "extractor": dict(declared.extractors),
        "head": dict(declared.heads),
    }
    for spec in specs:
        if kinds[spec.kind].setdefault(spec.name, spec) is not spec:
            raise UsageError(f"{spec.source}: two are called '{spec.name}'; rename one")
    return replace(declared, extractors=kinds["extractor"], heads=kinds["head"])


def dataset_text(dataset: str | Path | pd.DataFrame, out: Path, number: int) -> str:
    """Return the name of a dataset; write a table beside the results, so that they can be audited."""
    if not isinstance(dataset, pd.DataFrame):
        return str(dataset)
    column = path_column(list(map(str, dataset)))
    if column is None:
        columns = ", ".join(map(str, dataset))
        raise UsageError(f"datasets: table {number} has the columns {columns}; expected the column 'path'")
    path = out / "tables" / f"table{number or ''}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    absolute = dataset.assign(**{column: [str(Path(clip).absolute()) for clip in dataset[column]]})
    absolute.astype(str).where(dataset.notna(), "").to_parquet(path.absolute(), index=False)
    return str(path)
