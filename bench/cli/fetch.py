"""`bench fetch`: download data sets and weights, or let a folder stand for weights."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bench import paths
from bench.errors import UsageError

if TYPE_CHECKING:
    from bench.catalog import Registry


@click.command("fetch")
@click.argument("names", nargs=-1, required=True)
@click.option(
    "--from",
    "folder",
    metavar="FOLDER",
    type=Path,
    help="Let a folder with a checkpoint stand for the weights of NAME; nothing is downloaded.",
)
def command(names: tuple[str, ...], folder: Path | None) -> None:
    """Download data sets and weights, with progress and checksums; a download that broke off goes on."""
    from bench import catalog, datasets
    from bench.catalog import weights
    from bench.runner import progress

    declared = catalog.load()
    if folder:
        _stand_in(names, folder, declared)
        return
    checkpoints = {spec.name: spec.weights for spec in declared.extractors.values() if spec.weights}
    checkpoints |= {
        name: spec.weights
        for name in names
        if (spec := catalog.undeclared("extractor", name)) and spec.weights
    }
    for name in names:  # all of them, before hours go into the first
        catalog.find("data set or weights", name, {**declared.cards, **checkpoints})
    for name in names:
        if name in checkpoints:
            click.echo(f"{name}: {weights.fetch(checkpoints[name])}")
            continue
        card = declared.cards[name]
        with progress.rendering() as events:
            folder = datasets.fetch.fetch(card, paths.home(), events.downloaded)
        click.echo(f"{card.name}: {folder} ({card.licence})")
        if not all("hash" in file for file in card.files):
            click.echo(f"{card.name}: the card knows no checksum of it, so none was compared", err=True)


def _stand_in(names: tuple[str, ...], folder: Path, declared: "Registry") -> None:
    """Let a folder stand for the checkpoint of an extractor."""
    from bench import catalog
    from bench.catalog import formats, standins, weights

    if len(names) > 1:
        raise UsageError(f"--from {folder}: is one checkpoint; expected one name, got {', '.join(names)}")
    named = {name: spec for name, spec in declared.extractors.items() if spec.weights in declared.checkpoints}
    spec = catalog.find("weights", names[0], named)
    formats.check(folder, spec)
    digest = weights.digest(weights.locate(str(folder)))
    link = standins.add(declared.checkpoints[spec.weights], folder)
    users = [other.name for other in named.values() if other.weights == spec.weights]
    click.echo(f"{', '.join(users)}: {folder.resolve()} (SHA-256 {digest[:16]}); to undo it, delete {link}")
