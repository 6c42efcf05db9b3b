"""The folder of a model: written whole, and read without its training data and without running its code.

`card.json` and the files of the pipeline are those of `bench.learn.bundle`; `model.json` is the card of the
model, with the SHA-256 of every other file; `familiarity.safetensors` holds the training embeddings that a
recording is compared with; `README.md` says all of it for people.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import safetensors.numpy
from sklearn.pipeline import Pipeline

from bench import display
from bench.calibration.familiarity import Familiarity
from bench.catalog import Registry, learners, names
from bench.catalog.learners import Learner
from bench.errors import UsageError, one_line, reason, shortlist
from bench.files import indented_json, parse_json, sha256, sync
from bench.inference import readme
from bench.inference.cards import SCHEMA, ModelCard
from bench.inference.model import Model
from bench.keys import changes
from bench.learn import bundle
from bench.learn.bundle import BundleCard
from bench.learn.folds import ALL
from bench.request import Request
from bench.validation import convert

CARD = "model.json"

FAMILIARITY = "familiarity.safetensors"

FILES = re.compile(r"(model|card|all)\.json|README\.md|(all|familiarity)\.safetensors|all\.skops")
"""Names of the files of a model; a folder with others is never replaced."""

AGAIN = "write it again: bench export"


def write(
    folder: Path,
    card: ModelCard,
    bundle_card: BundleCard,
    pipeline: Pipeline,
    familiarity: Familiarity | None,
) -> None:
    """Write a model, in place of an earlier one.

    Raises
    ------
    UsageError
        If the folder holds something else than a model, or cannot be written.
    PluginError
        If no safe format can hold the pipeline.
    """
    check_free(folder)
    part = folder.with_name(f"{folder.name}.new")
    bundle.save(part, bundle_card, {ALL: pipeline})
    try:
        if familiarity is not None:
            # `save_file` makes a file that no other user of this machine may read
            (part / FAMILIARITY).write_bytes(safetensors.numpy.save(familiarity.arrays()))
        files = {path.name: sha256(path) for path in sorted(part.iterdir())}
        card = replace(card, has_familiarity=familiarity is not None, files=files)
        (part / CARD).write_text(indented_json(card), encoding="utf-8")
        (part / "README.md").write_text(readme.text(card, bundle_card), encoding="utf-8")
        for path in (*part.iterdir(), part):
            sync(path)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        sync(folder.parent)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({reason(error)})") from error


def check_free(folder: Path) -> None:
    """Refuse a path at which there is something else than a model.

    Raises
    ------
    UsageError
        If there is.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    entries = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if folder.exists() and not (CARD in entries and all(map(FILES.fullmatch, entries))):
        raise UsageError(f"--to {folder}: holds something else than a model; expected a folder that is free")


def read(
    folder: Path,
    declared: Registry,
    request: Request,
    *,
    weights: str = "",
    trusted: Sequence[str] = (),
) -> Model:
    """Return the model in a folder.

    Parameters
    ----------
    request : Request
        Its device counts.
    weights : str
        Folder or file of the extractor's weights; empty for where its name says.
    trusted : Sequence[str]
        See `bundle.load`; also names of extractors without an entry, such as ``mine.py:Zcr``.

    Raises
    ------
    UsageError
        If the folder holds no model, a file was changed or is damaged, or its extractor is code without an
        entry, or another one here than the model was fitted with.
    """
    card = _card(folder)
    _check_files(folder, card)
    loaded = bundle.load(folder, ALL, trusted)
    cell = loaded.card.cell
    if names.is_code(cell.extractor.name, declared.extractors) and cell.extractor.name not in trusted:
        raise UsageError(
            f"{folder}: its card names the code of an extractor, '{cell.extractor.name}', which may be "
            "anybody's; declare it in registry/extractors.toml, run by that name and export again"
        )
    identity = loaded.card.extractor_identity
    request = replace(
        request,
        precision=identity.get("precision", "fp32"),
        runtime=cell.extractor.params.get("runtime", "auto"),
    )
    try:
        learner = learners.extractor(cell.extractor, request, declared, weights)
    except UsageError as error:
        fix = "work in the folder whose registry declares it, or name its weights by --weights"
        raise UsageError(f"{folder}: its extractor is not here ({error}); {fix}") from error
    _check_extractor(folder, learner, identity)
    return Model(card, loaded, learner, _familiarity(folder) if card.has_familiarity else None)


def _familiarity(folder: Path) -> Familiarity:
    path = folder / FAMILIARITY
    try:
        return Familiarity.from_arrays(safetensors.numpy.load_file(path))
    except (OSError, KeyError, ValueError, TypeError, safetensors.SafetensorError) as error:
        raise UsageError(f"{path}: cannot be read ({one_line(error)}); {AGAIN}") from error


def _card(folder: Path) -> ModelCard:
    path = folder / CARD
    if not path.is_file():
        raise UsageError(f"{folder}: holds no {CARD}; expected a folder that `bench export` wrote")
    try:
        fields = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); {AGAIN}") from error
    schema = fields.get("schema") if isinstance(fields, Mapping) else None
    bundle.check_schema(path, schema, SCHEMA, AGAIN)
    return convert(fields, ModelCard, str(path))


def _check_files(folder: Path, card: ModelCard) -> None:
    """Refuse files that are not those that were written."""
    for name, digest in card.files.items():
        path = folder / name
        if not path.is_file():
            raise UsageError(f"{path}: not found; {AGAIN}")
        if sha256(path) != digest:
            raise UsageError(f"{path}: was changed after the model was written; {AGAIN}")


def _check_extractor(folder: Path, learner: Learner, identity: Mapping[str, Any]) -> None:
    """Refuse an extractor that computes other embeddings than those the model was fitted to."""
    name = learner.spec.name
    if learner.obstacle:
        raise UsageError(f"{folder}: {display.cell_obstacle(learner.obstacle.why)}")
    here = msgspec.to_builtins(learner.identity)
    different = [key for key in changes(identity, here) if key not in {"versions", "audio"}]
    if different:
        raise UsageError(
            f"{folder}: extractor '{name}' here differs from the one it was fitted with in "
            f"{shortlist(different)}; expected the same weights and code, see --weights"
        )
