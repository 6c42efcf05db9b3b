"""Signatures on results and run records, with a key that a team shares (HMAC-SHA256, RFC 2104)."""

import hashlib
import hmac
import os
from pathlib import Path
from typing import Any

from bench.errors import UsageError
from bench.keys import digest

KEY = "BENCH_SIGNING_KEY"
"""Environment variable with the key. With it, what is written is signed, and what is read must be signed."""


def is_required() -> bool:
    """Return whether there is a key."""
    return bool(os.environ.get(KEY))


def sign(*parts: str) -> dict[str, str]:
    """Return the field that signs some digests; no field without a key."""
    return {"signature": _signature(parts)} if is_required() else {}


def is_valid(signature: object, *parts: str) -> bool:
    """Return whether a signature is that of some digests; without a key, every one is."""
    if not is_required():
        return True
    return isinstance(signature, str) and hmac.compare_digest(signature.encode(), _signature(parts).encode())


def unsigned(record: Any, path: Path) -> Any:
    """Return the content of a run record's file without its signature.

    Raises
    ------
    UsageError
        If there is a key, and the record is not signed with it.
    """
    signature = record.pop("signature", None) if isinstance(record, dict) else None
    if not is_valid(signature, "run", digest(record)):
        raise UsageError(
            f"{path}: is not signed with the key in {KEY}; run it again with the key, into another folder, "
            "or unset the variable"
        )
    return record


def _signature(parts: tuple[str, ...]) -> str:
    return hmac.new(os.environ[KEY].encode(), digest(parts).encode(), hashlib.sha256).hexdigest()
