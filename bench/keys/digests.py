"""Digests of JSON values."""

import hashlib
import json
from collections.abc import Mapping


def digest(value: object) -> str:
    """Return the key of a JSON value: 32 hex digits of the SHA-256 of its canonical form.

    Parameters
    ----------
    value : object
        Made of dict (with str keys), list, tuple, str, int, finite float, bool and None.

    Raises
    ------
    TypeError, ValueError
        If `value` holds anything else: a key is never made from a lossy text.

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


def _refuse_other_keys(value: object) -> None:
    """Raise TypeError on a dict key that JSON would silently turn into a string."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"digest: key {key!r} is {type(key).__name__}, expected str")
            _refuse_other_keys(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_other_keys(item)
