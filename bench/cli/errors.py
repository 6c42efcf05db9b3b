"""Errors of the command line: one line on stderr, and an exit code."""

import re
from typing import Any

import click

from bench.errors import BenchError, message, reason


class Failure(click.ClickException):
    """One line on stderr, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class


class Group(click.Group):
    """Commands whose errors end in one line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an empty argument, which a shell makes of a variable that is not set."""
        for before, word in zip([ctx.info_name, *args], args, strict=False):
            if not word or re.fullmatch(r"--[\w-]+=", word):
                option = word.rstrip("=") or (before if before and before.startswith("-") else "an argument")
                raise Failure(f"{option}: has an empty value; give one, or leave it out", 2)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BenchError as error:
            raise Failure(message(error), 2) from error
        except BrokenPipeError:
            raise  # click ends quietly where the reader has gone
        except OSError as error:
            name = error.filename2 or error.filename or "bench"  # the target of a renaming, if it is one
            raise Failure(f"{name}: {reason(error)}", 2) from error
        except MemoryError as error:
            raise Failure(
                "memory is full; finished results are saved; free some memory, or use fewer --jobs", 2
            ) from error
        except KeyboardInterrupt as error:
            raise Failure("stopped; results are saved; run the same command to continue", 1) from error
