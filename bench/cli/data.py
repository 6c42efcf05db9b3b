"""Commands over what can be run: list, fetch, embed, cache, data."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import paths
from bench.cli import shared

if TYPE_CHECKING:
    from bench.types import Checkpoint

KINDS = ("datasets", "tasks", "extractors", "heads", "reducers", "metrics", "reports")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
def list_(kind: str | None, as_json: bool) -> None:
    """Show what can be run here, and what is missing for the rest."""
    from tabulate import tabulate

    entries = list(_entries(kind))
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    else:
        headers = ["kind", "name", "about", "status"]
        rows = [[entry[name] for name in headers] for entry in entries]
        click.echo(tabulate(rows, headers, tablefmt="simple", maxcolwidths=[None, None, 70, None]))


@click.command()
@click.argument("names", nargs=-1, required=True)
def fetch(names: tuple[str, ...]) -> None:
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
        with progress.observer() as observer:
            folder = datasets.fetch.fetch(card, paths.home(), observer.downloaded)
        click.echo(f"{card.name}: {folder} ({card.licence})")
        if not all("hash" in file for file in card.files):
            click.echo(f"{card.name}: the card knows no checksum of it, so none was compared", err=True)


@click.command()
@click.argument("dataset")
@shared.listed("--extractors", required=True, help="As of bench run.")
@shared.listed("--preprocess", help="As of bench run.")
@shared.DEVICE
@shared.PRECISION
@shared.RUNTIME
@click.option("--out", type=Path, required=True, help="A .parquet or .npz file.")
def embed(dataset: str, out: Path, **asked: Any) -> None:
    """Write the embeddings of DATASET themselves, a row per clip, extractor and view, for use elsewhere."""
    from bench import catalog, runner
    from bench.runner import progress

    request = runner.Request(datasets=(dataset,), home=paths.home(), **asked)
    with progress.observer() as observer:
        progress_of = runner.progress_factory(observer)
        n_rows = runner.export(request, catalog.load(), shared.cache(), out, progress_of)
    click.echo(f"wrote {out}: {n_rows} rows")


@click.group("cache")
def cache_() -> None:
    """Look at the embeddings that are kept, and throw them away."""


@cache_.command("info")
def cache_info() -> None:
    """Show of which extractors how much is kept, and since when."""
    from datetime import datetime

    from tabulate import tabulate

    rows = [
        {
            "extractor": kept.extractor,
            "digest": kept.digest[:8],
            "clips": kept.n_clips,
            "MB": f"{kept.n_bytes / 1e6:.1f}",
            "newest": f"{datetime.fromtimestamp(kept.modified):%Y-%m-%d %H:%M}",
        }
        for kept in shared.cache().entries()
    ]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    click.echo(f"in {shared.cache().root}")


@cache_.command("prune")
@shared.listed("--extractors", help="Of these.  [default: of all]")
@click.option("--older-than", "days", metavar="DAYS", type=float, default=0.0, help="Unchanged for so long.")
def cache_prune(extractors: tuple[str, ...], days: float) -> None:
    """Throw away embeddings that are kept; they are made again when they are needed."""
    import time

    cache = shared.cache()
    for kept in cache.entries():
        old = kept.modified <= time.time() - days * 86_400
        if old and (not extractors or kept.extractor in extractors):
            cache.remove(kept.digest)
            size = f"{kept.n_clips} clips, {kept.n_bytes / 1e6:.1f} MB"
            click.echo(f"removed {kept.extractor or kept.digest}: {size}")


@click.group()
def data() -> None:
    """Look at data sets."""


@data.command("check")
@click.argument("dataset")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def data_check(dataset: str, as_json: bool) -> None:
    """Decode every clip of DATASET; show its audio, labels and groups, and which tasks it allows."""
    from bench import catalog, runner, splits
    from bench.datasets import check

    declared = catalog.load()
    found = check.check(
        runner.open_dataset(dataset, declared, paths.home()), declared.tasks.values(), splits.make
    )
    click.echo(json.dumps(dataclasses.asdict(found), indent=2) if as_json else check.text(found))


@data.command("split")
@click.argument("dataset")
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
def data_split(dataset: str, task: str, split: str, by: str, out: Path) -> None:
    """Write a split of DATASET as a table that --split FILE.csv takes, or datasets/NAME/TASK.csv as fixed."""
    from bench import catalog, runner

    declared = catalog.load()
    found = catalog.task(task, declared)
    table = runner.split_table(
        runner.open_dataset(dataset, declared, paths.home(), found.target), found, split, by
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False)
    click.echo(f"wrote {out}: {len(table)} of {by} in {table['fold'].nunique()} folds")


def _entries(kind: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield what is declared; the metrics, which take scikit-learn to load, only if they are asked for."""
    from bench import catalog

    declared = catalog.load()
    theirs = declared.plugins
    known: dict[str, Mapping[str, Any]] = {
        "datasets": declared.cards,
        "tasks": {**declared.tasks, **theirs.get("tasks", {})},
        "extractors": declared.extractors,
        "heads": declared.heads,
        "reducers": declared.reducers,
        "reports": theirs.get("reports", {}),
    }
    if kind == "metrics":
        from bench.metrics import BUILT_IN

        known["metrics"] = {**BUILT_IN, **theirs.get("metrics", {})}
    for name in [kind] if kind else known:
        for value in known[name].values():
            about = _scored(value) if hasattr(value, "higher_is_better") else value.about
            entry = {
                "kind": name,
                "name": value.name,
                "about": about,
                "status": _missing(name, value) or "ready",
            }
            yield {**entry, "facts": _facts(value, declared.checkpoints)}


def _missing(kind: str, value: Any) -> str:
    """Return the command that brings what is not here; empty if nothing is."""
    from bench import catalog
    from bench.catalog import weights

    if kind == "datasets":
        absent = (value.files or value.obtain) and not value.folder(paths.home()).is_dir()
        return f"bench fetch {value.name}" if absent else ""
    if kind not in {"extractors", "heads", "reducers"}:
        return ""
    command = catalog.missing(value)
    if value.weights and not command and weights.missing(value.weights):
        return f"bench fetch {value.name}"
    return command


def _facts(value: Any, checkpoints: Mapping[str, "Checkpoint"]) -> Mapping[str, Any]:
    """Return what else is known: where it comes from and, of data and weights, on which terms."""
    known = {name: getattr(value, name, "") for name in ("source", "weights", "licence", "citation")}
    checkpoint = checkpoints.get(known["weights"])
    if checkpoint:
        known |= {**dataclasses.asdict(checkpoint), "source": known["source"]}
        del known["name"]
    return {name: fact for name, fact in known.items() if fact}


def _scored(metric: Any) -> str:
    """Return what a metric is, its range and direction, what it needs, and when it means nothing."""
    better = "higher" if metric.higher_is_better else "lower"
    facts = [f"in [{metric.low:g}, {metric.high:g}]", f"{better} is better", f"from {metric.needs}"]
    return "; ".join(filter(None, [metric.about, *facts, metric.degenerate]))


COMMANDS = (list_, fetch, embed, cache_, data)
