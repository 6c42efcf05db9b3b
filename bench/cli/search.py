"""`bench search`: what in an index is like a clip, a recording or a text."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click

from bench.cli import options
from bench.request import Search
from bench.request import options as declared


@click.command("search")
@click.argument("index", type=Path)
@options.declared(declared(Search).values())
@click.option("--weights", default="", help="Folder of the extractor's weights.  [default: where they were]")
@click.option(
    "--device", default="auto", show_default=True, metavar="TEXT", help="auto, cpu, cuda or cuda:N."
)
def command(index: Path, weights: str, device: str, **fields: Any) -> None:
    """Search INDEX, which `bench index` wrote, for what is like a clip, a recording or a text."""
    from bench import catalog
    from bench.retrieval import output, page
    from bench.retrieval import search as searching
    from bench.retrieval.index import Index

    search = Search(**fields)
    if search.evaluate:
        from bench.retrieval import evaluation_output

        evaluation = searching.evaluation(Index.open(index), search)
        click.echo(evaluation_output.write(evaluation, search.format), nl=False)
        return
    hits = searching.hits(Index.open(index), search, catalog.load(), device=device, weights=weights)
    width = shutil.get_terminal_size((output.WIDTH, 0)).columns
    click.echo(output.write(hits, search.format, width), nl=False)
    if not hits:
        why = f": no clip fits --where {search.where}" if search.where else ""
        click.echo(f"no hit in {index}{why}", err=True)
    if search.html:
        page.write(search.html, output.title(search), hits)
        click.echo(f"wrote {search.html}", err=True)
