"""`bench explore`: see a collection of clips, sort it, find what is wrong with it."""

from dataclasses import replace
from typing import Any

import click

from bench import paths
from bench.cli import options
from bench.request import SHARED, Exploration, Option, Request
from bench.request import options as declared

ABOUT = {
    "extractors": "NAME, hf:ID_OR_FOLDER, whisper-short:ID_OR_FOLDER, fairseq:FILE, hear:MODULE; "
    "with @layer=N|last|mean|all@pool=mean|std|mean+std|max|first.  [default: mfcc]",
    "near_copies": "Search for near copies, with --duplicates; auto: in small data sets.",
}
"""Option -> its help where it is another one than that of `bench run`."""


def _shared() -> list[Option]:
    """Return the options that it shares with `bench run`, with their help here."""
    options = [declared(Request)[name] for name in SHARED]
    return [replace(option, about=ABOUT.get(option.name, option.about)) for option in options]


@click.command("explore")
@click.argument("dataset")
@options.declared([*_shared(), *declared(Exploration).values()])
@options.plain
def command(dataset: str, plain: bool, **fields: Any) -> None:
    """Show what DATASET holds, from the embeddings of its clips: maps, clusters, outliers, copies, errors.

    DATASET is a name, a folder, a table, one audio file, or - for paths on the standard input. It needs no
    labels. What an earlier exploration computed is used again.
    """
    from bench import catalog
    from bench.compute import explore
    from bench.runner import options as run_options

    shared = {name: fields.pop(name) for name in SHARED}
    request = Request(datasets=(dataset,), home=paths.home(), command=options.command_line(), **shared)
    run_options.check(request)
    outcome = explore(request, Exploration(**fields), catalog.load(), plain=plain)
    click.echo(outcome.text)
    click.echo()
    for path in outcome.paths:
        click.echo(f"wrote {path}")
