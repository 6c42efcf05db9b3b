"""Memory: answers of language models on disk, by everything that changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.errors import LanguageModelError
from bench.files import indented_json, parse_json, replace_text
from bench.keys import digest
from bench.language.answers import check
from bench.types.retrieval import LanguageModel, Message

FORMAT = "language-v1"
"""Folder below the cache; a new name for a new format."""


class Remembering:
    """A language model that answers the same question once.

    Parameters
    ----------
    model : LanguageModel
    identity : Mapping[str, Any]
        Everything besides messages and schema that changes the answers.
    folder : Path
        Home of the cache.
    """

    def __init__(self, model: LanguageModel, identity: Mapping[str, Any], folder: Path) -> None:
        self.name = model.name
        self._model = model
        self._identity = dict(identity)
        self._folder = folder / FORMAT

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> Any:
        """Return the answer to a chat; see `bench.types.LanguageModel`.

        A damaged file counts as absent, and so does a folder that cannot be written.
        """
        key = digest([self._identity, [asdict(message) for message in messages], dict(schema)])
        path = self._folder / f"{key}.json"
        with suppress(OSError, ValueError, LanguageModelError):
            answer = parse_json(path.read_bytes())
            check(answer, schema, self.name)
            return answer
        answer = self._model.complete(messages, schema)
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, indented_json(answer))
        return answer
