"""Chat servers: language models behind a URL, by the OpenAI-compatible protocol.

Ollama, llama.cpp's server, vLLM and Mistral's own service speak it: ``POST URL/chat/completions``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from bench.errors import LanguageModelError, message
from bench.files import parse_json
from bench.language.answers import excerpt, parse
from bench.language.requesting import RefusalError, address, request
from bench.types.retrieval import Message

SECONDS = 120.0
"""Longest wait for a whole answer, in s."""

MOST_TOKENS = 512
"""Longest text that a model is asked for, in tokens."""

PARAMETERS: Mapping[str, Any] = {"temperature": 0, "seed": 0, "max_tokens": MOST_TOKENS, "stream": False}
"""Parameters of every request."""

T = TypeVar("T")


class _Completion(msgspec.Struct):
    """The part of a server's answer that is read."""

    choices: list[_Choice]


class _Choice(msgspec.Struct):
    message: _Text
    finish_reason: str | None = None


class _Text(msgspec.Struct):
    content: str


class _Models(msgspec.Struct):
    data: list[_Model]


class _Model(msgspec.Struct):
    id: str


class Chat:
    """A language model of a server.

    Parameters
    ----------
    url : str
        Where the protocol begins, such as ``http://localhost:11434/v1``.
    name : str
        Name of the model at the server.
    seconds : float
        Longest wait for a whole answer, in s.
    """

    def __init__(self, url: str, name: str, seconds: float = SECONDS) -> None:
        self.url = url
        self.name = name
        self.seconds = seconds

    @classmethod
    def at(cls, text: str, seconds: float = SECONDS) -> Chat:
        """Return the model of a URL; its fragment names the model, if the server has several.

        Raises
        ------
        UsageError
            If it is no URL of a server.
        LanguageModelError
            If the server is not there, or has several models and none is named.
        """
        url = address(text)
        model = urlsplit(text).fragment
        return cls(url, model or _only_model(url, seconds), seconds)

    @property
    def identity(self) -> Mapping[str, Any]:
        """Return what changes an answer besides the question."""
        return {"url": self.url, "model": self.name, **PARAMETERS}

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> Any:
        """Return the answer to a chat; see `bench.types.LanguageModel`.

        A server that refuses the schema, or ignores it, is asked a second time with the schema in words.
        """
        try:
            return self._ask(messages, schema, {"response_format": _response_format(schema)})
        except (RefusalError, _AnswerError):
            text = f"Answer with JSON of this JSON Schema alone: {msgspec.json.encode(schema).decode()}"
            return self._ask([*messages, Message("user", text)], schema, {})

    def _ask(self, messages: Sequence[Message], schema: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
        """Return the answer of a request."""
        chat = [{"role": each.role, "content": each.text} for each in messages]
        body = {"model": self.name, "messages": chat, **PARAMETERS, **options}
        completion = _read(
            request("POST", f"{self.url}/chat/completions", self.seconds, body), _Completion, self.url
        )
        if not completion.choices:
            raise LanguageModelError(f"{self.url}: answers without choices; expected a chat completion")
        [choice, *_] = completion.choices
        if choice.finish_reason == "length":
            raise LanguageModelError(
                f"{self.url}: {self.name} writes more than {MOST_TOKENS} tokens; choose another --llm"
            )
        try:
            return parse(choice.message.content, schema, messages, f"{self.url}: {self.name}")
        except LanguageModelError as error:
            raise _AnswerError(str(error)) from error


class _AnswerError(LanguageModelError):
    """The text is not what was asked for."""


def _only_model(url: str, seconds: float) -> str:
    """Return the model of a server that has one."""
    models = [model.id for model in _read(request("GET", f"{url}/models", seconds), _Models, url).data]
    if len(models) != 1:
        names = excerpt(", ".join(models)) or "none"
        raise LanguageModelError(f"{url}: has {len(models)} models ({names}); name one: {url}#MODEL")
    return models[0]


def _response_format(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}


def _read(content: bytes, kind: type[T], url: str) -> T:
    """Return the fields of a server's answer."""
    try:
        return msgspec.convert(parse_json(content), kind)
    except (ValueError, msgspec.ValidationError) as error:
        text = excerpt(content[:400].decode(errors="replace"))
        raise LanguageModelError(
            f"{url}: answers '{text}' ({message(error)}); expected the OpenAI-compatible protocol"
        ) from error
