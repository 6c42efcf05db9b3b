"""Check the types of values from files, and say in one line what is wrong where."""

from typing import Any, TypeVar

import msgspec

from bench.errors import UsageError

T = TypeVar("T")


def convert(value: Any, noun: type[T], source: str) -> T:
    """Return a value from a TOML or JSON file as the type that it should have.

    Parameters
    ----------
    value : Any
        Dicts, lists, texts, numbers and booleans.
    noun : type
        A dataclass, a `msgspec.Struct` or a type such as ``list[str]``.
    source : str
        File, and the name of the entry in it, for the message.

    Raises
    ------
    UsageError
        If the value does not have the type: source, key path, and what was expected.

    Examples
    --------
    >>> convert({"C": 1.0}, dict[str, list], "heads.toml: 'svm': grid")
    Traceback (most recent call last):
    bench.errors.UsageError: heads.toml: 'svm': grid: expected `array`, got `float` at [...]
    """
    try:
        return msgspec.convert(value, noun)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at ")
        where = path.strip("`").removeprefix("$").removeprefix(".")
        what = message[:1].lower() + message[1:]
        raise UsageError(f"{source}: {what}" + (f" at {where}" if where else "")) from error
