"""`bench ask`: what an index says to a question."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from bench.cli import options
from bench.cli.errors import Failure
from bench.errors import UsageError
from bench.request import Inquiry
from bench.request import options as declared


@click.command("ask")
@click.argument("index", type=Path)
@click.argument("question")
@options.declared(declared(Inquiry).values())
def command(index: Path, question: str, **fields: Any) -> None:
    """Answer QUESTION from INDEX, which `bench index` wrote.

    Questions for numbers and lists, such as "how many clips by speaker 84", are answered by SQL; others by
    the texts about recordings, which `bench describe` writes. An answer cites the chunks that it rests on.
    """
    from bench.answering import asking, output
    from bench.retrieval.index import Index

    inquiry = Inquiry(**fields)
    if not any(letter.isalnum() for letter in question):
        raise UsageError(
            f"QUESTION '{question}': has no word; ask such as 'how many recordings are longer than 3 s?'"
        )
    asked = asking.Question(question, inquiry.where, inquiry.k, inquiry.sentences)
    with Index.open(index).snapshot() as snapshot:
        if inquiry.dry_run:
            click.echo(output.prompts(asking.prompts(asked, snapshot)), nl=False)
            return
        answer = asking.ask(asked, snapshot, partial(_model, inquiry.llm) if inquiry.llm else None)
    if inquiry.format == "json":
        click.echo(output.document(answer), nl=False)
    else:
        click.echo(output.text(answer, with_sources=inquiry.show_sources), nl=False)
    if answer.failure:
        raise Failure(answer.failure, 1)


def _model(name: str) -> Any:
    """Return a language model, and say what leaves this machine."""
    from bench import language, paths

    if notice := language.notice(name):
        click.echo(notice, err=True)
    return language.load(name, paths.home())
