"""`bench report`: write leaderboards."""

from pathlib import Path
from typing import Any

import click

from bench.cli.options import LazyOption, listed, print_report


@click.command("report")
@click.argument("outs", metavar="OUT...", nargs=-1, required=True, type=Path)
@listed("--by", help="Slice by the values of label columns.")
@listed("--metrics", help="Score by these besides.")
@listed(
    "--format",
    "formats",
    default="md",
    show_default=True,
    cls=LazyOption,
    help="{formats}, or DISTRIBUTION/FILE of a plugin.",
)
@click.option("--bayes", is_flag=True, help="Compare rows over all tables by a Bayesian model.")
@click.option(
    "--publish",
    metavar="FOLDER",
    type=Path,
    help="Write it there as README.md, with a baseline for bench compare if there is none.",
)
def command(  # a parameter per option
    outs: tuple[Path, ...],
    by: tuple[str, ...],
    metrics: tuple[str, ...],
    formats: tuple[str, ...],
    publish: Path | None,
    bayes: bool,
) -> None:
    """Write the leaderboard of the runs in OUT again, and print it.

    Several runs stand in one table where they were tested on the same clips with the same split, else apart.
    """
    from bench import report as reports
    from bench.compute import cache
    from bench.store import Store

    stores = [Store(out) for out in dict.fromkeys(outs)]
    embeddings = cache() if "html" in formats else None
    choices: dict[str, Any] = {
        "by": by,
        "metrics": metrics,
        "formats": formats,
        "cache": embeddings,
        "bayes": bayes,
    }
    if publish:
        print_report(reports.publish(*stores, folder=publish, **choices))
    else:
        print_report(reports.write(*stores, **choices))
