import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from bench.embed import pooling, tables
from bench.embed.cache import Cache, ClipEmbedding
from bench.errors import UsageError
from bench.store import Store
from bench.types import Usage, View


def batch(*contents: str, dim: int = 3) -> dict[str, ClipEmbedding]:
    rng = np.random.default_rng(len(contents))
    return {
        content: ClipEmbedding(
            rng.normal(size=(2, 4, dim)).astype(np.float32), 1.5 + i, Usage(0.1 * i, 0.2 * i, 100.0), 7, 2
        )
        for i, content in enumerate(contents)
    }


def batch_files(root: Path) -> list[Path]:
    return sorted(root.glob("embeddings-*/*/*.batch"))


@pytest.fixture(params=["folder", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "folder" else f"memory://{tmp_path.name}"


def test_what_is_written_is_read_by_another_process_s_cache(root: str):
    Cache(root).write("mfcc", batch("a", "b"))
    Cache(root).write("mfcc", batch("c"))
    assert Cache(root).contents("mfcc") == {"a", "b", "c"}
    embeddings = Cache(root).read("mfcc", ["a", "b", "c"])
    assert set(embeddings) == {"a", "b", "c"}
    assert set(Cache(root).read("mfcc", ["c", "x"])) == {"c"}
    for content, embedded in {**batch("a", "b"), **batch("c")}.items():
        np.testing.assert_array_equal(embeddings[content].statistics, embedded.statistics)
        assert dataclasses.replace(embeddings[content], statistics=embedded.statistics) == embedded


def test_a_file_of_an_earlier_version_does_not_say_how_many_threads(tmp_path: Path, monkeypatch):
    table = tables.embeddings_table
    monkeypatch.setattr(tables, "embeddings_table", lambda rows: table(rows).drop_columns("threads"))
    Cache(str(tmp_path)).write("mfcc", batch("a"))
    row = Cache(str(tmp_path)).read("mfcc", ["a"])["a"]
    assert (row.params, row.threads) == (7, None)


def test_extractors_share_nothing(root: str):
    Cache(root).write("mfcc", batch("a"))
    Cache(root).write("other", batch("a", dim=5))
    assert Cache(root).read("mfcc", ["a"])["a"].statistics.shape == (2, 4, 3)
    assert Cache(root).read("none", ["a"]) == {}


def test_a_half_written_file_is_as_good_as_absent(tmp_path: Path):
    cache = Cache(str(tmp_path))
    cache.write("mfcc", batch("a"))
    cache.write("mfcc", batch("b"))
    first, _ = batch_files(tmp_path)
    first.write_bytes(first.read_bytes()[:100])
    first.with_name("kill.part").write_bytes(b"half")
    assert len(cache.read("mfcc", ["a", "b"])) == 1
    assert not first.exists()


def damages(data: bytes, number: int) -> Iterator[bytes]:
    """Yield a seeded number of damaged copies of a file: zeroed, flipped, cut off, exchanged, random."""
    rng = np.random.default_rng(18)
    for index in range(number):
        copy = np.frombuffer(data, np.uint8).copy()
        start, size = rng.integers(copy.size), rng.integers(1, 600)
        block = copy[start : start + size]
        match index % 5:
            case 0:
                block[:] = 0
            case 1:
                block[rng.integers(block.size)] ^= 1 << rng.integers(8)
            case 2:
                copy = copy[:start]
            case 3:
                other = copy[::-1][: block.size].copy()
                copy[::-1][: block.size], block[:] = block.copy(), other
            case 4:
                block[:] = rng.integers(0, 256, block.size)
        if copy.tobytes() != data:
            yield copy.tobytes()


@pytest.mark.parametrize("kind", ["embeddings", "frames"])
def test_no_damage_of_a_file_is_read(kind: str, tmp_path: Path, caplog):
    cache = Cache(str(tmp_path))
    rng = np.random.default_rng(2)
    frames = {name: rng.normal(size=(7, 3)).astype(np.float32) for name in "abcdefgh"}
    rows = {name: dataclasses.replace(row, frames={3: frames[name]}) for name, row in batch(*frames).items()}
    cache.write("mfcc", rows)
    [path] = tmp_path.glob(f"{kind}-*/mfcc/**/*.batch")
    n_damages = 0
    for damaged in damages(path.read_bytes(), 90):
        whole = path.read_bytes()
        path.write_bytes(damaged)
        for content, row in cache.read("mfcc", list(rows)).items():
            np.testing.assert_array_equal(row.statistics, rows[content].statistics)
            assert (row.audio_s, row.usage) == (rows[content].audio_s, rows[content].usage)
        for content, array in cache.read_frames("mfcc", 3, list(rows)).items():
            np.testing.assert_array_equal(array, frames[content])
        assert not path.exists(), "a damaged file does not stay"
        cache.entries()
        path.write_bytes(whole)
        n_damages += 1
    assert n_damages > 80
    assert set(caplog.messages) == {
        f"{path}: damaged: {reason}; its clips are embedded again"
        for reason in (
            "cut off",
            "its table differs from its checksum",
            "its values differ from their checksums",
        )
    }


def test_damage_of_what_no_view_sees_is_not_looked_for(tmp_path: Path):
    cache = Cache(str(tmp_path))
    rows = batch("a")
    cache.write("mfcc", rows)
    [path] = batch_files(tmp_path)
    whole = path.read_bytes()
    first = rows["a"].statistics[0, list(pooling.STATISTICS).index("first")]
    path.write_bytes(whole.replace(first.tobytes(), bytes(first.nbytes)))
    assert set(cache.read("mfcc", ["a"], [View(layer=0, pool="mean+std")])) == {"a"}
    assert not cache.read("mfcc", ["a"], [View(layer=0, pool="first")])


def test_a_file_of_another_extractor_is_not_read(tmp_path: Path):
    cache = Cache(str(tmp_path))
    cache.write("mfcc", batch("a"))
    [path] = batch_files(tmp_path)
    other = path.parent.with_name("other")
    other.mkdir()
    path.rename(other / path.name)
    assert cache.contents("other") == set()


def test_a_file_that_cannot_be_read_now_stays(tmp_path: Path, monkeypatch, caplog):
    cache = Cache(str(tmp_path))
    cache.write("mfcc", batch("a"))

    def no_descriptor(*_: object) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(pa, "memory_map", no_descriptor)
        assert cache.contents("mfcc") == set()
    assert "cannot be read ([Errno 24] Too many open files)" in caplog.text
    assert cache.contents("mfcc") == {"a"}


def test_the_clips_of_a_damaged_file_are_embedded_again(bench, digits: Path, tmp_path: Path, caplog):
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "knn"]
    bench(*call, "--out", "whole")
    [path] = batch_files(tmp_path / "cache")
    data = bytearray(path.read_bytes())
    data[-20000:] = bytes(20000)
    path.write_bytes(data)
    again = bench(*call, "--out", "again")
    assert again.exit_code == 0, again.stderr
    damage = [record.getMessage() for record in caplog.records if record.name == "bench.embed.cache"]
    assert [message.partition(": ")[0] for message in damage] == [str(path)]
    predictions = [
        [line.predictions for line in Store(tmp_path / out).planned()] for out in ("whole", "again")
    ]
    assert predictions[0] == predictions[1]
    caplog.clear()
    assert bench("cache", "info").exit_code == 0
    assert not caplog.records


def test_a_url_that_cannot_be_opened_is_named():
    with pytest.raises(UsageError, match=r"nosuch://bucket: cannot be written .*set BENCH_CACHE"):
        Cache("nosuch://bucket")


def test_a_folder_may_have_brackets_in_its_name(tmp_path: Path):
    Cache(str(tmp_path / "[a]")).write("mfcc", batch("a"))
    assert Cache(str(tmp_path / "[a]")).contents("mfcc") == {"a"}


def test_a_root_that_cannot_be_written_says_how_to_choose_another(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file: cannot be written .*set BENCH_CACHE to another folder"):
        Cache(str(tmp_path / "file"))


def test_a_write_that_fails_leaves_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache = Cache(str(tmp_path))

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fsspec.implementations.local.LocalFileSystem, "mv", full)
    with pytest.raises(UsageError, match=r"No space left on device.*free some space"):
        cache.write("mfcc", batch("a"))
    assert cache.contents("mfcc") == set()


def test_frames_are_kept_apart_and_read_for_those_that_are_asked(root: str):
    rows = batch("a", "b")
    rng = np.random.default_rng(1)
    frames = {name: rng.normal(size=(n, 3)).astype(np.float32) for name, n in {"a": 5, "b": 9}.items()}
    cache = Cache(root)
    framed = {name: dataclasses.replace(row, frames={3: frames[name]}) for name, row in rows.items()}
    cache.write("mfcc", framed)
    cache.write("mfcc", batch("c"))
    assert cache.contents("mfcc") == {"a", "b", "c"}
    assert not cache.read("mfcc", ["a"])["a"].frames
    assert cache.contents("mfcc", frame_layers=[3]) == {"a", "b"}
    assert not cache.read_frames("mfcc", "last", {"b", "c"})
    embeddings = cache.read_frames("mfcc", 3, {"b", "c"})
    assert set(embeddings) == {"b"}
    np.testing.assert_array_equal(embeddings["b"], frames["b"])


def test_nothing_is_removed_while_a_run_uses_the_cache(bench, digits: Path, tmp_path: Path):
    cache = Cache(str(tmp_path / "cache"))
    bench("embed", digits, "--extractors", "mfcc-13", "--out", "x.npz")
    with cache.in_use(), Cache(cache.root).in_use():
        done = bench("cache", "prune")
        assert done.exit_code == 2
        assert "cache: 2 runs use these embeddings; wait for the end, or add --force" in done.stderr
        assert bench("cache", "info").stdout.count(" 48 ") == 1
    with cache.in_use():
        assert bench("cache", "prune", "--force").stdout.startswith("removed mfcc-13: 48 clips")
    (tmp_path / "cache" / "users" / "killed.lock").write_text("")
    bench("embed", digits, "--extractors", "mfcc-13", "--out", "x.npz")
    assert bench("cache", "prune").stdout.startswith("removed mfcc-13: 48 clips")
    assert not list((tmp_path / "cache" / "users").iterdir())


def test_a_cache_in_memory_needs_no_lock():
    with Cache("memory://a").in_use(), Cache("memory://a").pruning():
        pass


@pytest.mark.no_cover
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_beside_pruning_loses_no_cell(bench, digits: Path, tmp_path: Path, jobs: int):
    call = [sys.executable, "-c", PRUNE_ALWAYS]
    with subprocess.Popen(call, env={**os.environ}, stderr=subprocess.DEVNULL) as pruning:
        try:
            words = ["--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc,mfcc-13,spectral"]
            done = bench("run", *words, "--heads", "lda,knn", "--jobs", jobs)
        finally:
            pruning.kill()
    assert done.exit_code == 0, done.output
    assert "cells: 9 computed" in done.stderr


PRUNE_ALWAYS = """
import contextlib
from bench import cli
while True:
    with contextlib.suppress(SystemExit):
        cli.main(["cache", "prune"])
"""

LOWEST = pooling.Statistic(
    lambda layers: layers.min(axis=1), lambda windows: windows.statistics["min"].min(axis=0)
)


def test_a_new_pooling_embeds_again_what_lacks_its_statistic(
    bench, digits: Path, tmp_path: Path, monkeypatch
):
    call = ["embed", digits, "--extractors"]
    assert bench(*call, "mfcc-13@pool=max", "--out", "max.npz").exit_code == 0
    assert bench(*call, "mfcc-13@pool=min", "--out", "min.npz").exit_code == 2
    monkeypatch.setattr(pooling, "STATISTICS", {"min": LOWEST, **pooling.STATISTICS})
    monkeypatch.setattr(pooling, "POOLINGS", {**pooling.POOLINGS, "min": ["min"]})
    [folder] = (tmp_path / "cache").glob("embeddings-*/*")
    cache = Cache(str(tmp_path / "cache"))
    assert cache.contents(folder.name) == set()
    for name, view in {"min": "pool=min", "again": "pool=max", "frames": "pool=none"}.items():
        assert bench(*call, f"mfcc-13@{view}", "--out", f"{name}.npz").exit_code == 0
    with (
        np.load(tmp_path / "frames.npz") as frames,
        np.load(tmp_path / "min.npz") as lowest,
        np.load(tmp_path / "max.npz") as highest,
        np.load(tmp_path / "again.npz") as again,
    ):
        clips = frames["mfcc-13 frames clip"] == lowest["clip"][3]
        np.testing.assert_array_equal(lowest["mfcc-13 min"][3], frames["mfcc-13 frames"][clips].min(axis=0))
        np.testing.assert_array_equal(again["mfcc-13 max"], highest["mfcc-13 max"])
    monkeypatch.undo()
    assert len(cache.contents(folder.name)) == 48, "files with more statistics, in another order, are read"
