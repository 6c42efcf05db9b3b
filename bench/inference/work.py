"""Work: a folder of a model and options -> sessions, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import catalog, paths
from bench.inference import folder, transcription, windows
from bench.inference.answers import Answer, Failure
from bench.inference.processes import spread
from bench.inference.session import CHUNK, Grid, Session
from bench.request import Inference, Request
from bench.types import Clip


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a process needs to answer: the folder of a model, options, and the user's working folder."""

    model: Path
    options: Inference

    def session(self) -> Session:
        """Return a session, with the model and the transcriber loaded.

        Raises
        ------
        UsageError
            If the folder holds no model that fits this machine, or an option names something unknown.
        """
        options = self.options
        declared = catalog.load()
        request = Request(home=paths.home(), device=options.device)
        model = folder.read(self.model, declared, request, weights=options.weights)
        transcriber = (
            transcription.load(
                options.transcribe,
                declared=declared,
                language=_language(options.language),
                device=options.device,
            )
            if options.transcribe
            else None
        )
        return Session(model, grid_of(options.segments), transcriber, options.coverage)


def grid_of(text: str) -> Grid | None:
    """Return the windows of ``SECONDS:HOP``; None for no text.

    Raises
    ------
    UsageError
        As of `windows.parse`.
    """
    return Grid(*windows.parse(text)) if text else None


def _language(text: str) -> str | None:
    return None if text == "auto" else text


def answers(
    setup: Setup, session: Session, clips: Sequence[Clip], jobs: int = 1
) -> Iterator[Answer | Failure]:
    """Yield the answer about every recording, in their order.

    Parameters
    ----------
    session : Session
        That of this process, which answers alone with one job.

    Raises
    ------
    UsageError
        If a process is killed.
    """
    if jobs == 1 or len(clips) == 1:
        yield from session.answers(clips)
        return
    advice = "the answers before stay, so use fewer jobs, and --resume with --out"
    yield from spread(partial(_load, setup), clips, jobs, CHUNK, advice)


def _load(setup: Setup) -> Callable[[Sequence[Clip]], Iterator[Answer | Failure]]:
    """Return what answers in a worker process."""
    return setup.session().answers
