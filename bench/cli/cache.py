"""`bench cache`: show and remove embeddings on disk."""

import click

from bench.cli.options import listed


@click.group("cache")
def command() -> None:
    """Look at the embeddings that are kept, and throw them away."""


@command.command("info")
def cache_info() -> None:
    """Show of which extractors how much is kept, and since when."""
    from datetime import datetime

    from tabulate import tabulate

    from bench.compute import cache

    rows = [
        {
            "extractor": kept.extractor,
            "digest": kept.digest[:8],
            "clips": kept.n_clips,
            "MB": f"{kept.n_bytes / 1e6:.1f}",
            "newest": f"{datetime.fromtimestamp(kept.modified):%Y-%m-%d %H:%M}",
        }
        for kept in cache().contents()
    ]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    click.echo(f"in {cache().root}")


@command.command("prune")
@listed("--extractors", help="Of these.  [default: of all]")
@click.option("--older-than", "days", metavar="DAYS", type=float, default=0.0, help="Unchanged for so long.")
def cache_prune(extractors: tuple[str, ...], days: float) -> None:
    """Throw away embeddings that are kept; they are made again when they are needed."""
    import time

    from bench import compute

    cache = compute.cache()
    for kept in cache.contents():
        old = kept.modified <= time.time() - days * 86_400
        if old and (not extractors or kept.extractor in extractors):
            cache.remove(kept.digest)
            size = f"{kept.n_clips} clips, {kept.n_bytes / 1e6:.1f} MB"
            click.echo(f"removed {kept.extractor or kept.digest}: {size}")
