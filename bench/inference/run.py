"""Run: recordings -> answers on the standard output, or in a folder with their pictures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.errors import ClipError, UsageError, reason
from bench.files import sha256
from bench.inference import folder, output, work, writing
from bench.inference.answers import Answer, Failure
from bench.inference.inputs import Inputs
from bench.inference.output import Output
from bench.inference.work import Setup
from bench.types import Clip

UNRECORDED = ("format", "out", "resume", "jobs", "device", "weights")
"""Options that change no answer."""


class Run:
    """Answers about recordings, in a folder if the options name one.

    Attributes
    ----------
    n_recordings, n_failed, n_unfamiliar : int
        Numbers of recordings, of those without an answer, and of those unlike the training clips.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.n_recordings = self.n_failed = self.n_unfamiliar = 0
        self.output: Output | None = None
        options = setup.options
        self.session = setup.session()
        if options.explain:  # a model that does not fit leaves no folder
            from bench.inference.explanations import check_method  # what few predictions need

            check_method(self.session.model, options.explain)
        if options.out:
            about = {name: value for name, value in asdict(options).items() if name not in UNRECORDED}
            about["model"] = sha256(setup.model / folder.CARD)
            self.output = Output(options.out, about, resume=options.resume, top=options.top)

    def all(self, inputs: Inputs) -> Iterator[Mapping[str, Any]]:
        """Yield the fields of the answer about every recording that lacks one, in their order."""
        clips: Sequence[Clip] = inputs.clips
        root = output.root_of(clips)
        for failure in inputs.failures:
            yield self._settle(Clip(failure.file, Path(failure.file)), failure, root)
        clips = self.output.lacking(clips, root) if self.output else clips
        answers = work.answers(self.setup, self.session, clips, self.setup.options.jobs)
        for clip, answer in zip(clips, answers, strict=True):
            yield self._settle(clip, answer, root)

    def stream(self, clips: Iterable[Clip], parent: Path) -> Iterator[Mapping[str, Any]]:
        """Yield the fields of the answer about every recording below a folder as soon as it arrives."""
        root = output.absolute(str(parent))
        for clip in clips:
            [answer] = self.session.answers([clip])
            yield self._settle(clip, answer, root)

    def finish(self) -> None:
        """Write the table of the folder."""
        if self.output:
            self.output.finish()

    def _settle(self, clip: Clip, answer: Answer | Failure, root: Path) -> Mapping[str, Any]:
        """Write an answer and its pictures, count it, and return its fields."""
        options = self.setup.options
        outcome = answer
        if self.output:
            if isinstance(answer, Answer) and (options.figures or options.explain):
                outcome = self._drawn(clip, answer, self.output.place(answer.file, root))
            # The last one: a resumed run draws what an end in the middle left out.
            self.output.add(answer, root)
        self.n_recordings += 1
        if isinstance(outcome, Failure):
            self.n_failed += 1
        elif outcome.prediction.unfamiliar:
            self.n_unfamiliar += outcome.prediction.unfamiliar.flag
        return writing.fields(outcome, options.top)

    def _drawn(self, clip: Clip, answer: Answer, place: Path) -> Answer | Failure:
        """Draw the pictures of an answer; return the answer, or why they cannot be drawn."""
        from bench.inference.pictures import draw  # matplotlib takes a second to import

        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            draw(self.session.model, clip, answer, place, self.setup.options.explain)
        except ClipError as error:
            return Failure(file=answer.file, error=f"pictures: {error}")
        except OSError as error:
            raise UsageError(
                f"{place.parent}: cannot be written ({reason(error)}); the answers before {answer.file} are "
                "there, and --resume goes on"
            ) from error
        return answer
