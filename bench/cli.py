"""The command line: parse, one call, print, exit code.

Each command imports what it calls, so that `bench --help` loads no numerical library.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import bench
from bench.devices import PRECISIONS, RUNTIMES
from bench.errors import BenchError, UsageError

if TYPE_CHECKING:
    from bench.cache import Cache

KINDS = ("datasets", "tasks", "extractors", "heads", "reducers", "metrics")


class _Failure(click.ClickException):
    """One line on stderr, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class


class _Group(click.Group):
    """Commands whose errors end in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BenchError as error:
            raise _Failure(str(error), 2) from error
        except BrokenPipeError:
            raise  # click ends quietly where the reader has gone
        except OSError as error:
            raise _Failure(f"{error.filename or 'bench'}: {error.strerror}", 2) from error
        except KeyboardInterrupt as error:
            raise _Failure(
                "stopped; what is finished is kept, and the same command goes on from there", 1
            ) from error


def _names(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the items of a comma-separated list; none of an empty one."""
    names = tuple(name.strip() for name in value.split(",")) if value else ()
    if not all(names):
        raise click.BadParameter(f"'{value}' has an empty item", ctx, param)
    return names


def _seeds(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """Return the numbers of a comma-separated list."""
    names = _names(ctx, param, value)
    if not names or not all(name.isdecimal() for name in names):
        raise click.BadParameter(f"'{value}' is no list of whole numbers from 0 up", ctx, param)
    return tuple(int(name) for name in names)


def _shares(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Return the numbers in (0, 1] of a comma-separated list."""
    try:
        shares = tuple(float(name) for name in _names(ctx, param, value))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share <= 1 for share in shares):
        raise click.BadParameter(f"'{value}' is no list of shares above 0 and up to 1", ctx, param)
    return tuple(dict.fromkeys(shares))


def _share(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Return a percentage, with or without its sign, as a share in [0, 1]."""
    try:
        percent = float(value.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise click.BadParameter(f"'{value}' is no percentage from 0 to 100", ctx, param)
    return percent / 100


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
    from bench.registry import toml

    defaults: dict[str, Any] = {}
    for axis, table in toml(value).items():
        if axis not in SUITE or not isinstance(table, dict):
            raise UsageError(f"{value}: [{axis}] is unknown; expected the tables {', '.join(SUITE)}")
        for key, asked in table.items():
            if key not in SUITE[axis]:
                raise UsageError(f"{value}: [{axis}] has '{key}'; expected {', '.join(SUITE[axis])}")
            defaults[SUITE[axis][key]] = ",".join(map(str, asked)) if isinstance(asked, list) else asked
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


DEVICE = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu or cuda: where networks run."
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="What networks compute in; auto is bf16 where the device has it.",
)
RUNTIME = click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    default="auto",
    show_default=True,
    help="What runs them; auto is OpenVINO on a CPU where it is installed.",
)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(bench.__version__, prog_name="bench")
def main() -> None:
    """Compare audio embeddings and classifiers, on splits that cannot leak."""


@main.command()
@click.option(
    "--suite",
    metavar="FILE.toml",
    type=Path,
    callback=_suite,
    is_eager=True,
    expose_value=False,
    help="A file with a table per axis; the other options go before it.",
)
@click.option(
    "--tasks", metavar="A,B", default="", callback=_names, help="What to predict.  [default: what fits]"
)
@click.option(
    "--task-target",
    "--label-column",
    metavar="COLUMN",
    default="",
    help="Predict a label column of your own.",
)
@click.option(
    "--task-group",
    "--group-column",
    "task_groups",
    metavar="A,B",
    default="",
    callback=_names,
    help="What --task-target keeps apart, from strict to lenient.  [default: recording]",
)
@click.option(
    "--datasets",
    metavar="A,B",
    default="demo",
    callback=_names,
    show_default=True,
    help="Names, folders, CSV, Parquet or JSON Lines files.",
)
@click.option(
    "--extractors",
    metavar="A,B",
    default="",
    callback=_names,
    help="NAME, hf:ID_OR_FOLDER, fairseq:FILE, hear:MODULE; with @layer=N|last|mean|all@pool=P."
    "  [default: all that are here]",
)
@click.option(
    "--preprocess",
    metavar="A,B",
    default="",
    callback=_names,
    help="trim=DB, peak=DB, rms=DB, preemphasis=C, resample=QUALITY, for every clip.",
)
@click.option(
    "--augment",
    metavar="A,B",
    default="",
    callback=_names,
    help="stretch=LOW:HIGH, pitch=LOW:HIGH, noise=LOW:HIGH, for copies of the training clips.",
)
@click.option(
    "--copies", type=click.IntRange(1, 100), default=1, show_default=True, help="Of each, with --augment."
)
@DEVICE
@PRECISION
@RUNTIME
@click.option(
    "--heads",
    metavar="A,B",
    default="",
    callback=_names,
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
    callback=_shares,
    show_default=True,
    help="Shares of the training groups to learn from, such as 0.1,0.3,1.",
)
@click.option(
    "--seeds",
    metavar="0,1",
    default="0",
    callback=_seeds,
    show_default=True,
    help="Seeds of the heads, not of splits.",
)
@click.option("--out", type=Path, default="bench-out", show_default=True, help="Folder of the results.")
@click.option(
    "--jobs", metavar="N", type=click.IntRange(1), default=1, show_default=True, help="Processes that work."
)
@click.option(
    "--executor",
    metavar="NAME",
    default="local",
    show_default=True,
    help="local, dask (a cluster of --jobs workers here) or dask://HOST:PORT.",
)
@click.option(
    "--cell-timeout",
    metavar="S",
    type=click.FloatRange(0, min_open=True),
    help="Seconds that a cell may take, or a batch of clips beside its shard's 30 s.",
)
@click.option(
    "--allow-bad",
    metavar="N%",
    default="5%",
    callback=_share,
    show_default=True,
    help="Undecodable clips to bear.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a cell is skipped.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--plain", is_flag=True, help="Write lines instead of bars.")
@click.option("--log-json", is_flag=True, help="Write a JSON object per line instead.")
@click.option(
    "--track",
    metavar="A,B",
    default="",
    callback=_names,
    help="Send results to mlflow, tensorboard or wandb too; with :URI, :FOLDER, :PROJECT.",
)
def run(
    out: Path, strict: bool, dry_run: bool, plain: bool, log_json: bool, track: tuple[str, ...], **asked: Any
) -> None:
    """Compute the matrix datasets x tasks x extractors x heads, and its leaderboard.

    What an earlier run with the same --out has computed is not computed again.
    """
    from bench import progress, registry, report, runner, trackers
    from bench.store import Store

    store = Store(out)
    request = runner.Request(home=_home(), command=_command(), **asked)
    sent = trackers.opened(track)
    plan = runner.plan(request, registry.load())
    if dry_run:
        _print_outlook(runner.outlook(plan, request, store, _cache()))
        return
    with store.writing():
        watching = progress.observer(plain=plain, log_json=log_json, trackers=sent)
        with watching as observer, progress.stoppable(observer):
            counters = runner.run(plan, request, store, _cache(), observer)
        _print_report(report.updated(store))
    words = {"computed": counters.cells_computed, "reused": counters.cells_reused}
    words |= {"failed": counters.cells_failed, "skipped": counters.cells_skipped}
    told = ", ".join(f"{number} {word}" for word, number in words.items())
    click.echo(f"cells: {told}; {counters.seconds:.1f} s", err=True)
    sys.exit(1 if counters.cells_failed or (strict and counters.cells_skipped) else 0)


@main.command("list")
@click.argument("kind", type=click.Choice(KINDS), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array instead of a table.")
def list_(kind: str | None, as_json: bool) -> None:
    """Show what can be run here, and what is missing for the rest."""
    from tabulate import tabulate

    entries = list(_entries(kind))
    if as_json:
        click.echo(json.dumps(entries, indent=2))
    else:
        click.echo(tabulate(entries, headers="keys", tablefmt="simple", maxcolwidths=[None, None, 70, None]))


@main.command()
@click.argument("outs", metavar="OUT...", nargs=-1, required=True, type=Path)
@click.option(
    "--by", metavar="A,B", default="", callback=_names, help="Slice by the values of label columns."
)
@click.option("--metrics", metavar="A,B", default="", callback=_names, help="Score by these besides.")
@click.option(
    "--format",
    "formats",
    metavar="A,B",
    default="md",
    show_default=True,
    callback=_names,
    help="md, html, csv, json, latex, model-index, junit.",
)
@click.option(
    "--publish",
    metavar="FOLDER",
    type=Path,
    help="Write it there as README.md, with a baseline for bench compare if there is none.",
)
def report(
    outs: tuple[Path, ...],
    by: tuple[str, ...],
    metrics: tuple[str, ...],
    formats: tuple[str, ...],
    publish: Path | None,
) -> None:
    """Write the leaderboard of the runs in OUT again, and print it.

    Several runs stand in one table where they were tested on the same clips with the same split, else apart.
    """
    from bench import report as reports
    from bench.store import Store

    stores = [Store(out) for out in dict.fromkeys(outs)]
    cache = _cache() if "html" in formats else None
    asked: dict[str, Any] = {"by": by, "metrics": metrics, "formats": formats, "cache": cache}
    if publish:
        _print_report(reports.publish(*stores, folder=publish, **asked))
    else:
        _print_report(reports.write(*stores, **asked))


@main.command()
@click.argument("baseline", type=Path)
@click.argument("out", type=Path)
@click.option(
    "--fail-on",
    metavar="A:0.02,B:1.5x",
    default="",
    callback=_names,
    help="How much worse metrics and costs may get.  [default: 0.02 of what each task ranks by]",
)
@click.option("--markdown", "markdown_file", metavar="FILE", type=Path, help="Write the verdict there too.")
@click.option("--junit", metavar="FILE", type=Path, help="Write it as JUnit XML.")
@click.option("--update", is_flag=True, help="Make OUT the new baseline, and exit with 0.")
def compare(
    baseline: Path,
    out: Path,
    fail_on: tuple[str, ...],
    markdown_file: Path | None,
    junit: Path | None,
    update: bool,
) -> None:
    """Say what became of every cell of BASELINE in OUT; exit with 1 if one is worse, gone or not comparable.

    BASELINE is a .jsonl file as --update and `bench report --publish` write it, or another run's folder.
    """
    from bench import baseline as baselines
    from bench import compare as comparing
    from bench.compare import telling

    limits = [comparing.Limit.parse(text) for text in fail_on]
    now = baselines.side(out)
    if update and not baseline.exists():
        baselines.write(now, baseline)
        click.echo(f"wrote {baseline}")
        return
    judged = comparing.compare(baselines.side(baseline), now, limits)
    text = telling.text(judged)
    click.echo(text)
    if markdown_file:
        markdown_file.write_text(text, encoding="utf-8")
    if junit:
        junit.write_text(telling.as_junit(judged), encoding="utf-8")
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in telling.annotations(judged):
            click.echo(line)
        if shown := os.environ.get("GITHUB_STEP_SUMMARY"):
            with Path(shown).open("a", encoding="utf-8") as file:
                file.write(text)
    if update:
        baselines.write(now, baseline)
        click.echo(f"wrote {baseline}")
        return
    sys.exit(1 if telling.fails(judged) else 0)


@main.command()
@click.argument("out", type=Path)
def audit(out: Path) -> None:
    """Compute the scores in OUT again, and verify its splits, data, extractors and heads."""
    from bench import runner
    from bench.store import Store

    _exit_with(out, runner.audit(Store(out), _home()), "verified")


@main.command()
@click.argument("run_json", type=Path)
@click.option("--out", type=Path, help="Folder of the new results.  [default: the old one's name, -rerun]")
def rerun(run_json: Path, out: Path | None) -> None:
    """Compute the run that RUN_JSON describes again, and say what moved."""
    import contextlib

    from bench import progress, registry, runner
    from bench.store import Store

    then = Store(run_json.resolve().parent if run_json.is_file() else run_json.resolve())
    now = Store((out or then.out.with_name(f"{then.out.name}-rerun")).resolve())
    if now.out == then.out:
        raise UsageError(f"--out {now.out}: holds the run itself; expected another folder")
    described = then.run()
    request = runner.request_of(described, _home())
    with contextlib.chdir(described["folder"]), now.writing(), progress.observer() as observer:
        plan = runner.plan(request, registry.load())
        runner.run(plan, request, now, _cache(), observer)
    _exit_with(now.out, runner.differences(then, now), "the same, bit for bit")


@main.command()
@click.argument("names", nargs=-1, required=True)
def fetch(names: tuple[str, ...]) -> None:
    """Download data sets and weights, with progress and checksums; a download that broke off goes on."""
    from bench import datasets, progress, registry, weights

    declared = registry.load()
    checkpoints = {spec.name: spec.weights for spec in declared.extractors.values() if spec.weights}
    checkpoints |= {
        name: spec.weights for name in names if (spec := registry.undeclared(name)) and spec.weights
    }
    for name in names:  # all of them, before hours go into the first
        registry.find("data set or weights", name, {**declared.cards, **checkpoints})
    for name in names:
        if name in checkpoints:
            click.echo(f"{name}: {weights.fetch(checkpoints[name])}")
            continue
        card = declared.cards[name]
        with progress.observer() as observer:
            folder = datasets.fetch.fetch(card, _home(), observer.downloaded)
        click.echo(f"{card.name}: {folder} ({card.licence})")
        if not all("hash" in file for file in card.files):
            click.echo(f"{card.name}: the card knows no checksum of it, so none was compared", err=True)


@main.command()
@click.argument("dataset")
@click.option("--extractors", metavar="A,B", required=True, callback=_names, help="As of bench run.")
@click.option("--preprocess", metavar="A,B", default="", callback=_names, help="As of bench run.")
@DEVICE
@PRECISION
@RUNTIME
@click.option("--out", type=Path, required=True, help="A .parquet or .npz file.")
def embed(dataset: str, out: Path, **asked: Any) -> None:
    """Write the embeddings of DATASET themselves, a row per clip, extractor and view, for use elsewhere."""
    from bench import progress, registry, runner

    request = runner.Request(datasets=(dataset,), home=_home(), **asked)
    with progress.observer() as observer:
        n_rows = runner.export(request, registry.load(), _cache(), observer, out)
    click.echo(f"wrote {out}: {n_rows} rows")


@main.group("cache")
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
        for kept in _cache().contents()
    ]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    click.echo(f"in {_cache().root}")


@cache_.command("prune")
@click.option("--extractors", metavar="A,B", default="", callback=_names, help="Of these.  [default: of all]")
@click.option("--older-than", "days", metavar="DAYS", type=float, default=0.0, help="Unchanged for so long.")
def cache_prune(extractors: tuple[str, ...], days: float) -> None:
    """Throw away embeddings that are kept; they are made again when they are needed."""
    import time

    cache = _cache()
    for kept in cache.contents():
        old = kept.modified <= time.time() - days * 86_400
        if old and (not extractors or kept.extractor in extractors):
            cache.remove(kept.digest)
            size = f"{kept.n_clips} clips, {kept.n_bytes / 1e6:.1f} MB"
            click.echo(f"removed {kept.extractor or kept.digest}: {size}")


@main.group()
def data() -> None:
    """Look at data sets."""


@data.command("check")
@click.argument("dataset")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead of tables.")
def data_check(dataset: str, as_json: bool) -> None:
    """Decode every clip of DATASET; show its audio, labels and groups, and which tasks it allows."""
    from bench import datacheck, registry, runner

    declared = registry.load()
    found = datacheck.check(runner.open_dataset(dataset, declared, _home()), declared.tasks.values())
    click.echo(json.dumps(dataclasses.asdict(found), indent=2) if as_json else datacheck.text(found))


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
    from bench import registry, runner

    declared = registry.load()
    found = registry.find("task", task, declared.tasks)
    table = runner.split_table(
        runner.open_dataset(dataset, declared, _home(), found.target), found, split, by
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(out, index=False)
    click.echo(f"wrote {out}: {len(table)} of {by} in {table['fold'].nunique()} folds")


def _entries(kind: str | None) -> Iterator[Mapping[str, str]]:
    """Yield what is declared; the metrics, which take scikit-learn to load, only if they are asked for."""
    from bench import registry, weights

    declared = registry.load()
    known: Mapping[str, Mapping[str, Any]] = {
        "datasets": declared.cards,
        "tasks": declared.tasks,
        "extractors": declared.extractors,
        "heads": declared.heads,
        "reducers": declared.reducers,
    }
    if kind == "metrics":
        from bench.metrics import METRICS

        known = {"metrics": METRICS}
    for name, values in known.items():
        for value in values.values() if kind in {None, name} else ():
            missing = registry.missing(value) if name in {"extractors", "heads", "reducers"} else ""
            if name == "extractors" and value.weights and not missing:
                missing = f"bench fetch {value.name}" if weights.missing(value.weights) else ""
            if name == "datasets" and (value.files or value.obtain) and not value.folder(_home()).is_dir():
                missing = f"bench fetch {value.name}"
            about = _scored(value) if name == "metrics" else value.about
            yield {"kind": name, "name": value.name, "about": about, "status": missing or "ready"}


def _scored(metric: Any) -> str:
    """Return what a metric is, its range and direction, what it needs, and when it means nothing."""
    better = "higher" if metric.higher_is_better else "lower"
    facts = [f"in [{metric.low:g}, {metric.high:g}]", f"{better} is better", f"from {metric.needs}"]
    return "; ".join(filter(None, [metric.about, *facts, metric.degenerate]))


def _exit_with(out: Path, found: Sequence[str], fine: str) -> NoReturn:
    """Print what differs, or that nothing does."""
    for line in found:
        click.echo(line)
    click.echo(f"{out}: {f'{len(found)} differences' if found else fine}")
    sys.exit(1 if found else 0)


def _print_outlook(found: Any) -> None:
    from tabulate import tabulate

    from bench import progress

    click.echo(tabulate(found.embeddings, headers="keys", disable_numparse=True))
    click.echo()
    reasons = {f"{each.status}: {each.reason}" for each in found.rejected}
    for reason in sorted(reasons):
        click.echo(reason)
    click.echo(progress.summary(found.told())[0])


def _print_report(written: Any) -> None:
    click.echo(written.text)
    click.echo()
    for path in written.paths:
        click.echo(f"wrote {path}")


def _home() -> Path:
    """Return the folder for corpora that are made here, and for the cache unless that is a URL."""
    import platformdirs

    asked = os.environ.get("BENCH_CACHE", "")
    folder = asked if asked and "://" not in asked else platformdirs.user_cache_dir("audio-embedding-bench")
    return Path(folder).absolute()


def _cache() -> "Cache":
    """Return the cache, in the folder or at the URL that BENCH_CACHE says."""
    from bench.cache import Cache

    asked = os.environ.get("BENCH_CACHE", "")
    return Cache(asked if "://" in asked else str(_home()))


def _command() -> str:
    import shlex

    return shlex.join(["bench", *sys.argv[1:]])
