"""`bench fetch`: download data sets and weights."""

import click

from bench import paths


@click.command("fetch")
@click.argument("names", nargs=-1, required=True)
def command(names: tuple[str, ...]) -> None:
    """Download data sets and weights, with progress and checksums; a download that broke off goes on."""
    from bench import catalog, datasets
    from bench.catalog import weights
    from bench.runner import progress

    declared = catalog.load()
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
