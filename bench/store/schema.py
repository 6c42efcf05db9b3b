"""Lines of results.jsonl and the content of run.json, of this schema and of earlier ones.

Schema 5 of a line is a `Result`; schema 4 has tuned heads as texts, schemas 1 to 3 hold texts, which are
parsed here and nowhere else. Schema 4 of run.json is a `RunRecord`; schema 3 holds sentences on data and
labels, schema 2 on groups and folds too, schema 1 the texts of lines too.
"""

import codecs
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bench.errors import UsageError
from bench.keys import digest
from bench.store import signature
from bench.store.record import RUN_SCHEMA, RunRecord
from bench.types import SCHEMA, UNPOOLED, Result
from bench.types.components import identity_name

LEVELS = {"frame": "frame", "mean": "frame-mean", "clip vote": "parent-vote", "clip mean": "parent-mean"}
"""Level in a text of schema 3 -> level."""

CLUSTER_METRICS = {"ari", "nmi", "v_measure", "purity", "silhouette"}
"""Metrics that schema 3 gave to clusters."""

RANGES = {"stretch": (0.8, 1.25), "pitch": (-2.0, 2.0), "noise": (5.0, 30.0)}
"""Range of a change that a text of schema 3 leaves out."""

FIX = "remove the line, and run the same command again"
"""What to do about a damaged line."""

TUNED_HEAD = " (tuned)"
"""Behind the name of a tuned head in a text of schema 4."""

UNSEALED = (1, 2, 3)
"""Schemas whose lines may have no seal."""

PERMUTED = ", labels permuted"
LEAKY, GROUPED = ", LEAKY, ignores ", ", grouped by "


def line(result: Result) -> str:
    """Return a line of results.jsonl: a result with a seal on it, and another one on its cost.

    The cost has a seal of its own, so that the lines of equal runs differ in nothing else.
    """
    return seal(dataclasses.asdict(result))


def seal(fields: Mapping[str, Any]) -> str:
    """Return the fields of a line as JSON with both seals, and with a key the signature on them."""
    rest = {name: value for name, value in fields.items() if name != "cost"}
    seals = digest(rest), digest(fields["cost"])
    cost = {**fields["cost"], "seal": seals[1]}
    return json.dumps(
        {**fields, "cost": cost, "seal": seals[0], **signature.sign("line", *seals)}, allow_nan=False
    )


def unseal(line: str | bytes) -> tuple[dict[str, Any], bool]:
    """Return the fields of a line without its seals, and whether they are as they were written.

    A line of an earlier schema may have no seal. With a key, a line without its signature is not as it was.

    Raises
    ------
    ValueError
        If the line is no JSON object.
    """
    line = line.encode() if isinstance(line, str) else line
    try:
        # Editors put a mark of the encoding at the beginning. Of equal keys the last counts, and is sealed.
        fields = msgspec.json.decode(line.removeprefix(codecs.BOM_UTF8))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except msgspec.DecodeError as error:  # which old releases do not call a ValueError
        raise ValueError(str(error)) from error
    if not isinstance(fields, dict):
        raise ValueError("no JSON object")
    cost = fields.get("cost", {})
    if not isinstance(cost, dict):
        raise ValueError("cost is no JSON object")
    seals = fields.pop("seal", None), cost.pop("seal", None)
    signed = fields.pop("signature", None)
    if seals == (None, None) and fields.get("schema") in UNSEALED:
        return fields, not signature.is_required()
    rest = {name: value for name, value in fields.items() if name != "cost"}
    expected = digest(rest), digest(cost)
    return fields, seals == expected and signature.is_valid(signed, "line", *expected)


def broken_seal() -> str:
    """Return what is wrong with a line that is not as it was written."""
    if signature.is_required():
        return f"its seal does not match, or it is not signed with the key in {signature.KEY}"
    return "its seal does not match"


def result(line: str | bytes, source: str, *, sealed: bool = False) -> Result:
    """Return the result of a line of schema 1 to 5.

    Parameters
    ----------
    sealed : bool
        Whether to refuse a line that was changed after it was written.

    Raises
    ------
    UsageError
        If the line is damaged, or of a newer schema.
    """
    try:
        fields, is_original = unseal(line)
        schema = fields["schema"]
        if schema > SCHEMA:
            raise UsageError(f"{source}: schema {schema}, newer than {SCHEMA}; upgrade this package")
        if sealed and not is_original:
            raise UsageError(f"{source}: was changed after it was written: {broken_seal()}; {FIX}")
        return msgspec.convert(_migrated(fields, schema), Result)
    except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise UsageError(f"{source}: not a result ({error}); {FIX}") from error


def _migrated(fields: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """Return the fields of a line in this schema."""
    if schema < 4:
        fields = _parsed(fields)
    if schema < 5:
        fields = {**_untuned(fields), "chosen": list(map(_untuned, fields.get("chosen", ())))}
    return {**fields, "schema": SCHEMA}


def _untuned(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a line or of a choice, with the name of its head and whether that is tuned."""
    head = fields["head"]
    return {**fields, "head": head.removesuffix(TUNED_HEAD), "is_tuned": head.endswith(TUNED_HEAD)}


def _parsed(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of schema 4, of a line of an earlier one."""
    rest = {name: value for name, value in fields.items() if name != "augment"}
    return {
        **rest,
        "task": {"name": fields["task"]},
        "view": view_of(fields["view"]),
        "split": split_of(fields["split"]),
        "preprocess": [_step(text) for text in filter(None, fields.get("preprocess", "").split(", "))],
        "augmentation": augmentation_of(fields.get("augment", "")),
        "scores": [_score(name, score) for name, score in fields["scores"].items()],
    }


def view_of(text: str) -> dict[str, Any]:
    """Return the view of a text such as ``layer 9, mean``.

    Examples
    --------
    >>> view_of("layer 9, mean"), view_of("frames")
    ({'layer': 9, 'pool': 'mean'}, {'layer': 'last', 'pool': 'none'})
    """
    layer, _, pool = text.rpartition(", ")
    name = layer.removeprefix("layer ") or "last"
    return {"layer": int(name) if name.isdecimal() else name, "pool": UNPOOLED if pool == "frames" else pool}


def split_of(text: str) -> dict[str, Any] | None:
    """Return the split of a text such as ``cv:5, grouped by speaker``; None for an empty one.

    Examples
    --------
    >>> split_of("random, LEAKY, ignores speaker, labels permuted")
    {'protocol': 'random', 'group': 'speaker', 'leaky': True, 'permuted': True}
    """
    if not text:
        return None
    permuted = text.endswith(PERMUTED)
    text = text.removesuffix(PERMUTED)
    leaky = LEAKY in text
    protocol, _, group = text.rpartition(LEAKY if leaky else GROUPED)
    return {"protocol": protocol, "group": group, "leaky": leaky, "permuted": permuted}


def _step(text: str) -> dict[str, Any]:
    name, _, value = text.partition("=")
    try:
        return {"name": name, "value": float(value) if value else None}
    except ValueError:  # the quality of resampling is a word
        return {"name": name, "value": value}


def augmentation_of(text: str) -> dict[str, Any] | None:
    """Return the augmentation of a text such as ``2 copies of each: pitch=-2:2``; None for an empty one.

    A change without a range has that of `RANGES`.
    """
    if not text:
        return None
    copies, _, changes = text.partition(" of each: ")
    return {
        "copies": int(copies.split()[0]),
        "changes": [_change(change) for change in changes.split(", ")],
    }


def _change(text: str) -> dict[str, Any]:
    name, _, value = text.partition("=")
    low, high = map(float, value.split(":")) if value else RANGES[name]
    return {"name": name, "low": low, "high": high}


def _score(name: str, score: Mapping[str, Any]) -> dict[str, Any]:
    metric, _, level = name.removesuffix("]").partition("[")
    default = "cluster" if metric in CLUSTER_METRICS else "clip"
    return {**score, "metric": metric, "level": LEVELS[level] if level else default}


def run_record(fields: Any, source: str) -> RunRecord:
    """Return the record in a run.json of schema 1 to 4.

    Raises
    ------
    UsageError
        If it is damaged, of a version before 0.1, or of a newer schema.
    """
    try:
        schema = fields["schema"]
        if schema > RUN_SCHEMA:
            raise UsageError(f"{source}: schema {schema}, newer than {RUN_SCHEMA}; upgrade this package")
        return msgspec.convert(_current(fields, schema), RunRecord)
    except (ValueError, KeyError, TypeError, AttributeError, msgspec.ValidationError) as error:
        raise UsageError(f"{source}: no run record ({error}); run the same command again") from error


def _current(fields: Mapping[str, Any], schema: int) -> dict[str, Any]:
    """Return the fields of a record in this schema."""
    tables = fields["tables"]
    if schema < 2:
        tables = list(map(_values, tables))
    if schema < 3:
        tables = list(map(_table, tables))
    if schema < 4:
        tables = [{**table, "remarks": _notes(table.get("remarks", ()))} for table in tables]
        fields = {**fields, "datasets": {name: _dataset(data) for name, data in fields["datasets"].items()}}
        named = {name: fields[name] for name in ("identities", "earlier_identities") if name in fields}
        fields |= {field: {_name(key): value for key, value in part.items()} for field, part in named.items()}
    return {**fields, "schema": RUN_SCHEMA, "tables": tables}


def _dataset(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a data set of schema 4, of one of an earlier schema."""
    return {**data, "notes": _notes(data.get("notes", ()))}


def _notes(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return a `Note` of each sentence."""
    return [{"kind": "text", "names": [text]} for text in texts]


def _name(text: str) -> str:
    """Return the name of an identity, of its text in an earlier schema."""
    return identity_name(text.removesuffix(TUNED_HEAD), is_tuned=text.endswith(TUNED_HEAD))


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's protocol of schema 3, of one of schema 2."""
    note, folds = (_sentence(table.get(name, "")) for name in ("note", "fewer_folds"))
    return {**table, "obstacles": [note] if note else [], "fewer_folds": folds}


def _sentence(text: str) -> dict[str, Any] | None:
    """Return a `GroupObstacle` that holds a sentence; None for an empty one."""
    return {"columns": [], "kind": "text", "count": 1, "examples": [text]} if text else None


def _values(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's protocol of schema 2, of one of schema 1."""
    return {
        **table,
        "task": {"name": table["task"]},
        "split": split_of(table["split"]),
        "augmentation": augmentation_of(table.get("augment", "")),
    }
