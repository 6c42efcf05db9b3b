"""Datasets: a card's name, a folder or a manifest -> a table of labelled clips, and its splits."""

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from bench.datasets import fetch
from bench.datasets.joins import join
from bench.datasets.kinds import audiofolder, demo, files, folder, librispeech, manifest, mixture
from bench.datasets.segments import segmented
from bench.errors import UsageError, one_line, shortlist
from bench.types import Card, Dataset

T = TypeVar("T")


def from_card(card: Card, home: Path) -> Dataset:
    """Return the dataset of a card.

    Parameters
    ----------
    home : Path
        The folder for what is made or downloaded.

    Raises
    ------
    UsageError
        If the card's kind is unknown or does not take its params, or `home` cannot be written.
    """
    if card.kind not in KINDS:
        raise UsageError(f"{card.source}: kind '{card.kind}' is unknown; expected one of {shortlist(KINDS)}")
    made = _call(card, "params", KINDS[card.kind], card, home, **card.params)
    return dataclasses.replace(
        made,
        name=card.name.replace("/", "."),  # files are called after it
        version=card.version,
        synthetic=card.synthetic or made.synthetic,
        fixed={path.stem: path for path in sorted(Path(card.source).with_suffix("").glob("*.csv"))},
    )


def from_table(table: pd.DataFrame, name: str) -> Dataset:
    """Return the dataset of a table as of a manifest; its paths are relative to the working folder.

    Raises
    ------
    UsageError
        As of `manifest.load`.
    """
    return manifest.of_table(table.reset_index(drop=True), Path.cwd() / name, name)


def from_path(path: Path, label: str) -> Dataset:
    """Return the dataset of a folder or a manifest.

    Parameters
    ----------
    label : str
        The label column that the classes of a folder CLASS/*.wav go into.

    Raises
    ------
    UsageError
        If there is nothing there, or something else.
    """
    if path.suffix.lower() in manifest.SUFFIXES:
        return manifest.load(path)
    if path.is_dir():
        if librispeech.recognises(path):
            return librispeech.load(path)
        if (path / "db.yaml").is_file():
            tables = shortlist([file.name for file in path.glob("db.*") if file.suffix in manifest.SUFFIXES])
            raise UsageError(f"{path}: is an audformat database; give a table of it ({tables}), or a card")
        return audiofolder.load(path, label) if audiofolder.recognises(path) else folder.load(path, label)
    what = "is no folder and no manifest" if path.exists() else "does not exist"
    raise UsageError(
        f"{path}: {what}; expected a folder, a {' or '.join(manifest.SUFFIXES)} file or a data set's name"
    )


def _call(card: Card, where: str, function: Callable[..., T], *values: object, **params: Any) -> T:
    """Return what a function makes of a card's params; those that it does not take are the card's error."""
    signature = inspect.signature(function)
    try:
        signature.bind_partial(*values, **params)  # names a misspelt one before what is missing for it
        signature.bind(*values, **params)
    except TypeError as error:
        raise UsageError(f"{card.source}: {where}: {error}") from error
    return function(*values, **params)


def _demo(card: Card, home: Path) -> Dataset:
    try:
        return demo.load(home, card.version)
    except OSError as error:
        reason = f"cannot be written ({error.strerror}); set BENCH_CACHE to another folder"
        raise UsageError(f"{home}: {reason}") from error


def _function(card: Card, home: Path, factory: str) -> Dataset:
    """Return the dataset of what a distribution's function returns: a path, or a table as of a manifest."""
    module, _, attribute = factory.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)()
    except Exception as error:  # whatever a plugin raises is its own
        raise UsageError(f"{card.source}: data set '{card.name}': {one_line(error)}") from error
    if isinstance(made, pd.DataFrame):
        return from_table(made, card.name)
    return from_path(Path(made), "class")


def _base(card: Card, home: Path) -> Path:
    """Return what a card's paths are relative to: what was downloaded for it, or else where it stands."""
    if not (card.files or card.obtain):
        return Path(card.source).parent
    if not card.folder(home).is_dir():
        size = fetch.size(card)
        raise UsageError(f"data set '{card.name}' is not here; run: bench fetch {card.name}{size}")
    return card.folder(home)


def _path(card: Card, home: Path, path: str, **more: Any) -> Dataset:
    """Return the dataset of a folder or manifest."""
    place = _base(card, home) / path
    folder = place if place.is_dir() else place.parent
    return _call(card, "params", _finished, card, folder, from_path(place, "class"), **more)


def _files(
    card: Card, home: Path, path: str, pattern: str, lists: Mapping[str, str] | None = None, **more: Any
) -> Dataset:
    """Return the dataset of files whose names hold their labels."""
    folder = _base(card, home) / path
    return _call(card, "params", _finished, card, folder, files.load(folder, pattern, lists), **more)


def _mixture(
    card: Card,
    home: Path,
    speech: str | Mapping[str, Any],
    noise: str | Mapping[str, Any],
    segment: Mapping[str, Any] | None = None,
    **recipe: Any,
) -> Dataset:
    """Return the mixture of two paths, or of the files of two patterns; the speech is cut first."""
    mixing = _call(card, "params", mixture.Recipe, **recipe)
    clean = _part(card, home, "speech", speech, "class")
    made = _finished(card, Path(), clean, segment=segment)
    return mixture.mix(made, _part(card, home, "noise", noise, mixing.noise_label), mixing)


def _part(card: Card, home: Path, name: str, part: str | Mapping[str, Any], label: str) -> Dataset:
    """Return one side of a mixture: of a path, or of a table with path and pattern."""
    if isinstance(part, str):
        return from_path(_base(card, home) / part, label)
    return _call(card, f"params: {name}", _files, card, home, **part)


def _finished(
    card: Card,
    folder: Path,
    made: Dataset,
    *,
    tables: Sequence[Mapping[str, Any]] = (),
    rename: Mapping[str, str] | None = None,
    values: Mapping[str, Mapping[str, str]] | None = None,
    drop: Mapping[str, Sequence[str]] | None = None,
    segment: Mapping[str, Any] | None = None,
) -> Dataset:
    """Return a dataset with what its card makes of it: more columns, other names, fewer clips, segments.

    Parameters
    ----------
    tables : Sequence[Mapping[str, Any]]
        What `join` is called with.
    rename : Mapping[str, str] | None
        Column -> what it is called instead.
    values : Mapping[str, Mapping[str, str]] | None
        Column -> what the data say -> the label.
    drop : Mapping[str, Sequence[str]] | None
        Column -> the labels whose clips are left out.
    segment : Mapping[str, Any] | None
        What `segmented` is called with.
    """
    for table in tables:
        made = _call(card, "params: tables", join, made, folder, **table)
    made = dataclasses.replace(made, table=made.table.rename(columns=dict(rename or {})))
    for column in {**(values or {}), **(drop or {})}:
        if column not in made.labels:
            raise UsageError(f"{card.source}: params: there is no column '{column}'")
    for column, renamed in (values or {}).items():
        named = made.table[column].replace(dict(renamed))
        made = dataclasses.replace(made, table=made.table.assign(**{column: named}))
    for column, labels in (drop or {}).items():
        left_out = made.table[column].isin(labels)
        note = f"Clips left out: {left_out.sum()} with the {column} {', '.join(labels)}."
        made = dataclasses.replace(made, table=made.table[~left_out], notes=(*made.notes, note))
    return _call(card, "params: segment", segmented, made, **segment) if segment else made


KINDS: Mapping[str, Callable[..., Dataset]] = {
    "demo": _demo,
    "function": _function,
    "path": _path,
    "files": _files,
    "mixture": _mixture,
}
"""What a card's kind calls: with the card, the folder for what it makes, and the card's params."""
