"""Neutral texts: pieces with a style, which writers mark up."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text and its style."""

    text: str
    style: Literal["plain", "strong", "code"] = "plain"


Text = tuple[Span, ...]
