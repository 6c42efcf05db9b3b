"""Work: options -> describers, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from bench import catalog
from bench.catalog import devices
from bench.description import checkpoints
from bench.description.captioners import loading
from bench.description.describers import (
    AcousticDescriber,
    CaptionDescriber,
    Describer,
    TranscriptDescriber,
    VoiceDescriber,
)
from bench.description.describing import BATCH, Outcome, Todo, outcomes
from bench.errors import UsageError
from bench.inference import processes, transcription
from bench.request import Describing


def describers(options: Describing) -> list[Describer]:
    """Return what describes recordings, with its models loaded.

    Raises
    ------
    UsageError
        If an option names something unknown, or does nothing without another.
    UnavailableError
        If a package or weights are not here.
    LanguageModelError
        If the server of a captioner is not there.
    """
    check(options)
    every: list[Describer] = [AcousticDescriber()]
    if options.domains and not options.tags:
        every.append(VoiceDescriber())
    if options.tags:
        checkpoint = checkpoints.locate(options.tags, "--tags")
        from bench.description import tags  # transformers takes seconds to import

        device, _ = devices.resolve(options.device, "fp32")
        every += tags.describers(checkpoint, options.words, options.domains, device)
    if options.transcribe:
        every.append(_transcripts(options))
    if options.caption:
        every.append(CaptionDescriber(loading.load(options.caption, options.device)))
    return every


def spread(options: Describing, describers: Sequence[Describer], todo: Sequence[Todo]) -> Iterator[Outcome]:
    """Yield what describers say about files, in the order of the files.

    Parameters
    ----------
    describers : Sequence[Describer]
        Those of this process, which describes alone with one job.

    Raises
    ------
    UsageError
        If a process is killed.
    """
    if options.jobs == 1 or len(todo) == 1:
        yield from outcomes(todo, describers)
        return
    advice = "the texts before stay, so use fewer jobs and run the same command"
    yield from processes.spread(partial(_load, options), todo, options.jobs, BATCH, advice)


def check(options: Describing) -> None:
    """Refuse an option that does nothing without another.

    Raises
    ------
    UsageError
        If there is one, with the option that it needs.
    """
    if options.words and not options.tags:
        raise UsageError("--words: are those of a CLAP; add --tags hf:FOLDER")
    if options.language != "auto" and not options.transcribe:
        raise UsageError("--language: is that of the transcription; add --transcribe NAME")
    for option in ("by", "clusters", "llm", "dry_run"):
        if getattr(options, option) and not options.titles:
            raise UsageError(f"--{option.replace('_', '-')}: is about titles; add --titles")
    if options.by and options.clusters:
        raise UsageError("--by and --clusters: are two ways to choose what gets titles; leave one out")


def _transcripts(options: Describing) -> TranscriptDescriber:
    """Return the describer by a transcriber, whose name tells its weights and its language."""
    language = None if options.language == "auto" else options.language
    transcriber = transcription.load(
        options.transcribe, declared=catalog.load(), language=language, device=options.device
    )
    name = checkpoints.versioned(transcriber.name, transcriber.digest, language)
    return TranscriptDescriber(transcriber, name)


def _load(options: Describing) -> Callable[[Sequence[Todo]], Iterator[Outcome]]:
    """Return what describes files in a worker process."""
    return partial(outcomes, describers=describers(options))
