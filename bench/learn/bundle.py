"""Bundles: fitted pipelines on disk, with everything that applying them to new audio needs.

A folder holds card.json and, for every fold and for `folds.ALL`, FOLD.skops with the pipeline. For a network,
FOLD.skops holds the steps before it, FOLD.safetensors its weights, and FOLD.json its class and parameters.
Loading runs no code from these files.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from bench import catalog
from bench.errors import PluginError, UsageError, message
from bench.learn.pipeline import with_head
from bench.learn.prediction import clip_predictions, sample_predictions
from bench.learn.samples import SampleTable
from bench.types import Cell, Samples, Score, Spec
from bench.validation import convert

CARD = "card.json"

SCHEMA = 4
"""Version of card.json; the card of an earlier version was a line of results.jsonl."""

TRUSTED = ("bench.", "xgboost.", "sklearn.", "numpy.", "collections.")
"""Prefixes of the types that a file may hold."""

NETWORKS = "bench."
"""Prefix of the classes of networks that a file may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCard:
    """What a bundle was made from, and what it takes.

    Parameters
    ----------
    cell : Cell
        Data set, task, extractor, preprocessing, view, reducers, head, seed and split. The unit of its head
        is what `Bundle.predict` takes; paths in the extractor's parameters are those of the machine that made
        the bundle.
    extractor_identity : Mapping[str, Any]
        Everything that changes the extractor's embeddings: versions, digest of the weights, preprocessing.
        Embeddings of an extractor with another identity do not fit.
    labels : tuple[str, ...]
        Classes, sorted.
    data_digest : str
        Digest of the content of every clip.
    split_digest : str
        Digest of the content, label, fold and groups of every clip.
    folds : tuple[str, ...]
        Names of the models; `save` fills them in.
    scores : tuple[Score, ...]
        Scores of the folds.
    env : Mapping[str, str]
        Versions of Python and of the libraries.
    """

    cell: Cell
    extractor_identity: Mapping[str, Any]
    labels: tuple[str, ...]
    data_digest: str
    split_digest: str
    folds: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()
    env: Mapping[str, str]
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class _NetworkCard:
    """Class, parameters, classes and layer sizes of a network, whose weights are in a file of their own."""

    factory: str
    params: Mapping[str, Any]
    classes: list[str]
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A fitted pipeline with its card."""

    card: BundleCard
    fold: str
    pipeline: Pipeline

    def predict(self, X: Samples) -> pd.DataFrame:
        """Return one row per clip: `y_pred`, and a score per class if the head gives scores.

        Parameters
        ----------
        X : Samples
            Embeddings by the card's extractor, preprocessing and view, not scaled, in the shape of the head's
            unit: ``clip`` (n_clips, dim); ``layers`` (n_clips, n_layers, dim); ``frame`` and ``sequence`` one
            array per clip, (n_frames, dim).

        Returns
        -------
        pd.DataFrame
            `y_pred`, ``votes_CLASS`` for a head that sees frames, and ``score_CLASS``: probabilities, or else
            decision values.
        """
        unit, classes = self.card.cell.head.unit, np.array(self.card.labels)
        samples = SampleTable.of(X, unit=unit)
        features = self.pipeline[:-1].transform(samples.X)
        y_pred, scores = sample_predictions(self.pipeline[-1], features, classes)
        return clip_predictions(unit, samples.clip, y_pred, scores, classes)


def save(folder: Path, card: BundleCard, models: Mapping[str, Pipeline]) -> None:
    """Write models by the fold that tests them, and the model of all clips, in place of the folder.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    PluginError
        If no safe format can hold a model.
    """
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    card = replace(card, folds=tuple(models))
    try:
        part.mkdir(parents=True)
        for fold, model in models.items():
            _write(part, fold, model)
        _write_json(part / CARD, card)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from error
    except (TypeError, ValueError, AttributeError) as error:  # an object of a plugin that skops cannot hold
        shutil.rmtree(part, ignore_errors=True)
        name = card.cell.head.name
        raise PluginError(f"head '{name}': its models cannot be saved ({message(error)})") from error


def load(folder: Path, fold: str) -> Bundle:
    """Return a model of a folder that `save` wrote: a fold's, or ``all`` for the model of all clips.

    Raises
    ------
    UsageError
        If there is no such model, the card has another schema, or a file holds a type that is not trusted.
    """
    card = read_card(folder)
    path = _path(folder, fold, "skops")
    if fold not in card.folds or not path.is_file():
        raise UsageError(f"{folder}: no model '{fold}'; expected one of {', '.join(card.folds)}")
    import skops.io  # takes seconds to import

    types = skops.io.get_untrusted_types(file=path)
    strange = [name for name in types if not name.startswith(TRUSTED)]
    if strange:
        raise UsageError(f"{path}: holds {', '.join(strange)}, which is not trusted")
    pipeline = skops.io.load(path, trusted=types)
    if _path(folder, fold, "safetensors").is_file():
        pipeline = with_head(pipeline, _network(folder, fold))
    return Bundle(card, fold, pipeline)


def read_card(folder: Path) -> BundleCard:
    """Return the card of a folder that `save` wrote.

    Raises
    ------
    UsageError
        If there is no card, or it has another schema.
    """
    path = folder / CARD
    if not path.is_file():
        raise UsageError(f"{path}: not found; expected a folder that `bench run --save-models` wrote")
    fields = _read_json(path, dict[str, Any])
    schema = fields.get("schema")
    if schema != SCHEMA:
        is_newer = isinstance(schema, int) and schema > SCHEMA
        fix = "upgrade this package" if is_newer else "write it again: bench run --save-models"
        raise UsageError(f"{path}: schema {schema}; expected {SCHEMA}; {fix}")
    return convert(fields, BundleCard, str(path))


def _path(folder: Path, fold: str, suffix: str) -> Path:
    return folder / f"{fold.replace('%', '%25').replace('/', '%2F')}.{suffix}"


def _write_json(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def _read_json(path: Path, noun: type[Any]) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error})") from error
    return convert(value, noun, str(path))


def _write(folder: Path, fold: str, model: Pipeline) -> None:
    """Write the files of one model."""
    import skops.io  # takes seconds to import

    head = model[-1]
    if not hasattr(head, "tensors"):
        skops.io.dump(model, _path(folder, fold, "skops"))
        return
    from safetensors.numpy import save_file  # optional, as networks are

    skops.io.dump(model[:-1], _path(folder, fold, "skops"))
    save_file(head.tensors(), _path(folder, fold, "safetensors"))
    # The device is a fact of this machine; `load` takes the one that is there.
    params = {name: value for name, value in head.get_params().items() if name != "device"}
    card = _NetworkCard(
        factory=f"{type(head).__module__}:{type(head).__name__}",
        params=params,
        classes=head.classes_.tolist(),
        sizes=head.sizes_,
    )
    _write_json(_path(folder, fold, "json"), card)


def _network(folder: Path, fold: str) -> Any:
    """Return the network of a model, with its weights."""
    from safetensors.numpy import load_file  # optional, as networks are

    path = _path(folder, fold, "json")
    card = _read_json(path, _NetworkCard)
    if not card.factory.startswith(NETWORKS):
        raise UsageError(f"{path}: names {card.factory}, which is not trusted")
    head = catalog.build(Spec("head", card.factory, card.factory, params=card.params))
    head.restore(load_file(_path(folder, fold, "safetensors")), np.array(card.classes), card.sizes)
    return head
