"""Files that an extractor opens beside its module are part of its identity."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import catalog
from bench.catalog import learners, plugin_files
from bench.embed import pooling
from bench.errors import PluginError
from bench.request import Request
from bench.types import Spec, Status

BASE = """
import os, pathlib
import numpy as np

HERE = pathlib.Path(__file__).parent

class Base:
    sample_rate, dim = 8000, 2

    def embed(self, audio):
        return [np.stack([y[: y.size // 80 * 80].reshape(-1, 80).std(axis=1)] * 2, axis=1) for y in audio]
"""

MANY = """
class Mine(Base):
    mean = np.load(HERE / "at_import.npy")
    files = ["declared.npy"]

    def __init__(self, table):
        print("loading")
        np.load(HERE / "more" / "by_numpy.npy")
        os.close(os.open(HERE / "by_os.npy", os.O_RDONLY))
        np.load(table)
        (HERE / "scratch.npy").write_text("")
        (HERE / "scratch.npy").read_text()
        (HERE / ".hidden.npy").read_bytes()
        (HERE / "mine.py").read_text()
"""

WEIGHTED = """
class Mine(Base):
    def __init__(self):
        self.weights = np.load(HERE / "weights.npy")

    def embed(self, audio):
        return [frames * self.weights for frames in super().embed(audio)]
"""

LAZY = """
class Mine(Base):
    def embed(self, audio):
        weights = np.load(HERE / "weights.npy")
        return [frames * weights for frames in super().embed(audio)]
"""


def plugin(folder: Path, body: str, *files: str, module: str = "mine", **params: str) -> Spec:
    """Return the spec of a class `Mine` beside some files of numbers."""
    (folder / f"{module}.py").write_text(BASE + body)
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        weigh(folder / name, 1.0)
    spec = catalog.resolve("extractor", f"{folder}/{module}.py:Mine", {})
    return Spec("extractor", spec.name, spec.factory, params, source=spec.source, root=spec.root)


def weigh(path: Path, value: float) -> None:
    np.save(path, np.full(2, value))


def names(files: Sequence[str]) -> list[str]:
    return [file.split()[0] for file in files]


def test_what_the_module_and_the_constructor_open_and_the_class_declares_is_in_the_identity(tmp_path: Path):
    folder, table = tmp_path / "plugin", tmp_path / "table.npy"
    (folder / "more").mkdir(parents=True)
    weigh(table, 3.0)
    beside = ("at_import.npy", "declared.npy", "more/by_numpy.npy", "by_os.npy", ".hidden.npy", "unused.npy")
    spec = plugin(folder, MANY, *beside, table=str(table))
    before = plugin_files.identity(spec)["files"]
    assert names(before) == ["at_import.npy", "by_os.npy", "declared.npy", "more/by_numpy.npy", "table"]
    weigh(folder / "unused.npy", 2.0)
    for name in ("declared.npy", "by_os.npy"):
        weigh(folder / name, 2.0)
    after = plugin_files.identity(spec)["files"]
    assert names(set(before) - set(after)) in (["declared.npy", "by_os.npy"], ["by_os.npy", "declared.npy"])
    assert len(after) == len(before)


def test_a_plugin_that_opens_nothing_keeps_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert plugin_files.identity(plugin(tmp_path, "class Mine(Base): ...\n", "unused.npy")) == {}
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("nothing could be opened"))
    alone = tmp_path / "alone"
    alone.mkdir()
    assert plugin_files.identity(plugin(alone, "class Mine(Base): ...\n", module="lone")) == {}
    assert plugin_files.identity(catalog.load().extractors["mfcc"]) == {}


@pytest.mark.parametrize("files", ["['weights.npy', 'absent.npy']", "'weights.npy'"])
def test_declared_files_are_a_list_of_files_that_are_there(tmp_path: Path, files: str):
    spec = plugin(tmp_path, f"class Mine(Base):\n    files = {files}\n", "weights.npy")
    with pytest.raises(
        PluginError, match=r"'.*mine.py:Mine': files (names 'absent.npy'|is 'weights.npy'; exp)"
    ):
        plugin_files.identity(spec)


def test_an_extractor_that_declares_absent_files_fails_beside_others(tmp_path: Path):
    spec = plugin(tmp_path, "class Mine(Base):\n    files = ['absent.npy']\n", "weights.npy")
    declared = catalog.load()
    declared = replace(declared, extractors={**declared.extractors, "mine": replace(spec, name="mine")})
    request = Request(extractors=("mfcc", "mine"), home=tmp_path)
    (mfcc, _), (mine, _) = learners.extractors(request, declared, pooling.parse)
    assert mfcc.obstacle is None
    assert mine.obstacle is not None
    assert mine.obstacle.status == Status.FAILED
    assert "names 'absent.npy'" in mine.obstacle.why.message


def test_a_constructor_that_ends_its_process_has_a_key_of_all_files_beside_it(tmp_path: Path, monkeypatch):
    folder = tmp_path / "plugin"
    folder.mkdir()
    body = "class Mine(Base):\n    def __init__(self): os._exit(3)\n"
    spec = plugin(folder, body, "weights.npy", "more/other.npy")
    before = plugin_files.identity(spec)["files"]
    assert names(before) == ["more/other.npy", "weights.npy"]
    weigh(folder / "more" / "other.npy", 2.0)
    assert plugin_files.identity(spec)["files"] != before
    monkeypatch.setattr(plugin_files, "MOST_FILES", 1)
    with pytest.raises(
        PluginError, match=r"did not end well, and may open more than 1 files in .*plugin; mend"
    ):
        plugin_files.identity(spec)


def test_a_plugin_is_asked_once_until_what_it_sees_changes(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path))
    folder = tmp_path / "plugin"
    folder.mkdir()
    spec = plugin(folder, WEIGHTED, "weights.npy")
    before = plugin_files.identity(spec)
    ask = plugin_files._ask
    monkeypatch.setattr(plugin_files, "_ask", lambda spec: pytest.fail("it is built once more"))
    assert plugin_files.identity(spec) == before
    calls: list[Spec] = []
    monkeypatch.setattr(plugin_files, "_ask", lambda spec: calls.append(spec) or ask(spec))
    weigh(folder / "weights.npy", 2.0)
    assert plugin_files.identity(spec) != before
    weigh(folder / "weights-2.npy", 2.0)  # its constructor may choose the newest one
    plugin_files.identity(spec)
    plugin(folder, WEIGHTED + "# other code\n")
    plugin_files.identity(spec)
    assert len(calls) == 3


@pytest.mark.parametrize("kind", ["head", "reducer"])
def test_files_of_heads_and_reducers_are_in_their_identity(tmp_path: Path, kind: str):
    folder = tmp_path / "plugin"
    folder.mkdir()
    spec = replace(plugin(folder, WEIGHTED, "weights.npy"), kind=kind, name="mine")
    declared = catalog.load()
    if kind == "head":
        declared = replace(declared, heads={**declared.heads, "mine": spec})
    else:
        declared = replace(declared, reducers={**declared.reducers, "mine": spec})
    request = Request(heads=("mine" if kind == "head" else "mine+lda",), home=tmp_path)
    before, _ = learners.heads(request, declared)
    weigh(folder / "weights.npy", 2.0)
    after, _ = learners.heads(request, declared)
    assert before.digest != after.digest
    assert "weights.npy" in str(after.identity)


def test_changed_weights_are_embedded_again_and_audit_names_them(bench, digits: Path, tmp_path: Path):
    folder = tmp_path / "plugin"
    folder.mkdir()
    plugin(folder, WEIGHTED, "weights.npy")
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--heads", "lda"]
    call += ["--extractors", "plugin/mine.py:Mine"]
    assert bench(*call).exit_code == 0
    weigh(folder / "weights.npy", 2.0)
    audited = bench("audit", "bench-out", "--trust", tmp_path)
    assert (audited.exit_code, "mine.py:Mine: changed files" in audited.output) == (1, True)
    again = bench(*call)
    assert "cells: 2 computed, 0 reused" in again.stderr


def test_check_names_a_file_that_embed_opens_later(bench, tmp_path: Path):
    plugin(tmp_path, LAZY, "weights.npy")
    done = bench("check", "./mine.py:Mine")
    line = next(line for line in done.stdout.splitlines() if line.startswith("names_its_files"))
    assert (done.exit_code, "broken" in line) == (1, True)
    assert "weights.npy" in done.stdout


def test_a_file_that_the_constructor_opens_need_not_be_declared(bench, tmp_path: Path):
    plugin(tmp_path, WEIGHTED, "weights.npy")
    assert bench("check", "./mine.py:Mine").exit_code == 0
    declares = LAZY.replace("(Base):", "(Base):\n    files = ['weights.npy']")
    plugin(tmp_path, declares, "weights.npy", module="lazy")
    assert bench("check", "./lazy.py:Mine").exit_code == 0
