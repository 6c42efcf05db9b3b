"""Digests of JSON values, and the fields in which two of them differ."""

import hashlib
import json
from collections.abc import Mapping


def digest(value: object) -> str:
    """Return the key of a value: the first 32 hex digits of the SHA-256 of its canonical JSON.

    Parameters
    ----------
    value : object
        Dicts with str keys, lists, tuples, str, int, finite float, bool and None.

    Raises
    ------
    TypeError, ValueError
        If `value` holds anything else, which JSON would change or drop.

    Examples
    --------
    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    >>> digest(1) == digest("1")
    False
    """
    _refuse_other_keys(value)
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the keys of which two mappings have different values, sorted; a missing value is None.

    Examples
    --------
    >>> changes({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4})
    ['b', 'c']
    """
    return [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]


def _refuse_other_keys(value: object) -> None:
    """Raise TypeError for a dict key that JSON would turn into a str."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"digest: key {key!r} is {type(key).__name__}, expected str")
            _refuse_other_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_other_keys(item)
