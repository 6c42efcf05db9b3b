import dataclasses
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from bench.embed import pooling
from bench.embed.cache import Cache, ClipEmbedding
from bench.errors import UsageError
from bench.types import Usage


def batch(*contents: str, dim: int = 3) -> dict[str, ClipEmbedding]:
    rng = np.random.default_rng(len(contents))
    return {
        content: ClipEmbedding(
            rng.normal(size=(2, 4, dim)).astype(np.float32), 1.5 + i, Usage(0.1 * i, 0.2 * i, 100.0), 7
        )
        for i, content in enumerate(contents)
    }


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


def test_extractors_share_nothing(root: str):
    Cache(root).write("mfcc", batch("a"))
    Cache(root).write("other", batch("a", dim=5))
    assert Cache(root).read("mfcc", ["a"])["a"].statistics.shape == (2, 4, 3)
    assert Cache(root).read("none", ["a"]) == {}


def test_a_damaged_or_half_written_file_is_as_good_as_absent(tmp_path: Path):
    cache = Cache(str(tmp_path))
    cache.write("mfcc", batch("a"))
    cache.write("mfcc", batch("b"))
    first, _ = sorted(tmp_path.glob("*/mfcc/*.arrow"))
    first.write_bytes(first.read_bytes()[:100])
    first.with_name("kill.part").write_bytes(b"half")
    assert len(cache.read("mfcc", ["a", "b"])) == 1


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


def test_a_file_that_names_no_statistics_holds_the_first_four(tmp_path: Path, monkeypatch):
    cache = Cache(str(tmp_path))
    cache.write("mfcc", batch("a"))
    [path] = tmp_path.glob("*/mfcc/*.arrow")
    table = pa.ipc.open_file(path.read_bytes()).read_all()
    shape = {"shape": table.schema.metadata[b"shape"]}
    with pa.ipc.new_file(path, table.replace_schema_metadata(shape).schema) as writer:
        writer.write_table(table.replace_schema_metadata(shape))
    np.testing.assert_array_equal(cache.read("mfcc", ["a"])["a"].statistics, batch("a")["a"].statistics)
    monkeypatch.setattr(pooling, "STATISTICS", {**pooling.STATISTICS, "min": LOWEST})
    assert cache.contents("mfcc") == set()
    assert not cache.read("mfcc", ["a"])
