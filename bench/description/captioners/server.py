"""Captioners behind a URL of this machine, by the chat protocol of OpenAI with audio in it."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from bench.audio import wav
from bench.description.captioners.prompt import MOST_TOKENS, PROMPT
from bench.description.checkpoints import versioned
from bench.errors import ClipError, LanguageModelError, UsageError, message
from bench.language.chat import Chat
from bench.language.requesting import RefusalError, address, is_loopback, request
from bench.types import Audio

RATE = 16_000
"""Rate of the audio that is sent, in Hz."""


class _Message(msgspec.Struct):
    content: str


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    """The part of a server's answer that is read."""

    choices: list[_Choice]


class ServerCaptioner:
    """A model of a server on this machine: audio never leaves it.

    Parameters
    ----------
    text : str
        URL, such as ``http://localhost:8000``; its fragment names the model, if the server has several.
    seconds : float
        Longest wait for a caption, in s.

    Raises
    ------
    UsageError
        If the URL is another machine's.
    LanguageModelError
        If the server is not there.
    """

    sample_rate = RATE

    def __init__(self, text: str, seconds: float = 120.0) -> None:
        url = address(text)
        if not is_loopback(url):
            raise UsageError(
                f"--caption {text}: is not this machine, and audio does not leave it; expected a server at "
                "localhost, such as http://localhost:8000"
            )
        self._chat = Chat.at(text, seconds)
        self.name = versioned(self._chat.name, PROMPT, MOST_TOKENS)

    def describe(self, audio: Audio) -> str:
        """Return the caption of a recording.

        Raises
        ------
        ClipError
            If the server refuses this recording.
        LanguageModelError
            If it fails otherwise.
        """
        url, seconds = f"{self._chat.url}/chat/completions", self._chat.seconds
        sound = {"data": base64.b64encode(wav(audio, RATE)).decode(), "format": "wav"}
        content = [{"type": "input_audio", "input_audio": sound}, {"type": "text", "text": PROMPT}]
        body: dict[str, Any] = {
            "model": self._chat.name,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": MOST_TOKENS,
            "temperature": 0,
            "seed": 0,
        }
        try:
            [choice, *_] = msgspec.json.decode(request("POST", url, seconds, body), type=_Completion).choices
        except RefusalError as error:
            raise ClipError(str(error)) from error
        except (msgspec.DecodeError, ValueError) as error:
            raise LanguageModelError(
                f"{url}: answers something else ({message(error)}); expected a chat completion"
            ) from error
        return choice.message.content
