"""Texts that leave this machine, without its folders."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")


def without_folders(value: T, folders: Collection[str]) -> T:
    """Return a value in whose texts paths begin behind the folders of a machine, at any depth of the value.

    Parameters
    ----------
    value : T
        A text, or a dataclass, a mapping, a list or a tuple that holds some.
    folders : Collection[str]
        Absolute folders, as `parents` returns them.

    Examples
    --------
    >>> without_folders("run --datasets '/home/jo/my data/a.csv'", ["/home/jo", "/home/jo/my data"])
    "run --datasets 'a.csv'"
    >>> without_folders(("/data/a.wav", "b/data/c.wav", "/data"), ["/data"])
    ('a.wav', 'b/data/c.wav', '.')
    """
    if not folders:
        return value
    names = sorted(folders, key=lambda name: (-len(name), name))
    pattern = re.compile("|".join(f"{_start(name)}{re.escape(name)}" for name in names))
    return _mapped(value, re.compile(rf"(?:{pattern.pattern})(/+|(?![\w.-]))"))


def _start(folder: str) -> str:
    """Return a pattern for what stands before a folder: a short one, as /data, may end another path."""
    return r"(?<![\w./-])" if folder.count("/") == 1 else ""


def _mapped(value: Any, pattern: re.Pattern[str]) -> Any:
    if type(value) is str:  # members of enumerations have no folders
        return pattern.sub(lambda match: "" if match[1] else ".", value)
    if is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: getattr(value, part.name) for part in fields(value) if part.init}
        return replace(value, **{name: _mapped(part, pattern) for name, part in parts.items()})
    if isinstance(value, Mapping):
        return {key: _mapped(part, pattern) for key, part in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(_mapped(part, pattern) for part in value)
    return value


def parents(*paths: Path | str) -> set[str]:
    """Return the absolute folders that hold paths, also behind symbolic links; without the root.

    Examples
    --------
    >>> sorted(parents("/data/jo/a.csv", "/a"))
    ['/data/jo']
    """
    texts = [os.path.abspath(Path(path).expanduser()) for path in paths]  # noqa: PTH100  # keeps links
    folders = {os.path.dirname(form) for text in texts for form in (text, os.path.realpath(text))}  # noqa: PTH120
    return folders - {"/"}
