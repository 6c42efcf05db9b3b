"""`bench export`: a row of a run as a model for new recordings."""

from pathlib import Path

import click

from bench.cli import options


@click.command("export")
@click.argument("out", type=Path)
@click.option("--task", default="", metavar="NAME", help="Task of the row.  [default: the only one]")
@click.option("--dataset", default="", metavar="NAME", help="Data set of the row.  [default: the only one]")
@click.option(
    "--row",
    default="best",
    show_default=True,
    metavar="EXTRACTOR,HEAD",
    help="Row of the leaderboard; the extractor may have @layer=N@pool=NAME behind it.",
)
@click.option("--to", type=Path, required=True, help="Folder of the model; an earlier model is replaced.")
@options.plain
def command(out: Path, task: str, dataset: str, row: str, to: Path, plain: bool) -> None:
    """Fit a row of the run in OUT to all its clips, and write it as a model for `bench predict`.

    The model has the row's scores, calibrated confidence, and what tells unfamiliar recordings.
    """
    from bench.compute import export_model
    from bench.inference.export import Choice
    from bench.store import Store

    store = Store(out.resolve(), name=str(out))
    model = export_model(store, Choice(task=task, dataset=dataset, row=row), to.resolve(), plain=plain)
    click.echo(model)
    click.echo(f"wrote {to}")
