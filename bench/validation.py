"""Check the types of values from files and plugins; say in one line what is wrong where.

Rooms that read files use `convert` alone: results, run records, suites, cards and entries of the registry.
A name that becomes a part of a path passes `file_name`.
"""

import copy
import re
import reprlib
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from bench.errors import UsageError

T = TypeVar("T")

STEP = re.compile(r"\.([\w-]+)|\[(\d+)\]|\[(\.\.\.)\]")
"""A step of the paths in msgspec's messages: a field, an index of a list, or some key of a table."""

FIELD = re.compile(r"Object (missing|contains unknown) (?:required )?field `(.*)`")

FILE_NAME = re.compile(r"(?!\.+$)[^/\\\x00-\x1f\x7f]+")

MOST_BYTES = 200
"""Largest length of a name in UTF-8: file systems take 255 bytes, with a suffix."""

NOUNS: dict[type[inspect.Type], str] = {
    inspect.AnyType: "value",
    inspect.BoolType: "boolean",
    inspect.FloatType: "number",
    inspect.IntType: "integer",
    inspect.StrType: "text",
    inspect.DataclassType: "table",
    inspect.DictType: "table",
    inspect.StructType: "table",
    inspect.ListType: "list",
    inspect.VarTupleType: "list",
}


def convert(value: Any, noun: type[T], source: str, name: str = "") -> T:
    """Return a value from a file as the type that it should have.

    Parameters
    ----------
    value : Any
        Dicts, lists, texts, numbers and booleans.
    noun : type
        A dataclass, a `msgspec.Struct` or a type such as ``list[str]``. A ValueError from its
        ``__post_init__`` becomes a message too.
    source : str
        File, or what else the value comes from, for the message.
    name : str
        Name of the entry in the file, for the message.

    Raises
    ------
    UsageError
        If the value does not have the type: source, name, path of keys, value, and what was expected.

    Examples
    --------
    >>> convert({"C": 1.0}, dict[str, list[float]], "heads.toml", "svm")
    Traceback (most recent call last):
    bench.errors.UsageError: heads.toml: 'svm': C is 1.0; expected a list of numbers
    """
    try:
        return msgspec.convert(value, noun)
    except msgspec.ValidationError as error:
        where = f"{source}: '{name}'" if name else source
        raise UsageError(f"{where}: {_message(str(error), value, noun)}") from error


def file_name(name: str, source: str) -> str:
    """Return a name that becomes the name of a file or folder, or a part of one.

    Parameters
    ----------
    source : str
        What has the name, for the message.

    Raises
    ------
    UsageError
        If the name is empty or only dots, has a separator or a control character, or is too long.

    Examples
    --------
    >>> file_name("../a", "mine.toml: version")
    Traceback (most recent call last):
    bench.errors.UsageError: mine.toml: version '../a' cannot be part of a file's name; expected ...
    """
    if FILE_NAME.fullmatch(name) and len(name.encode("utf-8", "surrogateescape")) <= MOST_BYTES:
        return name
    raise UsageError(
        f"{source} {reprlib.repr(name)} cannot be part of a file's name; expected 1 to {MOST_BYTES} bytes "
        "without / \\ and control characters, and not only dots; rename it"
    )


def _message(text: str, value: Any, noun: type) -> str:
    """Return msgspec's message with the whole path, the value, and the words of this project."""
    problem, _, location = text.partition(" - at ")
    path, item, kind = _follow(location, value, noun)
    prefix = f"{path}: " if path else ""
    if (field := FIELD.match(problem)) and isinstance(kind, inspect.StructType | inspect.DataclassType):
        types = {item.encode_name: item.type for item in kind.fields}
        if field[1] == "missing":
            return f"{prefix}field '{field[2]}' is missing; expected {_expectation(types[field[2]])}"
        return f"{prefix}unknown field '{field[2]}'; its fields are {', '.join(types)}"
    if not problem.startswith(("Expected", "Invalid")):  # the words of a __post_init__
        return f"{prefix}{problem}"
    return f"{path + ' is' if path else 'got'} {reprlib.repr(item)}; expected {_expectation(kind)}"


def _follow(location: str, value: Any, noun: type) -> tuple[str, Any, inspect.Type]:
    """Return the path in a message as ``files[0].url``, with the value there and the type expected there."""
    root = item = copy.deepcopy(value) if "[...]" in location else value
    kind = inspect.type_info(noun)
    path = ""
    for name, index, some_key in STEP.findall(location):
        if isinstance(kind, inspect.UnionType):
            kind = next(member for member in kind.types if _holds_items(member))
        if some_key:
            name = _wrong_key(item, root, noun)
        if isinstance(kind, inspect.StructType | inspect.DataclassType):
            kind = next(field.type for field in kind.fields if field.encode_name == name)
        elif isinstance(kind, inspect.DictType):
            kind = kind.value_type
        elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
            kind = kind.item_type
        item = item[int(index)] if index else item[name]
        path += f"[{index}]" if index else f".{name}"
    return path.removeprefix("."), item, kind


def _holds_items(kind: inspect.Type) -> bool:
    return NOUNS.get(type(kind)) in {"table", "list"}


def _wrong_key(table: dict[str, Any], root: Any, noun: type) -> str:
    """Return the key of a table's wrong value, which msgspec leaves out; `root` is a copy that holds `table`.

    Every entry is tried by itself: the others are removed.
    """
    entries = dict(table)
    for name, value in entries.items():
        table.clear()
        table[name] = value
        try:
            msgspec.convert(root, noun)
        except msgspec.ValidationError:
            break
    return name


def _expectation(kind: inspect.Type) -> str:
    """Return a type in words, such as "a list of texts"."""
    if isinstance(kind, inspect.UnionType):
        return " or ".join(map(_expectation, kind.types))
    if isinstance(kind, inspect.LiteralType):
        return f"one of {', '.join(map(str, kind.values))}"
    if isinstance(kind, inspect.EnumType):
        return f"one of {', '.join(str(member.value) for member in kind.cls)}"
    if isinstance(kind, inspect.NoneType):
        return "null"
    noun = NOUNS.get(type(kind), "value")
    words = f"{'an' if noun[0] == 'i' else 'a'} {noun}"
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return f"{words} of {_plural(kind.item_type)}{', one or more' if kind.min_length else ''}"
    if isinstance(kind, inspect.DictType) and not isinstance(kind.value_type, inspect.AnyType):
        return f"{words} of {_plural(kind.value_type)}"
    if isinstance(kind, inspect.IntType | inspect.FloatType) and kind.le is not None:
        return f"{words} of {kind.ge if kind.gt is None else f'more than {kind.gt}'} to {kind.le}"
    if isinstance(kind, inspect.IntType) and kind.ge is not None:
        return f"{words} of at least {kind.ge}"
    if isinstance(kind, inspect.StrType) and kind.min_length:
        return f"{words} that is not empty"
    return words


def _plural(kind: inspect.Type) -> str:
    return f"{NOUNS.get(type(kind), 'value')}s"
