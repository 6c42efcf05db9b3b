"""How a field of a request is written: on the command line and in a suite."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Form = Literal[
    "text",
    "list",
    "flag",
    "count",
    "draws",
    "seconds",
    "seed",
    "seeds",
    "share",
    "shares",
    "percent",
    "choice",
    "folder",
]
"""How a value is written on the command line."""


@dataclass(frozen=True, slots=True)
class Option:
    """How a field is written.

    Parameters
    ----------
    name : str
        Name of the field.
    form : Form
        How its value is written on the command line.
    flags : tuple[str, ...]
        Flags of `bench run`, the first one for messages.
    table, key : str
        Table and key of a suite; empty for an option that no suite has.
    default : str
        Default as it is written on the command line.
    choices : tuple[str, ...]
        Values of a choice.
    maximum : int | None
        Largest count.
    """

    name: str
    form: Form
    about: str
    flags: tuple[str, ...]
    table: str = ""
    key: str = ""
    metavar: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    maximum: int | None = None


def option(  # what a field needs, and an option
    value: Any, form: Form, about: str, *flags: str, suite: str = "", recorded: bool = True, **more: Any
) -> Any:
    """Return a field with its option.

    Parameters
    ----------
    suite : str
        ``TABLE.KEY`` of a suite.
    recorded : bool
        Whether the record of a run holds it; False for what only says where it is computed.
    more : Any
        Further fields of `Option`.
    """
    table, _, key = suite.partition(".")
    option = {"form": form, "about": about, "flags": flags, "table": table, "key": key}
    return field(default=value, metadata={"option": option | more, "recorded": recorded})
