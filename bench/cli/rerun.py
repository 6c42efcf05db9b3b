"""`bench rerun`: compute a run again and compare."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from bench import paths
from bench.cli import options
from bench.cli.audit import exit_with
from bench.errors import UsageError
from bench.request import Request
from bench.request import options as declared


@click.command("rerun")
@click.argument("run_json", type=Path)
@click.option("--out", type=Path, help="Folder of the new results.  [default: NAME-rerun]")
@options.declared(declared(Request)[name] for name in ("jobs", "executor", "cell_timeout"))
@options.plain
def command(run_json: Path, out: Path | None, plain: bool, **execution: Any) -> None:
    """Compute the run of RUN_JSON again, and show the differences."""
    from bench import catalog, runner
    from bench.compute import compute
    from bench.store import Store

    before = Store(run_json.resolve().parent if run_json.is_file() else run_json.resolve())
    after = Store((out or before.out.with_name(f"{before.out.name}-rerun")).resolve())
    if after.out == before.out:
        raise UsageError(f"--out {after.out}: holds the run itself; expected another folder")
    record = before.run()
    request = replace(record.request, home=paths.home(), command=record.command, **execution)
    with contextlib.chdir(record.folder):
        compute(request, catalog.load(), after, plain=plain)
    exit_with(after.out, runner.differences(before, after), "the same, bit for bit")
