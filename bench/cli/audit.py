"""`bench audit`: verify a folder of results."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from bench import paths


@click.command("audit")
@click.argument("out", type=Path)
def command(out: Path) -> None:
    """Compute the scores in OUT again, and verify its splits, data, extractors and heads."""
    from bench import runner
    from bench.store import Store

    exit_with(out, runner.audit(Store(out), paths.home()), "verified")


def exit_with(out: Path, differences: Sequence[str], success: str) -> NoReturn:
    """Print the differences and exit with 1, or print that there are none and exit with 0."""
    for line in differences:
        click.echo(line)
    click.echo(f"{out}: {f'{len(differences)} differences' if differences else success}")
    sys.exit(1 if differences else 0)
