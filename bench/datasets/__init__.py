"""Datasets: a card's name, a folder or a manifest -> a table of labelled clips, and its splits."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.datasets import demo, folder, librispeech, manifest
from bench.errors import UsageError, some
from bench.types import Card, Dataset

KINDS: Mapping[str, Callable[..., Dataset]] = {"demo": demo.load}
"""What a card's kind calls: with the folder for what it makes, the card's version and its params."""


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
        raise UsageError(f"{card.place}: kind '{card.kind}' is unknown; expected one of {some(KINDS)}")
    kind = KINDS[card.kind]
    try:
        inspect.signature(kind).bind(home, card.version, **card.params)
    except TypeError as error:
        raise UsageError(f"{card.place}: params: {error}") from error
    try:
        made = kind(home, card.version, **card.params)
    except OSError as error:
        raise UsageError(
            f"{home}: cannot be written ({error.strerror}); set BENCH_CACHE to another folder"
        ) from error
    return dataclasses.replace(made, name=card.name, version=card.version, synthetic=card.synthetic)


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
        return librispeech.load(path) if librispeech.recognises(path) else folder.load(path, label)
    what = "is no folder and no manifest" if path.exists() else "does not exist"
    raise UsageError(
        f"{path}: {what}; expected a folder, a {' or '.join(manifest.SUFFIXES)} file or a data set's name"
    )
