"""`bench index`: an index of a collection's embeddings, to search in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bench import paths
from bench.cli import options
from bench.cli.errors import Failure, Group
from bench.errors import UsageError, listing
from bench.request import INDEXED, READING, Indexing, Option, Request
from bench.request import options as declared

ABOUT = {
    "extractors": "NAME, hf:ID_OR_FOLDER, whisper-short:ID_OR_FOLDER, fairseq:FILE, hear:MODULE, one layer; "
    "with @layer=N|last|mean@pool=mean|std|mean+std|max|first.  [default: mfcc]",
}
"""Option -> its help where it is another one than that of `bench run`."""

BUILD = "build"

WEIGHTS = click.option(
    "--weights", default="", help="Folder of the extractor's weights.  [default: where they were]"
)


class Verbs(Group):
    """Commands on an index; without the name of one, an index is built."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the name of the command that builds before its arguments."""
        is_named = args and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if is_named or not args else [BUILD, *args])


def _options(names: tuple[str, ...]) -> list[Option]:
    """Return options of `bench run` with their help here."""
    shared = [declared(Request)[name] for name in names]
    return [replace(option, about=ABOUT.get(option.name, option.about)) for option in shared]


@click.group("index", cls=Verbs, subcommand_metavar="DATASET | add | remove | verify | stats [OPTIONS]")
def command() -> None:
    """Index the embeddings of a collection's clips, for `bench search`.

    `bench index DATASET --to INDEX` builds an index; its options are those of `bench index build`.
    """


@command.command(BUILD)
@click.argument("dataset")
@options.declared([*_options(INDEXED), *declared(Indexing).values()])
@options.plain
def build(dataset: str, plain: bool, **fields: Any) -> None:
    """Build an index of the clips of DATASET.

    DATASET is a name, a folder, a table, one audio file, or - for paths on the standard input.
    """
    from bench import catalog, compute
    from bench.retrieval import statistics
    from bench.runner import options as run_options

    shared = {name: fields.pop(name) for name in INDEXED}
    request = Request(datasets=(dataset,), home=paths.home(), command=options.command_line(), **shared)
    run_options.check(request)
    index, addition = compute.index(request, Indexing(**fields), catalog.load(), plain=plain)
    _print_addition(addition)
    click.echo(statistics.table(statistics.of(index)))
    click.echo(f"wrote {index.path}")


@command.command("add")
@click.argument("index", type=Path)
@click.argument("dataset")
@options.declared(_options((*READING, "device")))
@WEIGHTS
@options.plain
def add(index: Path, dataset: str, weights: str, plain: bool, **fields: Any) -> None:
    """Add the clips of DATASET to INDEX; those that are there already, by name and content, are left out."""
    from bench import catalog, compute
    from bench.runner import options as run_options

    request = Request(datasets=(dataset,), home=paths.home(), command=options.command_line(), **fields)
    run_options.check(request)
    _print_addition(compute.add(index, request, catalog.load(), weights=weights, plain=plain))


@command.command("remove")
@click.argument("index", type=Path)
@click.option(
    "--where", default="", metavar="CONDITION", help="Clips that fit this, such as \"speaker == '84'\"."
)
@click.option("--id", "ids", type=click.IntRange(0), multiple=True, metavar="N", help="The clip of a chunk.")
def remove(index: Path, where: str, ids: tuple[int, ...]) -> None:
    """Remove clips from INDEX, with their chunks and texts; their ids do not come back."""
    from bench.retrieval import removal
    from bench.retrieval.index import Index

    if not where and not ids:
        raise UsageError("remove: says no clips; add --where CONDITION or --id N")
    n_files, n_chunks = removal.remove(Index.open(index), where, ids)
    click.echo(f"removed {n_files} clips, {n_chunks} chunks")


@command.command("verify")
@click.argument("index", type=Path)
def verify(index: Path) -> None:
    """Check whether the vectors and metadata of INDEX agree, and are what was added; exit code 1 if not."""
    from bench.retrieval import statistics
    from bench.retrieval.engines.maintenance import damage
    from bench.retrieval.index import Index

    opened = Index.open(index)
    verification = opened.verify()
    click.echo(statistics.verdict(verification))
    for name in damage(opened.path, opened.card):
        click.echo(f"{index / name}: has changed; the next `bench index add` writes it again", err=True)
    if not verification.is_whole:
        raise Failure(f"{index}: is damaged; restore it, or build it again", 1)


@command.command("stats")
@click.argument("index", type=Path)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of a table.")
def stats(index: Path, as_json: bool) -> None:
    """Show what INDEX holds, and how well its engine finds neighbours."""
    from bench.files import indented_json
    from bench.retrieval import statistics
    from bench.retrieval.index import Index

    facts = statistics.of(Index.open(index))
    click.echo(indented_json(facts) if as_json else statistics.table(facts) + "\n", nl=False)


def _print_addition(addition: Any) -> None:
    """Print what was added, and on the standard error what was not."""
    click.echo(f"added {addition.n_files} clips, {addition.n_chunks} chunks")
    if addition.n_known:
        click.echo(f"{addition.n_known} clips were there already", err=True)
    if addition.unreadable:
        first = [f"{clip}: {why}" for clip, why in list(addition.unreadable.items())[:3]]
        click.echo(f"cannot be read: {listing(first, len(addition.unreadable), '; ')}", err=True)
