"""A working folder with `datasets/` and `registry/` is no place for libraries to look in."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.catalog import imports

CODE = """
import importlib.util
import numpy as np

if importlib.util.find_spec("datasets") or importlib.util.find_spec("registry"):
    raise ImportError("the working folder is on the import path")

class Levels:
    sample_rate, dim = 8000, 1
    def embed(self, audio):
        return [np.abs(y).mean(keepdims=True) for y in audio]
"""


@pytest.fixture
def folder(tmp_path: Path, digits: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder with a plugin, a data set card and an entry."""
    (tmp_path / "datasets").mkdir()
    (tmp_path / "registry").mkdir()
    card = f'kind = "path"\nversion = "1"\nabout = "Digits"\n[params]\npath = "{digits}"\n'
    (tmp_path / "datasets" / "mine.toml").write_text(card)
    (tmp_path / "registry" / "extractors.toml").write_text('[levels]\nfactory = "levels:Levels"\n')
    (tmp_path / "levels.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


ARGUMENTS = ["run", "--datasets", "mine", "--tasks", "speaker", "--extractors", "levels", "--heads", "lda"]


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "-m", "bench", *ARGUMENTS],
        [Path(sys.executable).with_name("bench"), *ARGUMENTS],
        [sys.executable, "-m", "bench", *ARGUMENTS, "--jobs", "2"],
    ],
    ids=["module", "script", "workers"],
)
def test_a_command_runs_from_a_folder_with_datasets_and_registry(command: list[str], folder: Path):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cells: 2 computed" in done.stderr


def test_a_library_that_is_imported_for_a_program_does_not_see_the_folder(folder: Path):
    """A program or notebook has the working folder first on its import path."""
    code = "import sys; assert sys.path[0] == ''; from bench import catalog; from bench.types import Spec;"
    code += "catalog.build(Spec('extractor', 'probe', 'probe:Levels'))"
    site = folder / "site"
    site.mkdir()
    (site / "probe.py").write_text(CODE)
    environment = {"PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_folders_without_code_are_no_modules(tmp_path: Path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "namespace").mkdir()
    (tmp_path / "namespace" / "code.py").touch()
    (tmp_path / "module.py").touch()
    finder = imports.FolderFinder(str(tmp_path))
    names = [
        name for name in ("notes", "package", "namespace", "module", "absent") if finder.find_spec(name, None)
    ]
    assert names == ["package", "namespace", "module"]
