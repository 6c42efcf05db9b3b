"""Folders of clusters: sources stay as they are, names never collide, foreign files stay."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench.errors import UsageError
from bench.exploration.cluster_folders import MANIFEST, export, table
from bench.exploration.clusters import Clusters
from bench.types import Clip

Tone = Callable[..., Path]


@pytest.fixture
def clips(tone: Tone) -> list[Clip]:
    """Return four files, of which three have the same name but for its case."""
    names = ["data/a/x.wav", "data/b/x.wav", "data/c/X.wav", f"data/{'ö' * 120}.wav"]
    return [Clip(name, tone(name, pitch=100.0 * (number + 2))) for number, name in enumerate(names)]


def listing(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.mark.parametrize("how", ["link", "copy"])
def test_an_export_has_every_clip_and_a_second_one_replaces_it(clips: list[Clip], tmp_path: Path, how):
    folder, before = tmp_path / "clusters", listing(tmp_path / "data")
    for clusters in ([0, 0, 0, -1], [1, 0, 0, 1]):
        result = export(folder, clips, clusters, how)
        assert (result.n_links, result.n_copies) == ((4, 0) if how == "link" else (0, 4))
        assert sorted(listing(folder).values()) == sorted(before.values())
    names = list(listing(folder))
    assert names[:2] == ["cluster-0/X~2.wav", "cluster-0/x.wav"]
    assert names[2] == "cluster-1/x.wav"
    assert len(os.fsencode(Path(names[3]).name)) <= 200
    assert not (folder / "noise").exists()
    assert listing(tmp_path / "data") == before


def test_a_second_export_is_the_same(clips: list[Clip], tmp_path: Path):
    export(tmp_path / "clusters", clips, [0, 0, 1, 1])
    before = listing(tmp_path / "clusters")
    assert export(tmp_path / "clusters", clips, [0, 0, 1, 1]).n_foreign == 0
    assert listing(tmp_path / "clusters") == before


def test_foreign_and_changed_files_stay(clips: list[Clip], tmp_path: Path):
    folder = tmp_path / "clusters"
    (folder / "cluster-0").mkdir(parents=True)
    (folder / "cluster-0" / "x.wav").write_text("mine")
    assert export(folder, clips, [0, 0, 1, 1], "copy").n_foreign == 1
    (folder / "cluster-1" / "X.wav").write_text("edited")
    assert export(folder, clips, [1, 1, 1, 1], "copy").n_foreign == 2
    texts = [(folder / name).read_text() for name in ("cluster-0/x.wav", "cluster-1/X.wav")]
    assert texts == ["mine", "edited"]
    assert len(listing(folder)) == 6


def test_files_are_copied_where_the_system_makes_no_links(
    clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    result = export(tmp_path / "clusters", clips, [0, 0, 0, 0])
    assert (result.n_links, result.n_copies, result.obstacle) == (0, 4, "Operation not permitted")


def test_a_part_of_a_file_is_written_as_a_file_of_its_own(tone: Tone, tmp_path: Path):
    path = tone("long.wav", seconds=1.0)
    parts = [Clip("one", path, 0.25, 0.5), Clip("two", path, 0.5), Clip("three", path, 0.25, 0.5)]
    assert export(tmp_path / "clusters", parts, [0, 0, 0]).n_cuts == 3
    names = ["long-0.25-0.5.wav", "long-0.5-.wav", "long-0.25-0.5~2.wav"]
    samples, rate = soundfile.read(path)
    for name, (start, end) in zip(names, [(2000, 4000), (4000, 8000), (2000, 4000)], strict=True):
        cut, cut_rate = soundfile.read(tmp_path / "clusters" / "cluster-0" / name)
        assert cut_rate == rate
        np.testing.assert_allclose(cut, samples[start:end], atol=1e-4)


def test_the_clips_themselves_are_no_place_to_write(clips: list[Clip], tmp_path: Path):
    with pytest.raises(UsageError, match=r"data: holds the clip x\.wav of the data set"):
        export(tmp_path / "data", clips, [0, 0, 0, 0])


def test_a_folder_that_became_a_link_to_the_sources_is_not_emptied(clips: list[Clip], tmp_path: Path):
    folder = tmp_path / "clusters"
    export(folder, clips[:1], [0], "copy")
    copy = folder / "cluster-0" / "x.wav"
    times = copy.stat()
    os.utime(clips[0].path, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.unlink()
    copy.parent.rmdir()
    copy.parent.symlink_to(clips[0].path.parent)
    export(folder, clips[1:2], [1], "copy")
    assert clips[0].path.is_file()


@pytest.mark.parametrize("text", ['{"../data/a/x.wav": {}}', '{"/etc/x": {}}', "[]", "{"])
def test_a_damaged_list_of_written_files_is_refused(clips: list[Clip], tmp_path: Path, text: str):
    (tmp_path / "clusters").mkdir()
    (tmp_path / "clusters" / MANIFEST).write_text(text)
    with pytest.raises(UsageError, match=f"{MANIFEST}: .*delete its folder, or choose another"):
        export(tmp_path / "clusters", clips, [0, 0, 0, 0])


def test_a_missing_source_is_one_line_and_what_was_written_is_listed(clips: list[Clip], tmp_path: Path):
    clips[1].path.unlink()
    with pytest.raises(UsageError, match=r"b/x\.wav: cannot be written or read"):
        export(tmp_path / "clusters", clips, [0, 0, 0, 0], "copy")
    export(tmp_path / "clusters", [clips[2]], [1], "copy")
    assert list(listing(tmp_path / "clusters")) == ["cluster-1/X.wav"]


def test_a_file_in_place_of_the_folder_is_one_line(clips: list[Clip], tmp_path: Path):
    (tmp_path / "clusters").write_text("mine")
    with pytest.raises(UsageError, match=r"clusters.*cannot be written"):
        export(tmp_path / "clusters", clips, [0, 0, 0, 0])


def test_the_table_has_every_clip(clips: list[Clip], tmp_path: Path):
    clusters = Clusters(
        method="hdbscan",
        n_clusters=1,
        labels=np.array([0, 0, 0, -1]),
        probabilities=np.array([1.0, 0.5, 0.25, 0.0]),
        distances=np.array([0.1, 0.2, 0.3, np.nan]),
        medoids=np.array([0]),
        typical=np.array([[0, 1, 2]]),
        stability=np.array([1.0]),
        silhouette=None,
        n_sampled=4,
    )
    rows = table(clips, clusters)
    assert list(rows.columns) == ["clip", "path", "cluster", "distance", "probability"]
    assert rows["cluster"].tolist() == [0, 0, 0, -1]
    assert rows["path"].tolist() == [str(clip.path) for clip in clips]
    assert rows["distance"].isna().tolist() == [False, False, False, True]
