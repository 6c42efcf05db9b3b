"""`bench data`: look at data sets."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import click

from bench import paths
from bench.cli import options
from bench.request import Request


@click.group("data")
def command() -> None:
    """Look at data sets."""


@command.command("check")
@click.argument("dataset")
@options.of_data
@click.option("--near", is_flag=True, help="Look for near copies too: as MP3, louder, cut, later, resampled.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def data_check(dataset: str, near: bool, as_json: bool, **fields: Any) -> None:
    """Decode every clip of DATASET; show its audio, labels and groups, and which tasks it allows.

    DATASET is a name, a folder, a table, one audio file, or - for paths on standard input. It needs no
    labels.
    """
    from bench import catalog, runner, splits
    from bench.datasets import check

    declared = catalog.load()
    [clips] = runner.datasets_of(Request(datasets=(dataset,), home=paths.home(), **fields), declared)
    summary = check.check(clips, declared.tasks.values(), splits.make, near)
    click.echo(json.dumps(dataclasses.asdict(summary), indent=2) if as_json else check.text(summary))
    if summary.leaks:
        copies = f"{len(summary.leaks)} groups of copies are on both sides of the column fold, such as "
        fix = "put the clips of a group into one fold"
        click.echo(f"warning: {copies}{' ~ '.join(summary.leaks[0])}; {fix}", err=True)
    if len(summary.undecodable) == summary.n_clips:
        click.echo(f"none of the {summary.n_clips} clips can be decoded", err=True)
        sys.exit(1)


@command.command("split")
@click.argument("dataset")
@options.of_data
@click.option("--task", required=True, help="What is predicted: it says which groups are kept apart.")
@click.option("--split", default="", help="As of bench run.  [default: fixed, else cv:5]")
@click.option(
    "--by",
    metavar="COLUMN",
    default="clip",
    show_default=True,
    help="List the folds of this column's labels.",
)
@click.option("--out", type=Path, required=True, help="The CSV file to write.")
def data_split(  # a parameter per option
    dataset: str, task: str, split: str, by: str, out: Path, **fields: Any
) -> None:
    """Write a split of DATASET as a table that --split FILE.csv takes, or datasets/NAME/TASK.csv as fixed."""
    from bench import catalog, runner

    declared = catalog.load()
    problem = catalog.task(task, declared)
    request = Request(datasets=(dataset,), home=paths.home(), split=split, **fields)
    [source] = runner.datasets_of(request, declared, problem.target)
    table = runner.split_table(source, problem, request, by)
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False)
    click.echo(f"wrote {out}: {len(table)} of {by} in {table['fold'].nunique()} folds")
