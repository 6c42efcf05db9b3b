"""Datasets: a card's name, a folder or a manifest -> a table of labelled clips, and its splits."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from bench.datasets import demo, fetch, files, folder, librispeech, manifest, mixture
from bench.datasets.segments import segmented
from bench.errors import UsageError, some
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
        raise UsageError(f"{card.place}: kind '{card.kind}' is unknown; expected one of {some(KINDS)}")
    made = _call(card, "params", KINDS[card.kind], card, home, **card.params)
    synthetic = card.synthetic or made.synthetic
    return dataclasses.replace(made, name=card.name, version=card.version, synthetic=synthetic)


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


def _call(card: Card, where: str, function: Callable[..., T], *values: object, **params: Any) -> T:
    """Return what a function makes of a card's params; those that it does not take are the card's error."""
    signature = inspect.signature(function)
    try:
        signature.bind_partial(*values, **params)  # names a misspelt one before what is missing for it
        signature.bind(*values, **params)
    except TypeError as error:
        raise UsageError(f"{card.place}: {where}: {error}") from error
    return function(*values, **params)


def _demo(card: Card, home: Path) -> Dataset:
    try:
        return demo.load(home, card.version)
    except OSError as error:
        reason = f"cannot be written ({error.strerror}); set BENCH_CACHE to another folder"
        raise UsageError(f"{home}: {reason}") from error


def _base(card: Card, home: Path) -> Path:
    """Return what a card's paths are relative to: what was downloaded for it, or else where it stands."""
    if not card.files:
        return Path(card.place).parent
    if not card.folder(home).is_dir():
        size = fetch.n_bytes(card) / 1e6
        raise UsageError(f"data set '{card.name}' is not here; run: bench fetch {card.name} ({size:.0f} MB)")
    return card.folder(home)


def _path(card: Card, home: Path, path: str, segment: Mapping[str, Any] | None = None) -> Dataset:
    """Return the dataset of a folder or manifest, cut into segments if the card says so."""
    return _cut(card, from_path(_base(card, home) / path, "class"), segment)


def _files(
    card: Card, home: Path, path: str, pattern: str, segment: Mapping[str, Any] | None = None, **more: Any
) -> Dataset:
    """Return the dataset of files whose names hold their labels, cut into segments if the card says so."""
    whole = _call(card, "params", files.load, _base(card, home) / path, pattern, **more)
    return _cut(card, whole, segment)


def _mixture(
    card: Card, home: Path, speech: str, noise: str, segment: Mapping[str, Any] | None = None, **recipe: Any
) -> Dataset:
    """Return the mixture of two folders or manifests beside the card, the speech cut before it is mixed."""
    folder = Path(card.place).parent
    mixing = _call(card, "params", mixture.Recipe, **recipe)
    clean = _cut(card, from_path(folder / speech, "class"), segment)
    return mixture.mix(clean, from_path(folder / noise, mixing.noise_label), mixing)


def _cut(card: Card, whole: Dataset, segment: Mapping[str, Any] | None) -> Dataset:
    return _call(card, "params: segment", segmented, whole, **segment) if segment else whole


KINDS: Mapping[str, Callable[..., Dataset]] = {
    "demo": _demo,
    "path": _path,
    "files": _files,
    "mixture": _mixture,
}
"""What a card's kind calls: with the card, the folder for what it makes, and the card's params."""
