"""Language models in this process: a file of GGUF or a folder of transformers, which write JSON alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
)

from bench.catalog.pretrained import load, load_network, quiet
from bench.errors import LanguageModelError, UsageError, message
from bench.language.answers import parse
from bench.types.retrieval import Message

MOST_TOKENS = 512
"""Longest answer, in tokens."""

ANSWER = "Answer in JSON:"
"""How the chat ends for a model that continues texts, without a template of chats."""


class LocalModel:
    """A network that writes text, in fp32, greedy, by a grammar that its JSON Schema gives.

    Parameters
    ----------
    name : str
    folder : Path
        Where its files are.
    gguf : str | None
        Name of the file of GGUF in the folder; None for a folder of `save_pretrained`.
    device : str
        A device of torch.

    Raises
    ------
    UsageError
        If it cannot be loaded.
    """

    def __init__(self, name: str, folder: Path, gguf: str | None, device: str) -> None:
        self.name = name
        self._device = device
        files: dict[str, Any] = {"gguf_file": gguf} if gguf else {}
        form: dict[str, Any] = {"use_safetensors": None} if gguf else {}  # a file of GGUF holds none
        try:
            with redirect_stderr(StringIO()):  # the bar of GGUF has no switch
                tokenizer = load(AutoTokenizer, folder, **files)
                model = load_network(AutoModelForCausalLM, folder, "a whole checkpoint", **files, **form)
            self._vocabulary = from_tokenizer(tokenizer, n_vocab=model.get_output_embeddings().out_features)
        except Exception as error:  # neither library says what it raises for a damaged file
            raise UsageError(
                f"--llm {name}: cannot be loaded ({message(error)[:300]}); expected a causal language model "
                "that transformers reads"
            ) from error
        self._tokenizer = tokenizer
        self._model = model.to(device)

    def complete(self, messages: Sequence[Message], schema: Mapping[str, Any]) -> Any:
        """Return the answer to a chat; see `bench.types.LanguageModel`."""
        tokens = self._tokenizer(self._text(messages), return_tensors="pt", add_special_tokens=False)
        ids = tokens["input_ids"].to(self._device)
        most = getattr(self._model.config, "max_position_embeddings", None) or np.inf
        if ids.shape[1] + MOST_TOKENS > most:
            raise LanguageModelError(
                f"{self.name}: the prompt has {ids.shape[1]} tokens, and an answer {MOST_TOKENS}; the model "
                f"takes {most}: choose another --llm"
            )
        matcher = LLMatcher(self._vocabulary, _grammar(schema))
        if matcher.is_error():
            raise LanguageModelError(f"{self.name}: no grammar of the JSON Schema ({matcher.get_error()})")
        end = self._tokenizer.eos_token_id
        config = GenerationConfig(
            max_new_tokens=MOST_TOKENS, do_sample=False, eos_token_id=end, pad_token_id=end
        )
        with torch.inference_mode(), quiet():
            output = self._model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                generation_config=config,
                logits_processor=LogitsProcessorList([_Grammar(matcher, ids.shape[1], end)]),
            )
        text = self._tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True)
        return parse(text, schema, messages, self.name)

    def _text(self, messages: Sequence[Message]) -> str:
        """Return the chat as the model's template has it, or, without one, as a text to continue."""
        if self._tokenizer.chat_template is None:
            start = self._tokenizer.bos_token or ""
            return start + "\n\n".join([*(each.text for each in messages), ANSWER])
        try:
            return self._templated(messages)
        except jinja2.TemplateError:  # it knows no role of the system
            texts = "\n\n".join(each.text for each in messages)
            return self._templated([Message("user", texts)])

    def _templated(self, messages: Sequence[Message]) -> str:
        chat = [{"role": each.role, "content": each.text} for each in messages]
        text: str = self._tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        return text


@dataclass(slots=True)
class _Grammar(LogitsProcessor):  # type: ignore[misc]  # transformers has no types here
    """Lets a model write only what a grammar allows.

    Parameters
    ----------
    n_read : int
        Number of tokens that the matcher has read, or that it does not read as they are the prompt's.
    end : int
        Token that ends a text.
    """

    matcher: LLMatcher
    n_read: int
    end: int

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores of the next token, shape=(1, n_tokens); -inf where it is not allowed."""
        self.matcher.consume_tokens(input_ids[0, self.n_read :].tolist())
        self.n_read = input_ids.shape[1]
        if self.matcher.is_stopped():
            allowed = np.zeros(scores.shape[1], dtype=bool)
            allowed[self.end] = True
        else:
            allowed = np.frombuffer(self.matcher.compute_logit_bias(), dtype=np.uint8) > 0
        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), -torch.inf)


def _grammar(schema: Mapping[str, Any]) -> str:
    """Return the grammar of JSON texts of a schema, without white space, which small models never end."""
    text: str = LLMatcher.grammar_from_json_schema(
        msgspec.json.encode(schema).decode(), defaults={"whitespace_flexible": False}
    )
    return text
