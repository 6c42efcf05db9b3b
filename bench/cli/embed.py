"""`bench embed`: write embeddings for use elsewhere."""

from pathlib import Path
from typing import Any

import click

from bench import paths
from bench.cli import options
from bench.request import Request
from bench.request import options as declared

NAMES = ("audio", "extractors", "preprocess", "device", "precision", "runtime")
"""Options that it shares with `bench run`."""


@click.command("embed")
@click.argument("dataset")
@options.declared(declared(Request)[name] for name in NAMES)
@click.option("--out", type=Path, required=True, help="A .parquet or .npz file.")
@options.plain
def command(dataset: str, out: Path, plain: bool, **fields: Any) -> None:
    """Write the embeddings of DATASET, one row per clip, extractor and view.

    DATASET is a name, a folder, a table, one audio file, or - for paths on standard input. It needs no
    labels.
    """
    from bench import catalog
    from bench.compute import export
    from bench.runner import options as run_options

    request = Request(datasets=(dataset,), home=paths.home(), **fields)
    run_options.check(request)
    n_rows = export(request, catalog.load(), out, plain=plain)
    click.echo(f"wrote {out}: {n_rows} rows")
