"""`bench new`: write the package of a plugin."""

from pathlib import Path

import click

KINDS = ("extractor", "head", "dataset")


@click.command("new")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
def command(kind: str, name: str) -> None:
    """Write the package of a plugin, NAME, ready to install and to publish: with an entry point and tests."""
    from bench import scaffold

    for path in scaffold.create(kind, name, Path()):
        click.echo(f"wrote {path}")
    click.echo(f"now: pip install -e './{name}[test]' && bench check {name}/{name.replace('-', '_')}")
