"""Bundles: fitted pipelines on disk, with everything that applying them to new audio needs.

A folder holds card.json and, for every fold and for `folds.ALL`, FOLD.skops with the pipeline. For a network,
FOLD.skops holds the steps before it, FOLD.safetensors its weights, and FOLD.json its class and parameters.
Loading runs no code from these files: the classes that they may name are the tables `TRUSTED` and `NETWORKS`.
"""

import json
import shutil
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from bench import catalog
from bench.errors import BenchError, PluginError, UsageError, message, one_line, reason, shortlist
from bench.files import indented_json, parse_json, sync
from bench.learn.normalisation import normalise
from bench.learn.pipeline import with_head
from bench.learn.prediction import clip_predictions, sample_predictions
from bench.learn.samples import SampleTable
from bench.types import Cell, Labels, Samples, Score, Spec
from bench.validation import convert

CARD = "card.json"

SCHEMA = 4
"""Version of card.json; the card of an earlier version was a line of results.jsonl."""

TRUSTED: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "bench.heads.clusters.Clusters",
            "bench.heads.gbdt.GBDT",
            "bench.heads.mixtures.Mixtures",
            "bench.heads.readymade.ReadyMade",
            "bench.heads.svm.CalibratedSVM",
            "bench.heads.svm.SVM",
            "bench.learn.pipeline.FlatTransformer",
            "bench.learn.pipeline.LayerSelector",
            "bench.learn.scaling.LimitedScaler",
            "bench.reducers.umap.Umap",
            "sklearn._loss.link.Interval",
            "sklearn._loss.link.LogitLink",
            "sklearn._loss.link.MultinomialLogit",
            "sklearn._loss.loss.HalfBinomialLoss",
            "sklearn._loss.loss.HalfMultinomialLoss",
            "sklearn.metrics._dist_metrics.EuclideanDistance64",
            "sklearn.neighbors._kd_tree.KDTree",
            "xgboost.core.Booster",
            "xgboost.sklearn.XGBClassifier",
        ),
        "ObjectNode",
    ),
    "sklearn.tree._tree.Tree": "TreeNode",
}
"""Type that a file may hold, beside those of skops itself, -> the loader of skops that restores it.

An ObjectNode sets attributes; other loaders would call the type, with arguments from the file.
"""


class NetworkParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Parameters of `bench.heads.network.Network`, without its device."""

    network: str
    options: Mapping[str, bool | int | float | str | Sequence[Sequence[int]]] | None
    optimizer: str
    lr: float
    batch_size: Annotated[int, msgspec.Meta(ge=1)]
    epochs: int
    patience: int
    crop: int
    spec_augment: bool
    random_state: int


NETWORKS: Mapping[str, type[msgspec.Struct]] = {"bench.heads.network:Network": NetworkParams}
"""Class of networks that a file may name -> its parameters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleCard:
    """What a bundle was made from, and what it takes.

    Parameters
    ----------
    cell : Cell
        Data set, task, extractor, preprocessing, view, reducers, head, seed and split. The unit of its head
        is what `Bundle.predict` takes; paths in parameters begin behind the folders of the machine that made
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

    def predict(self, X: Samples, group: Labels | None = None) -> pd.DataFrame:
        """Return one row per clip: `y_pred`, and a score per class if the head gives scores.

        Parameters
        ----------
        X : Samples
            Embeddings by the card's extractor, preprocessing and view, not scaled, in the shape of the head's
            unit: ``clip`` (n_clips, dim); ``layers``, and ``clip`` with the layer ``best``, every layer,
            (n_clips, n_layers, dim); ``frame`` and ``sequence`` one array per clip, (n_frames, dim).
        group : Labels | None
            With ``cell.normalise`` on the card, the value of that column of every clip, shape=(n_clips,): the
            features are z-scored over the clips of each value, so that these belong in one call.

        Returns
        -------
        pd.DataFrame
            `y_pred`, ``votes_CLASS`` for a head that sees frames, and ``score_CLASS``: probabilities, or else
            decision values.

        Raises
        ------
        UsageError
            If `group` is missing, or not expected.
        """
        column = self.card.cell.normalise
        if bool(column) != (group is not None):
            expected = f"`group`, the {column} of every clip" if column else "no `group`"
            raise UsageError(f"model '{self.fold}': expected {expected}")
        X = X if group is None else normalise(X, (), group)[0]
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
        for path in (*part.iterdir(), part):
            sync(path)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        sync(folder.parent)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({reason(error)})") from error
    except (TypeError, ValueError, AttributeError) as error:  # an object of a plugin that skops cannot hold
        shutil.rmtree(part, ignore_errors=True)
        name = card.cell.head.name
        raise PluginError(f"head '{name}': its models cannot be saved ({message(error)})") from error


def load(folder: Path, fold: str, trusted: Sequence[str] = ()) -> Bundle:
    """Return a model of a folder that `save` wrote: a fold's, or ``all`` for the model of all clips.

    Parameters
    ----------
    trusted : Sequence[str]
        More types that the file may hold, such as the class of your own head. Their code may run.

    Raises
    ------
    UsageError
        If there is no such model, the card has another schema, or a file is damaged or holds a type that is
        not trusted.
    """
    card = read_card(folder)
    path = _path(folder, fold, "skops")
    if fold not in card.folds or not path.is_file():
        raise UsageError(f"{folder}: no model '{fold}'; expected one of {', '.join(card.folds)}")
    try:
        pipeline = _pipeline(path, trusted)
        if _path(folder, fold, "safetensors").is_file():
            pipeline = with_head(pipeline, _network(folder, fold))
    except BenchError:
        raise
    except Exception as error:  # a damaged file makes skops, scikit-learn, XGBoost or torch raise anything
        raise UsageError(f"{folder}: model '{fold}' cannot be loaded ({one_line(error)})") from error
    if not hasattr(pipeline[-1], "predict"):
        raise UsageError(f"{path}: holds no head; expected a pipeline that ends with one")
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
    check_schema(path, fields.get("schema"), SCHEMA, "write it again: bench run --save-models")
    return convert(fields, BundleCard, str(path))


def check_schema(path: Path, schema: object, expected: int, fix: str) -> None:
    """Refuse a card of another schema.

    Parameters
    ----------
    fix : str
        What to do with an earlier one.

    Raises
    ------
    UsageError
        If the schema is not the expected one.
    """
    if schema != expected:
        is_newer = isinstance(schema, int) and schema > expected
        fix = "upgrade this package" if is_newer else fix
        raise UsageError(f"{path}: schema {schema}; expected {expected}; {fix}")


def _path(folder: Path, fold: str, suffix: str) -> Path:
    return folder / f"{fold.replace('%', '%25').replace('/', '%2F')}.{suffix}"


def _write_json(path: Path, value: object) -> None:
    path.write_text(indented_json(value), encoding="utf-8")


def _read_json(path: Path, noun: type[Any]) -> Any:
    try:
        value = parse_json(path.read_bytes())
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
    from safetensors.numpy import save  # optional, as networks are

    skops.io.dump(model[:-1], _path(folder, fold, "skops"))
    # `save_file` makes a file that no other user of this machine may read
    _path(folder, fold, "safetensors").write_bytes(save(head.tensors()))
    # The device is a fact of this machine; `load` takes the one that is there.
    params = {name: value for name, value in head.get_params().items() if name != "device"}
    card = _NetworkCard(
        factory=f"{type(head).__module__}:{type(head).__name__}",
        params=params,
        classes=head.classes_.tolist(),
        sizes=head.sizes_,
    )
    _write_json(_path(folder, fold, "json"), card)


def _pipeline(path: Path, trusted: Sequence[str]) -> Pipeline:
    """Return the pipeline in a file of skops.

    Raises
    ------
    UsageError
        If the file is compressed, or holds a type that is not trusted or no pipeline.
    """
    import skops.io  # takes seconds to import

    with zipfile.ZipFile(path) as file:
        if any(member.compress_type != zipfile.ZIP_STORED for member in file.infolist()):
            raise UsageError(f"{path}: is compressed; expected a file that `bench run --save-models` wrote")
        nodes = _nodes(json.loads(file.read("schema.json")))
        called = {name for name, loader in nodes if TRUSTED.get(name, loader) != loader}
    untrusted = {*skops.io.get_untrusted_types(file=path)} - TRUSTED.keys()
    if strange := (untrusted | called) - {*trusted}:
        fix = "name it in `trusted` if it is a class of your own"
        raise UsageError(f"{path}: holds {shortlist(strange)}, which is not trusted; {fix}")
    pipeline = skops.io.load(path, trusted=[*TRUSTED, *trusted])
    if not isinstance(pipeline, Pipeline):
        raise UsageError(f"{path}: holds {type(pipeline).__name__}; expected a pipeline")
    return pipeline


def _nodes(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield the type and the loader of every node in the schema of a file of skops."""
    if isinstance(schema, dict) and "__loader__" in schema:
        yield f"{schema.get('__module__')}.{schema.get('__class__')}", str(schema["__loader__"])
    children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for child in children:
        yield from _nodes(child)


def _network(folder: Path, fold: str) -> Any:
    """Return the network of a model, with its weights.

    Raises
    ------
    UsageError
        If its class is not in `NETWORKS`, or a parameter is unknown or has another type.
    """
    from safetensors.numpy import load_file  # optional, as networks are

    path = _path(folder, fold, "json")
    card = _read_json(path, _NetworkCard)
    if card.factory not in NETWORKS:
        raise UsageError(f"{path}: names {card.factory}, which is not trusted")
    convert(card.params, NETWORKS[card.factory], str(path), "params")
    head = catalog.build(Spec("head", card.factory, card.factory, params=card.params))
    head.restore(load_file(_path(folder, fold, "safetensors")), np.array(card.classes), card.sizes)
    return head
