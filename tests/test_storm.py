"""A small part of every storm; `tox -e storm` runs the whole."""

import importlib
import random
from pathlib import Path

import pytest

STORMS = {"bodies": 500, "caches": 4, "indexes": 7, "kills": 3, "recordings": 60}
"""Storm -> number of cases."""

SLOW = ("bodies", "indexes", "kills")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in STORMS]
)
def test_every_case_holds(name: str, real: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "home"))
    storm = importlib.import_module(name).storm
    cases = list(storm(tmp_path, STORMS[name], random.Random(0)))  # noqa: S311
    assert len(cases) >= STORMS[name]
    assert [case for case in cases if case.fault] == []
