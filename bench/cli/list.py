"""`bench list`: show what can run here."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from bench import paths

if TYPE_CHECKING:
    from bench.types import Checkpoint

KINDS = ("datasets", "tasks", "extractors", "heads", "reducers", "metrics", "reports")


@click.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
def command(kind: str | None, as_json: bool) -> None:
    """Show what can be run here, and what is missing for the rest."""
    from tabulate import tabulate

    entries = list(_entries(kind))
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    else:
        headers = ["kind", "name", "about", "status"]
        rows = [[*(entry[name] for name in headers[:-1]), _status(entry)] for entry in entries]
        click.echo(tabulate(rows, headers, tablefmt="simple", maxcolwidths=[None, None, 70, None]))


def _entries(kind: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield what is declared; the metrics, which take scikit-learn to load, only if they are asked for."""
    from bench import catalog

    declared = catalog.load()
    theirs = declared.plugins
    by_kind: dict[str, Mapping[str, Any]] = {
        "datasets": declared.cards,
        "tasks": {**declared.tasks, **theirs.get("tasks", {})},
        "extractors": declared.extractors,
        "heads": declared.heads,
        "reducers": declared.reducers,
        "reports": theirs.get("reports", {}),
    }
    if kind == "metrics":
        from bench.metrics import BUILT_IN

        by_kind["metrics"] = {**BUILT_IN, **theirs.get("metrics", {})}
    for name in [kind] if kind else by_kind:
        for value in by_kind[name].values():
            about = _scored(value) if hasattr(value, "higher_is_better") else value.about
            entry = {
                "kind": name,
                "name": value.name,
                "about": about,
                "status": _missing(name, value) or "ready",
            }
            yield {**entry, "facts": _facts(value, declared.checkpoints)}


def _status(entry: Mapping[str, Any]) -> str:
    """Return the status of an entry with the folder that stands for its weights."""
    folder = entry["facts"].get("folder")
    return f"{entry['status']}, from {folder}" if folder else entry["status"]


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
    """Return the source of a declaration and, of data and weights, their terms and the folder in use."""
    from bench.catalog import standins

    facts = {name: getattr(value, name, "") for name in ("source", "weights", "licence", "citation")}
    checkpoint = checkpoints.get(facts["weights"])
    if checkpoint:
        facts |= {**dataclasses.asdict(checkpoint), "source": facts["source"]}
        stand_in = standins.path(facts.pop("name"))
        facts["folder"] = str(stand_in.resolve()) if stand_in.exists() else ""
    return {name: fact for name, fact in facts.items() if fact}


def _scored(metric: Any) -> str:
    """Return what a metric is, its range and direction, what it needs, and when it means nothing."""
    better = "higher" if metric.higher_is_better else "lower"
    facts = [f"in [{metric.low:g}, {metric.high:g}]", f"{better} is better", f"from {metric.needs}"]
    return "; ".join(filter(None, [metric.about, *facts, metric.degenerate]))
