"""`bench audit`: verify a folder of results."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click


@click.command("audit")
@click.argument("out", type=Path)
@click.option("--deep", is_flag=True, help="Embed every clip again, not 20 per data set and extractor.")
@click.option(
    "--trust",
    metavar="FOLDER",
    type=Path,
    multiple=True,
    help="Import the registry and the plugins of this working folder of a run.",
)
def command(out: Path, deep: bool, trust: tuple[Path, ...]) -> None:
    """Compute the scores in OUT again, render its report again, and verify splits, data, code and embeddings.

    Code that OUT names runs only if it is installed or in the registry of the working folder.
    """
    from bench import compute

    audit = compute.audit(out, trust=trust, deep=deep)
    for line in (*audit.differences, *audit.unchecked):
        click.echo(line)
    counts = {"differences": len(audit.differences), "not checked": len(audit.unchecked)}
    faults = ", ".join(f"{count} {noun}" for noun, count in counts.items() if count)
    if audit.has_unread_signature:
        click.echo("The folder is signed; set BENCH_SIGNING_KEY to check its signature.")
    n_checked = sum(check.n_checked for check in audit.embeddings)
    n_cached = sum(check.n_cached for check in audit.embeddings)
    click.echo(f"{out}: {faults or 'verified'}; {n_checked} of {n_cached} cached embeddings computed again")
    sys.exit(1 if faults else 0)


def exit_with(out: Path, differences: Sequence[str], success: str) -> NoReturn:
    """Print the differences and exit with 1, or print that there are none and exit with 0."""
    for line in differences:
        click.echo(line)
    click.echo(f"{out}: {f'{len(differences)} differences' if differences else success}")
    sys.exit(1 if differences else 0)
