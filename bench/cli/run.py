"""`bench run`: compute the matrix."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import paths
from bench.cli import options
from bench.errors import UsageError
from bench.request import Output, Request
from bench.request import options as declared

if TYPE_CHECKING:
    from bench.runner.events import Planned
    from bench.types import Result


@click.command("run")
@click.option(
    "--suite",
    metavar="FILE.toml",
    type=Path,
    callback=options.suite,
    is_eager=True,
    expose_value=False,
    help="Read the options from a file with a table per axis; options on the command line win.",
)
@options.declared([*declared(Request).values(), *declared(Output).values()])
@click.option("--dry-run", is_flag=True, help="Show the plan and an estimate of its time; compute nothing.")
@options.plain
@click.option("--log-json", is_flag=True, help="Write one JSON object per line instead of bars.")
def command(  # a parameter per option
    out: Path, strict: bool, track: tuple[str, ...], dry_run: bool, plain: bool, log_json: bool, **fields: Any
) -> None:
    """Compute the matrix datasets x tasks x extractors x heads, and its leaderboard.

    Results that an earlier run with the same --out computed are used again.
    """
    from bench import catalog, display, runner
    from bench.compute import cache, compute
    from bench.runner import options as run_options
    from bench.store import Store

    if plain and log_json:
        raise UsageError("--plain and --log-json: are two forms of the same lines; give one of them")
    store, registry = Store(out), catalog.load()
    request = Request(home=paths.home(), command=options.command_line(), **fields)
    run_options.check(request)
    for line in run_options.warnings(request, registry):
        click.echo(f"warning: {line}", err=True)
    if dry_run:
        plan = runner.plan(request, registry)
        _print_plan(runner.estimate(plan, request, store, cache()).planned, plan.rejected)
        return
    outcome = compute(request, registry, store, track=track, plain=plain, log_json=log_json)
    options.print_report(outcome.report)
    counters = outcome.counters
    counts = {"computed": counters.cells_computed, "reused": counters.cells_reused}
    counts |= {"failed": counters.cells_failed, "skipped": counters.cells_skipped}
    summary = ", ".join(f"{number} {name}" for name, number in counts.items())
    click.echo(f"cells: {summary}; {counters.seconds:.1f} s", err=True)
    weaker = [table for table in store.run().tables if table.fallbacks]
    for table in weaker:
        name = display.table(table.dataset, table.task.name)
        line = display.fallback(name, table.split.group, table.fallbacks)
        click.echo(f"warning: {line}", err=True)
    has_scores = counters.cells_computed + counters.cells_reused > 0
    if not has_scores:
        reasons = dict.fromkeys(filter(None, map(display.cause, store.planned())))
        click.echo(f"nothing was computed: {'; '.join(reasons)}", err=True)
    is_lax = strict and (counters.cells_skipped or weaker)
    sys.exit(1 if counters.cells_failed or not has_scores or is_lax else 0)


def _print_plan(planned: "Planned", rejected: "Sequence[Result]") -> None:
    from tabulate import tabulate

    from bench import display
    from bench.runner import progress

    rows = [{**asdict(row), "hours": f"{row.hours:.2f}"} for row in planned.embeddings]
    for name in ("same_audio", "unreadable"):
        if not any(row[name] for row in rows):
            rows = [{key: value for key, value in row.items() if key != name} for row in rows]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    click.echo()
    for reason in sorted({f"{result.status}: {display.cause(result)}" for result in rejected}):
        click.echo(reason)
    click.echo(progress.summary(planned)[0])
