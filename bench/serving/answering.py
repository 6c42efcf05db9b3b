"""Answers of the worker: a file in the server's folder -> what a model says about it, or a refusal."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import audio
from bench.errors import ClipError, UnavailableError, UsageError, message
from bench.serving.limits import FULL_RATE, Limits, RefusalError
from bench.serving.question import Question, check_length
from bench.serving.uploads import Upload

FOLDERS = re.compile(r"""(?<![\w./])(?!//)(?:/|\.\.?/|~/)(?:[^\s/:;,'"]+/)*""")
"""Folders of a path in a text, of one that is absolute or begins with a dot."""

ANSWER = "WrittenAnswer"
"""Name of the schema of an answer."""

Predictor = Callable[[Path, Question], Mapping[str, Any]]
"""Returns the fields of an answer, of JSON's types alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a server offers.

    Parameters
    ----------
    predict : Predictor
        Is called by one thread at a time.
    card : Mapping[str, Any]
        Facts of the model, of JSON's types alone, without folders of this machine.
    schemas : Mapping[str, Any]
        Name -> JSON Schema; that of an answer is called `ANSWER`, and they refer to each other by
        ``#/components/schemas/NAME``.
    transcriber : str | None
        Name of the transcriber; None without one.
    """

    predict: Predictor
    card: Mapping[str, Any]
    schemas: Mapping[str, Any] = field(default_factory=lambda: {ANSWER: {"type": "object"}})
    transcriber: str | None = None


def answer(service: Service, upload: Upload, question: Question, limits: Limits) -> dict[str, Any]:
    """Return the fields of the answer about an upload.

    Raises
    ------
    RefusalError
        If the recording is too long (413), cannot be read or is too short (422), or if something that the
        answer needs is missing here (503).
    """
    try:
        _check(upload.path, question, limits)
        fields = dict(service.predict(upload.path, question))
    except RefusalError:
        raise
    except (ClipError, UsageError) as error:
        raise RefusalError(422, _shown(error, upload)) from error
    except UnavailableError as error:
        raise RefusalError(503, _shown(error, upload)) from error
    except MemoryError as error:
        line = "memory is full; send a shorter recording, or try later"
        raise RefusalError(503, line, {"Retry-After": "5"}) from error
    return fields | {"file": upload.name}


def _check(path: Path, question: Question, limits: Limits) -> None:
    """Raise RefusalError if a recording is too long; no more than the limit is decoded, in bounded memory."""
    header = audio.bounded_header(path, limits.seconds)
    if header.seconds > limits.seconds:
        raise RefusalError(413, f"recording: is longer than {limits.seconds:g} s; send a part of it")
    if header.seconds * header.sample_rate > limits.n_samples:
        size = f"{header.seconds:.0f} s at {header.sample_rate} Hz are more than {limits.n_samples} samples"
        raise RefusalError(413, f"recording: {size}; send it at {FULL_RATE} Hz or less")
    check_length(question, header.seconds, limits)


def _shown(error: Exception, upload: Upload) -> str:
    """Return an error without this machine's folders and the server's name of the file."""
    return without_folders(message(error).replace(str(upload.path), "recording"))


def without_folders(text: str) -> str:
    """Return a text in which paths are the names of their files.

    Examples
    --------
    >>> without_folders("hf:../weights/tiny.en and /home/jo/a.wav, see https://a.org/b/c or audio/wav")
    'hf:tiny.en and a.wav, see https://a.org/b/c or audio/wav'
    """
    return FOLDERS.sub("", text)
