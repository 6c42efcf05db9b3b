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
"""Largest number of files without a description that are listed."""


@click.command("describe")
@click.argument("index", type=Path)
@options.declared(declared(Describing).values())
@options.plain
def command(index: Path, plain: bool, **fields: Any) -> None:
    """Describe the recordings of INDEX, which `bench index` wrote, in words that `bench search` finds.

    Every recording gets words for its loudness, pitch, brightness and course, without any model. What an
    earlier call wrote by the same model stays as it is. Audio never leaves this machine.
    """
    from bench.description import output, run
    from bench.retrieval.index import Index

    def shown(outcomes: Iterable[Any], total: int) -> Iterable[Any]:
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        is_hidden = plain or not console.is_terminal
        return track(outcomes, "describing", total, console=console, disable=is_hidden, transient=True)

    try:
        report = run.describe(Index.open(index), Describing(**fields), shown)
    except KeyboardInterrupt as error:
        raise Failure(
            "stopped; the texts so far are in the index, and the same command goes on", 1
        ) from error
    click.echo(output.text(report))
    for clip, reason in list(report.failures.items())[:SHOWN]:
        click.echo(f"{clip}: {reason}", err=True)
    if report.failures:
        raise Failure(f"{len(report.failures)} recordings lack a description", 1)
