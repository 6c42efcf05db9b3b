"""Language: models that write text, in this process or behind a URL, and their prompts."""

from bench.language.loading import load, notice
from bench.language.templates import Prompt, data, read_prompt

__all__ = ["Prompt", "data", "load", "notice", "read_prompt"]
