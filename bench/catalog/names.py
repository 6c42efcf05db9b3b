"""Names -> specs: declared names, and names that say themselves where the code or the weights are."""

from __future__ import annotations

import difflib
import functools
import importlib.metadata
import re
import sys
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from bench.errors import UsageError
from bench.types import Kind, Spec

T = TypeVar("T")

PREFIXES: Mapping[str, str] = {
    "hf": "bench.extractors.auto:extractor",
    "whisper-short": "bench.extractors.whisper:Whisper",
    "fairseq": "bench.extractors.fairseq:Fairseq",
    "hear": "bench.extractors.hear:Hear",
}
"""Prefix of an extractor's name that needs no entry -> the factory of such extractors."""

PARAMS: Mapping[str, Mapping[str, bool]] = {"whisper-short": {"short": True}}
"""Prefix -> parameters of its factory, besides those of all weights."""

FOLDER = re.compile(rf"((?:{'|'.join(PREFIXES)}):)?/(?:.*/)?")
"""The beginning of a name with an absolute path: its prefix, and its folder."""


def find(kind: str, name: str, declared: Mapping[str, T]) -> T:
    """Return the entry of a name.

    Raises
    ------
    UsageError
        If the name is unknown; the message suggests the nearest one, or lists all.
    """
    if name not in declared:
        near = difflib.get_close_matches(name, declared, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"expected {', '.join(sorted(declared))}"
        raise UsageError(f"unknown {kind} '{name}'; {hint}")
    return declared[name]


def resolve(kind: Kind, name: str, declared: Mapping[str, Spec]) -> Spec:
    """Return the spec of a name, with or without an entry.

    Raises
    ------
    UsageError
        If the name has no entry and does not say where the code or the weights are.
    """
    spec = (None if name in declared else undeclared(kind, name)) or find(kind, name, declared)
    return replace(spec, name=portable(spec.name))


def portable(name: str) -> str:
    """Return a name without the folder of an absolute path: it gets published, and compared elsewhere.

    Examples
    --------
    >>> portable("/home/jo/mine.py:Zcr"), portable("hf:/home/jo/model"), portable("hf:org/model")
    ('mine.py:Zcr', 'hf:model', 'hf:org/model')
    """
    match = FOLDER.match(name)
    return (match[1] or "") + name[match.end() :] if match else name


def undeclared(kind: Kind, name: str) -> Spec | None:
    """Return the spec of a name that needs no entry; None for any other name.

    Parameters
    ----------
    name : str
        ``FILE.py:ATTRIBUTE`` or ``MODULE:ATTRIBUTE``; for extractors also ``hf:ID_OR_FOLDER``,
        ``whisper-short:ID_OR_FOLDER``, ``fairseq:FILE`` or ``hear:MODULE``.

    Raises
    ------
    UsageError
        If the file does not exist.
    """
    prefix, _, rest = name.partition(":")
    if kind == "extractor" and prefix in PREFIXES and rest:
        return _of_prefix(name, prefix, rest)
    module, _, attribute = name.rpartition(":")
    if not module or not attribute.isidentifier():
        return None
    if module.endswith(".py"):
        return _of_file(kind, name, Path(module), attribute)
    return _of_module(kind, name, module) if all(map(str.isidentifier, module.split("."))) else None


def is_code(name: str, declared: Container[str]) -> bool:
    """Return whether an extractor's name has no entry and says which code to run.

    Examples
    --------
    >>> [is_code(name, {"mfcc"}) for name in ("mine.py:Zcr", "hear:module", "hf:org/model", "mfcc")]
    [True, True, False, False]
    """
    prefix, colon, _ = name.partition(":")
    return bool(colon) and name not in declared and (prefix == "hear" or prefix not in PREFIXES)


def _of_prefix(name: str, prefix: str, rest: str) -> Spec:
    """Return the extractor of a prefix, of weights or of a module."""
    is_module = prefix == "hear"
    return Spec(
        kind="extractor",
        name=name,
        factory=PREFIXES[prefix],
        params={"module": rest} if is_module else {**PARAMS.get(prefix, {}), "runtime": "auto"},
        requires=("torch",) if is_module else ("torch", "transformers"),
        about=f"{rest}, without an entry.",
        source="--extractors",
        root=str(Path.cwd()) if is_module else "",
        weights="" if is_module else rest,
        pool="mean" if is_module else "",
    )


def _of_file(kind: Kind, name: str, file: Path, attribute: str) -> Spec:
    """Return the spec of a Python file's attribute."""
    path = file.resolve()
    if not path.is_file():
        raise UsageError(f"--{kind}s {name}: no such file {file}")
    factory = f"{path.stem}:{attribute}"
    return Spec(kind=kind, name=name, factory=factory, source=f"--{kind}s", root=str(path.parent))


def _of_module(kind: Kind, name: str, module: str) -> Spec:
    """Return the spec of a module's attribute, which needs the distribution that has the module."""
    folders = tuple((folder, _changed(folder)) for folder in sys.path)
    distributions = _distributions(folders).get(module.partition(".")[0], [])
    return Spec(
        kind=kind,
        name=name,
        factory=name,
        requires=tuple(distributions[:1]),
        source=f"--{kind}s",
        root=str(Path.cwd()),
    )


@functools.lru_cache(maxsize=1)  # it reads the list of files of every distribution
def _distributions(_: tuple[tuple[str, int], ...]) -> Mapping[str, Sequence[str]]:
    """Return the distributions of each module, for folders of the import path and their times."""
    return importlib.metadata.packages_distributions()


def _changed(folder: str) -> int:
    """Return when something was last installed into a folder, in ns; 0 if there is no folder."""
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0
