"""`bench cache`: show and remove embeddings on disk."""

import click

from bench.cli.options import listed


@click.group("cache")
def command() -> None:
    """Show the cached embeddings, and remove them."""


@command.command("info")
def cache_info() -> None:
    """Show the cached embeddings per extractor: clips, size, and the newest."""
    from datetime import datetime

    from tabulate import tabulate

    from bench import compute

    cache = compute.cache()
    rows = [
        {
            "extractor": entry.extractor,
            "digest": entry.digest[:8],
            "clips": entry.n_clips,
            "MB": f"{entry.n_bytes / 1e6:.1f}",
            "newest": f"{datetime.fromtimestamp(entry.modified):%Y-%m-%d %H:%M}",
        }
        for entry in cache.entries()
    ]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    click.echo(f"in {cache.root}")


@command.command("prune")
@listed("--extractors", help="Of these.  [default: of all]")
@click.option("--older-than", "days", metavar="DAYS", type=float, default=0.0, help="Unchanged for so long.")
@click.option("--force", is_flag=True, help="Even while a run uses the cache: it then may fail.")
def cache_prune(extractors: tuple[str, ...], days: float, force: bool) -> None:
    """Remove cached embeddings; a run that needs them computes them again.

    Nothing is removed while a run uses the cache.
    """
    import time

    from bench import compute

    cache = compute.cache()
    with cache.pruning(force=force):
        for entry in cache.entries():
            old = entry.modified <= time.time() - days * 86_400
            if old and (not extractors or entry.extractor in extractors):
                cache.remove(entry.digest)
                size = f"{entry.n_clips} clips, {entry.n_bytes / 1e6:.1f} MB"
                click.echo(f"removed {entry.extractor or entry.digest}: {size}")
