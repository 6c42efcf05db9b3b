"""`bench predict`: what a model says about recordings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from bench import paths
from bench.cli import options
from bench.cli.errors import Failure
from bench.errors import UsageError
from bench.request import Inference
from bench.request import options as declared

SHOWN = 20
"""Largest number of answers that are shown where a folder gets them."""


def _list_microphones(ctx: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    """List the microphones, and end."""
    if is_wanted:
        from bench.inference import recording

        click.echo("\n".join(recording.devices()) or "no microphone")
        ctx.exit()


@click.command("predict")
@click.argument("model", type=Path)
@click.argument("files", nargs=-1)
@options.declared(declared(Inference).values())
@click.option(
    "--record", type=click.FloatRange(0, min_open=True), metavar="S", help="Record this long, in s."
)
@click.option("--mic", default="", metavar="NAME", help="Microphone.  [default: that of the system]")
@click.option(
    "--mics",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_microphones,
    help="List the microphones.",
)
@click.option(
    "--watch", type=Path, metavar="FOLDER", help="Predict what arrives in this folder, a line of JSON each."
)
@options.plain
def command(  # the options of recording beside those of the prediction
    model: Path,
    files: tuple[str, ...],
    record: float | None,
    mic: str,
    watch: Path | None,
    plain: bool,
    **fields: Any,
) -> None:
    """Predict FILES by the MODEL that `bench export` wrote.

    FILES are audio files, folders, tables, or - for paths on the standard input. A recording that cannot be
    read is listed with its reason, and ends in exit code 1.
    """
    from bench.inference.inputs import Inputs
    from bench.inference.run import Run
    from bench.inference.work import Setup

    inference = Inference(**fields)
    sources = [name for name, value in (("FILES", files), ("--record", record), ("--watch", watch)) if value]
    if len(sources) != 1:
        raise UsageError(f"{' and '.join(sources) or 'FILES'}: expected one of FILES, --record and --watch")
    if mic and not record:
        raise UsageError("--mic: says where to record from; add --record SECONDS")
    _check(inference)
    run = Run(Setup(model=model.resolve(), options=inference))
    try:
        if watch:
            _print_lines(run.stream(_arrivals(watch), watch))
        else:
            inputs = Inputs((_recorded(record, mic, inference.out),)) if record else _inputs(files)
            _print(_shown(run.all(inputs), len(inputs.clips), plain), inference)
    except KeyboardInterrupt as error:
        rest = f"the answers so far are in {inference.out}, and --resume goes on" if inference.out else ""
        raise Failure("; ".join(filter(None, ["stopped", rest])), 1) from error
    run.finish()
    if inference.out:
        click.echo(f"wrote {inference.out}")
    if run.n_unfamiliar:
        what = f"{run.n_unfamiliar} of {run.n_recordings} recordings are unlike the training clips"
        click.echo(f"{what}: their labels mean little", err=True)
    if run.n_failed:
        raise Failure(f"{run.n_failed} of {run.n_recordings} recordings without an answer", 1)


def _check(inference: Inference) -> None:
    """Refuse an option that does nothing without another."""
    if (inference.figures or inference.explain) and not inference.out:
        option = "--figures" if inference.figures else "--explain"
        raise UsageError(f"{option}: needs a folder for the pictures; add --out FOLDER")
    if inference.resume and not inference.out:
        raise UsageError("--resume: needs the folder of the answers before; add --out FOLDER")
    if inference.language != "auto" and not inference.transcribe:
        raise UsageError("--language: is that of the transcription; add --transcribe NAME")


def _inputs(files: Sequence[str]) -> Any:
    """Return the recordings that the user named."""
    from bench import catalog
    from bench.inference import inputs

    return inputs.recordings(files, catalog.load(), paths.home())


def _arrivals(folder: Path) -> Iterator[Any]:
    """Yield the recordings that arrive in a folder."""
    from bench.inference import watching
    from bench.types import Clip

    return (Clip(id=str(path), path=path) for path in watching.files(folder))


def _recorded(seconds: float, mic: str, out: Path | None) -> Any:
    """Record with a level meter, and return the recording, which is saved beside its answer."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from bench.inference import recording
    from bench.types import Clip

    columns = TextColumn("{task.fields[level]:6.1f} dB"), BarColumn(), TextColumn("{task.completed:.1f} s")
    console = Console(stderr=True)
    if not console.is_terminal:
        click.echo(f"recording {seconds:g} s", err=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("recording", total=seconds, level=-96.0)
        samples = recording.record(
            seconds, mic or None, lambda position, level: bar.update(task, completed=position, level=level)
        )
    folder = out or Path()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"recording-{datetime.now():%Y%m%d-%H%M%S}.wav"
    recording.save(samples, path)
    length, level = len(samples) / recording.RATE, recording.level_db(samples)
    click.echo(f"wrote {path}: {length:.1f} s at {level:.1f} dB", err=True)
    return Clip(id=str(path), path=path)


def _shown(answers: Iterable[Mapping[str, Any]], total: int, plain: bool) -> Iterable[Mapping[str, Any]]:
    """Yield answers with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    is_hidden = plain or total < 2 or not console.is_terminal
    return track(answers, "predicting", total, console=console, disable=is_hidden, transient=True)


def _print_lines(answers: Iterable[Mapping[str, Any]]) -> None:
    """Print a line of JSON per answer, as soon as it is there."""
    from bench.inference import writing

    for answer in answers:
        click.echo(writing.line(answer))
        sys.stdout.flush()


def _print(answers: Iterable[Mapping[str, Any]], inference: Inference) -> None:
    """Print answers in the format that the user wants; those that a folder gets in short."""
    from bench.inference import writing

    if inference.format == "jsonl" and not inference.out:
        _print_lines(answers)
        return
    every = list(answers)
    if not every:
        return
    if inference.out:
        click.echo(writing.overview(every[:SHOWN]))
        if len(every) > SHOWN:
            click.echo(f"... and {len(every) - SHOWN} more")
        return
    texts = {"json": writing.document, "csv": writing.table, "table": writing.overview}
    click.echo(texts[inference.format](every), nl=inference.format != "csv")
