"""Options that verbs share, made of the declaration in `bench.request`."""

from __future__ import annotations

import csv
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from bench.errors import UsageError
from bench.request import LARGEST_SEED, N_PERMUTATIONS, Option, Request, doubled, suite_keys
from bench.request import options as declared_options
from bench.validation import convert

Command = TypeVar("Command", bound=Callable[..., Any])


QUOTED: Mapping[str, Any] = {"skipinitialspace": True, "strict": True}
"""Form of lists, as `csv` calls it."""


def items(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the items of a comma-separated list; none for an empty text.

    The name of an existing file or folder is one item; an item in quotation marks may have commas.
    """
    if os.path.exists(value):  # noqa: PTH110  # Path.exists raises for a long text
        return (value,)
    try:
        names = [name.strip() for name in next(csv.reader([value], **QUOTED), [])]
    except csv.Error as error:
        raise click.BadParameter(f"'{value}' is no list ({error})", ctx, param) from error
    if not all(names):
        raise click.BadParameter(f"'{value}' has an empty item", ctx, param)
    return tuple(names)


def _distinct(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    """Return the items of a list that names nothing twice."""
    names = items(ctx, param, value)
    if name := doubled(names):
        raise click.BadParameter(f"'{value}' names {name} twice", ctx, param)
    return names


def listed(*flags: str, metavar: str = "A,B", default: str = "", **more: Any) -> Callable[[Command], Command]:
    """Return the option of a comma-separated list that is none of a request."""
    return click.option(*flags, metavar=metavar, default=default, callback=_distinct, **more)


plain = click.option("--plain", is_flag=True, help="Write lines instead of bars.")


def _seeds(ctx: click.Context, param: click.Parameter, value: str) -> tuple[int, ...]:
    names = items(ctx, param, value)
    if not names or not all(name.isdecimal() for name in names):
        raise click.BadParameter(f"'{value}' is not a list of whole numbers from 0", ctx, param)
    return tuple(int(name) for name in names)


def _shares(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(name) for name in items(ctx, param, value))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share <= 1 for share in shares):
        raise click.BadParameter(f"'{value}' is not a list of shares above 0 and up to 1", ctx, param)
    return shares


def _percent(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        percent = float(value.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise click.BadParameter(f"'{value}' is not a percentage from 0 to 100", ctx, param)
    return percent / 100


def _share(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        share = float(value.removesuffix("%")) / (100 if value.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise click.BadParameter(f"'{value}' is no share from 0 to below 1, such as 0.85 or 85%", ctx, param)
    return share


PARSERS = {"list": items, "seeds": _seeds, "share": _share, "shares": _shares, "percent": _percent}
"""Form of an option -> what makes its value of a text."""


def declared(options: Iterable[Option]) -> Callable[[Command], Command]:
    """Return a decorator that adds options to a command, in their order."""

    def decorate(command: Command) -> Command:
        for option in reversed(list(options)):
            command = _click(option)(command)
        return command

    return decorate


DATA = ("audio", "parent_pattern")
"""Options that say how a data set is read, also by verbs that look at its labels."""


def of_data(command: Command) -> Command:
    """Add the options of a data set to a command."""
    return declared(declared_options(Request)[name] for name in DATA)(command)


def _poolings() -> str:
    from bench.embed import pooling

    return "|".join(pooling.names())


def _formats() -> str:
    from bench.report import FORMATS

    return ", ".join(FORMATS)


NAMES = {"{poolings}": _poolings, "{formats}": _formats}
"""Text in a help -> the function that imports what it stands for, and names it."""


class LazyOption(click.Option):
    """An option whose help lists names; they are imported for the help only, since that takes a second."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the option and its help."""
        for text, names in NAMES.items():
            if self.help and text in self.help:
                self.help = self.help.replace(text, names())
        return super().get_help_record(ctx)


def _click(option: Option) -> Callable[[Command], Command]:
    """Return the option as click takes it."""
    shared: dict[str, Any] = {"cls": LazyOption, "help": option.about, "show_default": bool(option.default)}
    if option.form == "flag":
        return click.option(*option.flags, option.name, is_flag=True, help=option.about)
    if option.form == "draws":
        shared |= {
            "is_flag": False,
            "flag_value": str(N_PERMUTATIONS),
            "type": click.IntRange(0, option.maximum),
        }
    elif option.form == "count":
        shared["type"] = click.IntRange(1, option.maximum)
    elif option.form == "seed":
        shared["type"] = click.IntRange(0, LARGEST_SEED)
    elif option.form == "seconds":
        shared["type"] = click.FloatRange(0, min_open=True)
    elif option.form == "choice":
        shared["type"] = click.Choice(option.choices)
    elif option.form == "folder":
        shared["type"] = Path
    if option.form != "choice":
        shared["metavar"] = option.metavar or {"list": "A,B"}.get(option.form)
    if option.form in PARSERS:
        shared["callback"] = PARSERS[option.form]
    default: Any = option.default
    if option.form in {"seconds", "choice", "count", "folder", "seed"}:
        default = option.default or None
    elif option.form == "draws":
        default = 0
    return click.option(*option.flags, option.name, default=default, **shared)


def suite(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    """Make the values of a suite the defaults of the other options."""
    if value is None:
        return
    from bench.catalog import toml

    keys = suite_keys()
    defaults: dict[str, Any] = {}
    for table, entries in toml(value).items():
        if table not in keys or not isinstance(entries, Mapping):
            raise UsageError(f"{value}: [{table}] is unknown; expected the tables {', '.join(keys)}")
        for key, entry in entries.items():
            if key not in keys[table]:
                raise UsageError(f"{value}: [{table}] has '{key}'; expected {', '.join(keys[table])}")
            defaults[keys[table][key].name] = _written(entry, keys[table][key], f"{value}: [{table}] {key}")
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _written(entry: Any, option: Option, where: str) -> Any:
    """Return a suite's value as the command line takes it.

    Raises
    ------
    UsageError
        If its type is not the option's, or it is empty.
    """
    forms: Mapping[str, Any] = {
        "list": list[str] | str,
        "seeds": list[int] | int,
        "shares": list[float] | float,
        "percent": str | float,
        "flag": bool,
        "count": int,
        "draws": bool | int,
        "seconds": float,
    }
    convert(entry, forms.get(option.form, str), where)
    if entry in ([], "") or (isinstance(entry, list) and "" in entry):
        problem = "is empty" if entry in ([], "") else "has an empty item"
        raise UsageError(f"{where} {problem}; expected one value or more; leave it out for the default")
    if option.form == "draws" and isinstance(entry, bool):
        return N_PERMUTATIONS if entry else 0
    return ",".join(map(_quoted, map(str, entry))) if isinstance(entry, list) else entry


def _quoted(item: str) -> str:
    """Return an item of a list in quotation marks, if it needs them."""
    return '"' + item.replace('"', '""') + '"' if {",", '"'} & {*item} else item


def command_line() -> str:
    """Return the command line of this process."""
    return shlex.join(["bench", *sys.argv[1:]])


def print_report(report: Any) -> None:
    """Print the tables of a report, and the paths of its files."""
    click.echo(report.text)
    click.echo()
    for path in report.paths:
        click.echo(f"wrote {path}")
