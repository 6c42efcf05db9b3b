"""Language: models that write text, in this process or behind a URL, and their prompts."""

from bench.language.instructions import addresses_model
from bench.language.loading import load, notice
from bench.language.templates import Prompt, data, read_prompt

__all__ = ["Prompt", "addresses_model", "data", "load", "notice", "read_prompt"]
