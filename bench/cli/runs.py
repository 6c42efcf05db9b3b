"""Commands that compute: run, rerun, audit."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from bench import paths
from bench.cli import shared
from bench.errors import UsageError

SUITE = {
    "datasets": {"names": "datasets", "allow-bad": "allow_bad"},
    "tasks": {
        "names": "tasks",
        "target": "task_target",
        "groups": "task_groups",
        "split": "split",
        "permute-labels": "permute_labels",
        "train-sizes": "train_sizes",
    },
    "extractors": {
        "names": "extractors",
        **{name: name for name in ("preprocess", "augment", "copies", "device", "precision", "runtime")},
    },
    "heads": {"names": "heads", "tune": "tune", "seeds": "seeds", "save-models": "save_models"},
    "run": {
        **{name: name for name in ("out", "jobs", "executor", "strict", "track")},
        "cell-timeout": "cell_timeout",
    },
}
"""The tables of a suite, a table per axis, with the option that each key of them is the default of."""


def _suite(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Make what a suite says the defaults of the other options."""
    if value is None:
        return
    from bench.catalog import toml

    defaults: dict[str, Any] = {}
    for axis, table in toml(value).items():
        if axis not in SUITE or not isinstance(table, dict):
            raise UsageError(f"{value}: [{axis}] is unknown; expected the tables {', '.join(SUITE)}")
        for key, asked in table.items():
            if key not in SUITE[axis]:
                raise UsageError(f"{value}: [{axis}] has '{key}'; expected {', '.join(SUITE[axis])}")
            defaults[SUITE[axis][key]] = ",".join(map(str, asked)) if isinstance(asked, list) else asked
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


JOBS = click.option(
    "--jobs", metavar="N", type=click.IntRange(1), default=1, show_default=True, help="Processes that work."
)
EXECUTOR = click.option(
    "--executor",
    metavar="NAME",
    default="local",
    show_default=True,
    help="local, dask (a cluster of --jobs workers here) or dask://HOST:PORT.",
)
CELL_TIMEOUT = click.option(
    "--cell-timeout",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="Seconds that a cell may take, or a batch of clips beside its shard's 30 s.",
)


@click.command()
@click.option(
    "--suite",
    metavar="FILE.toml",
    type=Path,
    callback=_suite,
    is_eager=True,
    expose_value=False,
    help="A file with a table per axis; the other options go before it.",
)
@shared.listed("--tasks", help="What to predict.  [default: what fits]")
@click.option(
    "--task-target",
    "--label-column",
    metavar="COLUMN",
    default="",
    help="Predict a label column of your own.",
)
@shared.listed(
    "--task-group",
    "--group-column",
    "task_groups",
    help="What --task-target keeps apart, from strict to lenient.  [default: recording]",
)
@shared.listed(
    "--datasets",
    default="demo",
    show_default=True,
    help="Names, folders, CSV, Parquet or JSON Lines files.",
)
@shared.listed(
    "--extractors",
    cls=shared.ViewOption,
    help="NAME, hf:ID_OR_FOLDER, fairseq:FILE, hear:MODULE; with @layer=N|last|mean|all@pool={poolings}."
    "  [default: all that are here]",
)
@shared.listed(
    "--preprocess",
    help="trim=DB, peak=DB, rms=DB, preemphasis=C, resample=QUALITY, for every clip.",
)
@shared.listed(
    "--augment",
    help="stretch=LOW:HIGH, pitch=LOW:HIGH, noise=LOW:HIGH, for copies of the training clips.",
)
@click.option(
    "--copies", type=click.IntRange(1, 100), default=1, show_default=True, help="Of each, with --augment."
)
@shared.DEVICE
@shared.PRECISION
@shared.RUNTIME
@shared.listed(
    "--heads",
    help="Classifiers, also REDUCER+HEAD; dummy is always among them.  [default: those offered]",
)
@click.option("--tune", is_flag=True, help="Heads with a grid run with parameters chosen in inner folds too.")
@click.option("--save-models", is_flag=True, help="Keep the fitted models in OUT/models.")
@click.option(
    "--split",
    default="",
    help="fixed, cv:K, loso, holdout:F, FILE.csv, or random, which leaks.  [default: fixed, else cv:5]",
)
@click.option(
    "--permute-labels",
    is_flag=True,
    help="Groups exchange their labels: what scores above chance has leaked.",
)
@click.option(
    "--train-sizes",
    metavar="F,F",
    default="1",
    callback=shared.shares,
    show_default=True,
    help="Shares of the training groups to learn from, such as 0.1,0.3,1.",
)
@click.option(
    "--seeds",
    metavar="0,1",
    default="0",
    callback=shared.seeds,
    show_default=True,
    help="Seeds of the heads, not of splits.",
)
@click.option("--out", type=Path, default="bench-out", show_default=True, help="Folder of the results.")
@JOBS
@EXECUTOR
@CELL_TIMEOUT
@click.option(
    "--allow-bad",
    metavar="N%",
    default="5%",
    callback=shared.share,
    show_default=True,
    help="Undecodable clips to bear.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a cell is skipped.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--plain", is_flag=True, help="Write lines instead of bars.")
@click.option("--log-json", is_flag=True, help="Write a JSON object per line instead.")
@shared.listed(
    "--track",
    help="Send results to mlflow, tensorboard or wandb too; with :URI, :FOLDER, :PROJECT.",
)
def run(
    out: Path, strict: bool, dry_run: bool, plain: bool, log_json: bool, track: tuple[str, ...], **asked: Any
) -> None:
    """Compute the matrix datasets x tasks x extractors x heads, and its leaderboard.

    What an earlier run with the same --out has computed is not computed again.
    """
    from bench import catalog, report, runner
    from bench.runner import progress, trackers
    from bench.store import Store

    store = Store(out)
    request = runner.Request(home=paths.home(), command=shared.command(), **asked)
    sent = trackers.opened(track)
    plan = runner.plan(request, catalog.load())
    if dry_run:
        _print_outlook(runner.outlook(plan, request, store, shared.cache()))
        return
    with store.writing():
        watching = progress.observer(plain=plain, log_json=log_json, trackers=sent)
        with watching as observer, progress.stoppable(observer):
            counters = runner.run(plan, request, store, shared.cache(), observer)
        shared.print_report(report.updated(store))
    words = {"computed": counters.cells_computed, "reused": counters.cells_reused}
    words |= {"failed": counters.cells_failed, "skipped": counters.cells_skipped}
    told = ", ".join(f"{number} {word}" for word, number in words.items())
    click.echo(f"cells: {told}; {counters.seconds:.1f} s", err=True)
    sys.exit(1 if counters.cells_failed or (strict and counters.cells_skipped) else 0)


@click.command()
@click.argument("out", type=Path)
def audit(out: Path) -> None:
    """Compute the scores in OUT again, and verify its splits, data, extractors and heads."""
    from bench import runner
    from bench.store import Store

    _exit_with(out, runner.audit(Store(out), paths.home()), "verified")


@click.command()
@click.argument("run_json", type=Path)
@click.option("--out", type=Path, help="Folder of the new results.  [default: the old one's name, -rerun]")
@JOBS
@EXECUTOR
@CELL_TIMEOUT
def rerun(run_json: Path, out: Path | None, **how: Any) -> None:
    """Compute the run that RUN_JSON describes again, and say what moved."""
    import contextlib

    from bench import catalog, runner
    from bench.runner import progress
    from bench.store import Store

    then = Store(run_json.resolve().parent if run_json.is_file() else run_json.resolve())
    now = Store((out or then.out.with_name(f"{then.out.name}-rerun")).resolve())
    if now.out == then.out:
        raise UsageError(f"--out {now.out}: holds the run itself; expected another folder")
    described = then.run()
    request = dataclasses.replace(runner.request_of(described, paths.home()), **how)
    with contextlib.chdir(described["folder"]), now.writing(), progress.observer() as observer:
        plan = runner.plan(request, catalog.load())
        runner.run(plan, request, now, shared.cache(), observer)
    _exit_with(now.out, runner.differences(then, now), "the same, bit for bit")


def _exit_with(out: Path, found: Sequence[str], fine: str) -> NoReturn:
    """Print what differs, or that nothing does."""
    for line in found:
        click.echo(line)
    click.echo(f"{out}: {f'{len(found)} differences' if found else fine}")
    sys.exit(1 if found else 0)


def _print_outlook(found: Any) -> None:
    from tabulate import tabulate

    from bench.runner import progress

    click.echo(tabulate(found.embeddings, headers="keys", disable_numparse=True))
    click.echo()
    reasons = {f"{each.status}: {each.reason}" for each in found.rejected}
    for reason in sorted(reasons):
        click.echo(reason)
    click.echo(progress.summary(found.told())[0])


COMMANDS = (run, audit, rerun)
