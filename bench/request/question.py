"""The fields of a question, each with the flags of `bench ask` and its help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bench.request.option import option

QuestionFormat = Literal["text", "json"]
"""Form of an answer on the standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """How to answer a question.

    Parameters
    ----------
    llm : str
        Language model; empty for none.
    k : int
        Number of passages.
    """

    llm: str = option(
        "",
        "text",
        "Language model that reads questions and judges passages: a URL, gguf:FILE or hf:FOLDER.  "
        "[default: none]",
        "--llm",
        metavar="MODEL",
    )
    where: str = option(
        "", "text", 'Ask about these recordings, such as "seconds > 2".', "--where", metavar="FILTER"
    )
    k: int = option(10, "count", "Number of passages.", "-k", default="10", metavar="N")
    sentences: str = option(
        "",
        "text",
        "Folder of the sentence encoder, or none.  [default: where it was when the texts were encoded]",
        "--sentences",
        metavar="FOLDER",
    )
    show_sources: bool = option(False, "flag", "Show the passages with all of their texts.", "--show-sources")
    format: QuestionFormat = option(
        "text", "choice", "Form of the answer.", "--format", default="text", choices=get_args(QuestionFormat)
    )
    dry_run: bool = option(
        False, "flag", "Show what the language model would be asked, and ask nothing.", "--dry-run"
    )
