"""`bench describe`: texts about the recordings of an index."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from bench.cli import options
from bench.cli.errors import Failure
from bench.request import Describing
from bench.request import options as declared

SHOWN = 20
"""Largest number of recordings without a description that are listed."""


@click.command("describe")
@click.argument("index", type=Path)
@options.declared(declared(Describing).values())
@options.plain
def command(index: Path, plain: bool, **fields: Any) -> None:
    """Describe the recordings of INDEX, which `bench index` wrote, in words that `bench search` finds.

    Every recording gets words for its loudness, pitch, brightness and course, without any model. What an
    earlier call wrote by the same model stays as it is. Audio never leaves this machine.
    """
    from bench import language
    from bench.description import output, run, work
    from bench.retrieval.index import Index

    asked, opened = Describing(**fields), Index.open(index)
    work.check(asked)
    if asked.dry_run:
        click.echo(output.prompts(run.prompts(opened, asked)))
        return
    if asked.llm and (notice := language.notice(asked.llm)):
        click.echo(notice, err=True)
    try:
        report = run.describe(opened, asked, lambda outcomes, total: _shown(outcomes, total, plain))
        click.echo(output.report(report))
        encoder = run.encoder_of(opened, asked)
        if encoder:
            click.echo(f"vectors by {encoder.name}: {run.encode(opened, encoder)} texts")
        if asked.titles:
            click.echo(output.titles(run.title(opened, asked, encoder)))
    except KeyboardInterrupt as error:
        raise Failure(
            "stopped; the texts so far are in the index, and the same command goes on", 1
        ) from error
    for clip, reason in list(report.failures.items())[:SHOWN]:
        click.echo(f"{clip}: {reason}", err=True)
    if report.failures:
        raise Failure(f"{len(report.failures)} recordings lack a description", 1)


def _shown(outcomes: Iterable[Any], total: int, plain: bool) -> Iterable[Any]:
    """Yield outcomes with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    is_hidden = plain or not console.is_terminal
    return track(outcomes, "describing", total, console=console, disable=is_hidden, transient=True)
