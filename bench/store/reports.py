"""The record of a report as text, with a seal."""

import json
from dataclasses import asdict, replace

import msgspec

from bench.files import parse_json
from bench.keys import digest
from bench.store.record import ReportRecord


def parse(data: bytes) -> ReportRecord | None:
    """Return the record in a file's bytes; None if it does not match its seal.

    Raises
    ------
    ValueError
        If it is no JSON, or lacks a field.
    """
    report = msgspec.convert(parse_json(data), ReportRecord)
    return replace(report, seal="") if report.seal == _seal(report) else None


def text(report: ReportRecord) -> str:
    """Return the text of a record's file."""
    return json.dumps({**asdict(report), "seal": _seal(report)}, indent=2) + "\n"


def _seal(report: ReportRecord) -> str:
    return digest(asdict(replace(report, seal="")))
