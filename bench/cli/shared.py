"""What several commands share: errors in one line, lists on the command line, places."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bench import paths
from bench.errors import BenchError
from bench.request import PRECISIONS, RUNTIMES

if TYPE_CHECKING:
    from bench.embed.cache import Cache


class Failure(click.ClickException):
    """One line on stderr, and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it on the class


class Group(click.Group):
    """Commands whose errors end in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BenchError as error:
            raise Failure(str(error), 2) from error
        except BrokenPipeError:
            raise  # click ends quietly where the reader has gone
        except OSError as error:
            raise Failure(f"{error.filename or 'bench'}: {error.strerror}", 2) from error
        except KeyboardInterrupt as error:
            raise Failure(
                "stopped; what is finished is kept, and the same command goes on from there", 1
            ) from error


def items(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the items of a comma-separated list; none of an empty one."""
    names = tuple(name.strip() for name in value.split(",")) if value else ()
    if not all(names):
        raise click.BadParameter(f"'{value}' has an empty item", ctx, param)
    return names


def listed(
    *names: str, metavar: str = "A,B", default: str = "", **more: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option of a comma-separated list."""
    return click.option(*names, metavar=metavar, default=default, callback=items, **more)


class ViewOption(click.Option):
    """An option whose help lists the poolings, which are loaded only if the help is shown."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help."""
        from bench.embed import pooling

        self.help = (self.help or "").replace("{poolings}", "|".join(pooling.names()))
        return super().get_help_record(ctx)


def seeds(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    """Return the numbers of a comma-separated list."""
    names = items(ctx, param, value)
    if not names or not all(name.isdecimal() for name in names):
        raise click.BadParameter(f"'{value}' is no list of whole numbers from 0 up", ctx, param)
    return tuple(int(name) for name in names)


def shares(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    """Return the numbers in (0, 1] of a comma-separated list."""
    try:
        found = tuple(float(name) for name in items(ctx, param, value))
    except ValueError:
        found = ()
    if not found or not all(0 < each <= 1 for each in found):
        raise click.BadParameter(f"'{value}' is no list of shares above 0 and up to 1", ctx, param)
    return tuple(dict.fromkeys(found))


def share(ctx: click.Context, param: click.Parameter, value: str) -> float:
    """Return a percentage, with or without its sign, as a share in [0, 1]."""
    try:
        percent = float(value.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise click.BadParameter(f"'{value}' is no percentage from 0 to 100", ctx, param)
    return percent / 100


DEVICE = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu or cuda: where networks run."
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="fp32",
    show_default=True,
    help="What networks compute in; auto is bf16 where the device has it.",
)
RUNTIME = click.option(
    "--runtime",
    type=click.Choice(RUNTIMES),
    default="auto",
    show_default=True,
    help="What runs them; auto is OpenVINO on a CPU where it is installed.",
)


def print_report(written: Any) -> None:
    """Print a report's tables, and what was written."""
    click.echo(written.text)
    click.echo()
    for path in written.paths:
        click.echo(f"wrote {path}")


def cache() -> "Cache":
    """Return the cache."""
    from bench.embed.cache import Cache

    return Cache(paths.cache_root())


def command() -> str:
    """Return the command line that is being run."""
    import shlex

    return shlex.join(["bench", *sys.argv[1:]])
