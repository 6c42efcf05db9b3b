"""Fitted models on disk: a folder per cell, one pipeline per fold, with the card of what made them.

FOLD.skops holds the pipeline, of a network only its steps; then FOLD.safetensors holds the weights, and
FOLD.json what the network is. Neither runs code when it is read.
"""

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from bench import catalog
from bench.errors import PluginError, UsageError
from bench.types import Result, Spec

CARD = "card.json"

TRUSTED = ("bench.", "xgboost.", "sklearn.", "numpy.", "collections.")
"""The packages of which a file may hold objects."""


def save(folder: Path, result: Result, models: Mapping[str, Pipeline]) -> None:
    """Write the pipelines of a cell, by the fold that each was not trained on.

    Raises
    ------
    UsageError
        If the folder cannot be written.
    PluginError
        If a head holds what no safe format keeps.
    """
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        for fold, model in models.items():
            _write(part, fold, model)
        (part / CARD).write_text(json.dumps(dataclasses.asdict(result), indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from error
    except (TypeError, ValueError, AttributeError) as error:  # a plugin's object that no safe format knows
        shutil.rmtree(part, ignore_errors=True)
        why = " ".join(str(error).split())
        raise PluginError(f"head '{result.head}': its models cannot be kept ({why})") from error


def load(folder: Path, fold: str) -> Pipeline:
    """Return the pipeline of a fold: `predict` takes what the head's unit is made of, unscaled.

    Raises
    ------
    UsageError
        If there is no such model, or it holds objects of packages that are not trusted.
    """
    skops_path = _path(folder, fold, "skops")
    if not skops_path.is_file():
        known = sorted(each.stem for each in folder.glob("*.skops"))
        raise UsageError(f"{skops_path}: there is no such model; folds here: {', '.join(known) or 'none'}")
    import skops.io  # takes seconds to import

    types = skops.io.get_untrusted_types(file=skops_path)
    strange = [name for name in types if not name.startswith(TRUSTED)]
    if strange:
        raise UsageError(f"{skops_path}: holds {', '.join(strange)}, which is not trusted")
    pipeline = skops.io.load(skops_path, trusted=types)
    described = _path(folder, fold, "json")
    if not described.is_file():
        return pipeline
    from safetensors.numpy import load_file  # optional, as networks are

    told = json.loads(described.read_text(encoding="utf-8"))
    head = catalog.build(Spec("head", told["factory"], told["factory"], params=told["params"]))
    tensors = load_file(_path(folder, fold, "safetensors"))
    head.restore(tensors, np.array(told["classes"]), told["sizes"])
    return Pipeline([*pipeline.steps, ("head", head)])


def _path(folder: Path, fold: str, suffix: str) -> Path:
    return folder / f"{fold.replace('/', '_')}.{suffix}"


def _write(folder: Path, fold: str, model: Pipeline) -> None:
    import skops.io  # takes seconds to import

    head = model[-1]
    if not hasattr(head, "tensors"):
        skops.io.dump(model, _path(folder, fold, "skops"))
        return
    from safetensors.numpy import save_file  # optional, as networks are

    skops.io.dump(model[:-1], _path(folder, fold, "skops"))
    save_file(head.tensors(), _path(folder, fold, "safetensors"))
    factory = f"{type(head).__module__}:{type(head).__name__}"
    told: dict[str, Any] = {
        "factory": factory,
        "params": head.get_params(),
        "classes": head.classes_.tolist(),
        "sizes": head.sizes_,
    }
    _path(folder, fold, "json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
