"""`bench explore` and `bench.explore`: what they write, remember and refuse."""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import Result
from sklearn.datasets import make_blobs

import bench as package
from bench.errors import UsageError
from bench.exploration import cluster_words, maps
from bench.exploration.clusters import find_clusters
from bench.exploration.memory import Memory
from bench.exploration.outliers import Outliers

WORDS = ["explore", "digits.csv", "--map", "pca", "--plain"]
EVERYTHING = [
    *("--extractors", "mfcc-13,mfcc", "--clusters", "2", "--outliers", "--cmvn"),
    *("--components", "0.9", "--plant-errors", "10%"),
]

Run = Callable[..., Result]


def digests(folder: Path) -> Mapping[str, str]:
    """Return the digest of every file in a folder."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_second_exploration_computes_nothing_and_writes_the_same_bytes(
    bench: Run, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = bench(*WORDS, *EVERYTHING)
    assert first.exit_code == 0, first.output
    before = digests(tmp_path / "explore-out")
    assert {"clips.csv", "map.html", "map.parquet", "mfcc-13-mean+std/clusters.csv"} <= before.keys()
    monkeypatch.setattr(maps, "fit", None)  # cannot be called
    second = bench(*WORDS, *EVERYTHING, "--color", "speaker,gender")
    assert second.exit_code == 0, second.output
    third = bench(*WORDS, *EVERYTHING)
    assert third.output.splitlines()[-20:] == first.output.splitlines()[-20:]
    assert digests(tmp_path / "explore-out") == before


@pytest.mark.verb("explore")
def test_the_table_of_clips_has_their_places_clusters_and_labels(bench: Run, digits: Path, tmp_path: Path):
    assert bench(*WORDS, "--clusters", "3").exit_code == 0
    table = pd.read_csv(tmp_path / "explore-out" / "clips.csv", dtype={"clip": str})
    manifest = pd.read_csv(digits)
    assert table["speaker"].tolist() == manifest["speaker"].tolist()  # in the order of the file
    assert set(table["cluster"]) == {0, 1, 2}
    points = pd.read_parquet(tmp_path / "explore-out" / "map.parquet")
    np.testing.assert_allclose(points[["x", "y"]], table[["x", "y"]], rtol=1e-6)


def test_files_of_others_are_neither_replaced_nor_removed(bench: Run, digits: Path, tmp_path: Path):
    out = tmp_path / "explore-out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    assert bench(*WORDS, "--clusters", "2").exit_code == 0
    assert bench(*WORDS, "--clusters", "none").exit_code == 0
    assert not (out / "clusters.csv").exists()  # of the exploration before
    assert (out / "notes.txt").read_text() == "mine"
    (out / "duplicates.csv").write_text("mine")
    refused = bench(*WORDS, "--clusters", "none")
    assert refused.exit_code == 2
    assert "duplicates.csv" in refused.output
    assert (out / "duplicates.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["--color", "speakr"], ["speakr", "speaker"]),
        (["--clusters", "many"], ["many", "hdbscan"]),
        (["--clusters", "1000"], ["1000", "48"]),
        (["--extractors", "mfcc@pool=none"], ["@pool="]),
        (["--extractors", "mfcc@layer=3"], ["layer 3"]),
        (["--extractors", "nothing"], ["nothing"]),
        (["--suspects", "nowhere"], ["nowhere"]),
        (["--components", "2"], ["--components"]),
        (["--plant-errors", "0.7"], ["--plant-errors"]),
        (["--animate"], ["--animate", "umap"]),
        (["--out", "digits.csv"], ["digits.csv", "folder"]),
        (["--out", "digits.csv/out"], ["digits.csv/out", "folder"]),
    ],
)
def test_what_does_not_fit_is_one_line(words: list[str], names: list[str], bench: Run, digits: Path):
    result = bench(*WORDS, "--clusters", "none", *words)
    assert result.exit_code == 2
    [line] = [line for line in result.output.splitlines() if line.startswith("Error:")]
    assert all(name in line for name in names), line


def test_a_clip_that_cannot_be_read_is_listed_and_the_others_go_on(bench: Run, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits)
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    table.loc[len(table)] = {"path": str(tmp_path / "broken.wav")}
    table.to_csv(digits, index=False)
    result = bench(*WORDS, "--clusters", "none")
    assert result.exit_code == 0, result.output
    assert "broken.wav" in result.output
    assert len(pd.read_csv(tmp_path / "explore-out" / "clips.csv")) == len(table) - 1


@pytest.mark.parametrize("n_clips", [1, 3])
def test_few_clips_without_labels(n_clips: int, bench: Run, tone, tmp_path: Path):
    for number in range(n_clips):
        tone(f"flat/{number}.wav", pitch=200 + 100 * number)
    result = bench("explore", "flat", "--map", "pca", "--clusters", "none", "--plain")
    assert result.exit_code == (2 if n_clips == 1 else 0), result.output
    refused = bench(
        "explore", "flat", "--map", "none", "--clusters", "none", "--plant-errors", "5%", "--plain"
    )
    assert refused.exit_code == 2
    assert "label" in refused.output


def test_clips_that_are_all_the_same_have_no_map(bench: Run, tmp_path: Path):
    (tmp_path / "flat").mkdir()
    for name in "abcdefgh":
        soundfile.write(tmp_path / "flat" / f"{name}.wav", np.zeros(4000, np.float32), 8000)
    result = bench("explore", "flat", "--map", "pca", "--clusters", "none", "--plain")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_a_damaged_memory_is_computed_again(tmp_path: Path):
    calls = []

    def compute() -> Outliers:
        calls.append(1)
        nothing = np.zeros(2)
        return Outliers(
            distance=np.array([0.5, np.inf]),
            isolation=nothing,
            q=nothing,
            q_isolation=nothing,
            is_outlier=nothing > 0,
            n_neighbours=5,
            level=0.1,
        )

    memory = Memory(tmp_path)
    first = memory.recall(Outliers, {"seed": 0}, compute)
    again = memory.recall(Outliers, {"seed": 0}, compute)
    np.testing.assert_array_equal(first.distance, again.distance)
    assert again.is_outlier.dtype == bool
    assert len(calls) == 1
    memory.recall(Outliers, {"seed": 1}, compute)
    assert len(calls) == 2
    for path in tmp_path.rglob("*.msgpack"):
        path.write_bytes(path.read_bytes()[:-3])
    memory.recall(Outliers, {"seed": 0}, compute)
    assert len(calls) == 3


def test_a_notebook_gets_the_same_numbers(bench: Run, digits: Path, tmp_path: Path):
    overview = package.explore(pd.read_csv(digits), map="pca", clusters="3", color=["speaker"])
    assert not (tmp_path / "explore-out").exists()
    assert bench(*WORDS, "--clusters", "3").exit_code == 0
    table = pd.read_csv(tmp_path / "explore-out" / "clips.csv", dtype={"clip": str})
    np.testing.assert_allclose(overview.to_pandas()[["x", "y"]], table[["x", "y"]], rtol=1e-6)
    assert overview.clusters is not None
    assert overview.clusters.labels.tolist() == table["cluster"].tolist()
    assert "Clusters" in repr(overview)
    with pytest.raises(UsageError, match="colour"):
        package.explore(digits, colour=["speaker"])


def test_a_record_that_is_no_json_is_named(bench: Run, digits: Path, tmp_path: Path):
    out = tmp_path / "explore-out"
    out.mkdir()
    (out / "explore.json").write_text("{")
    result = bench(*WORDS)
    assert result.exit_code == 2
    assert "explore.json" in result.output
    (out / "explore.json").write_text(json.dumps({"schema": 1, "command": "", "files": {"a": 3}}))
    assert bench(*WORDS).exit_code == 2


def test_columns_with_odd_names_keep_their_values_and_files(bench: Run, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits, dtype=str)
    odd = table["speaker"].replace("george", "=1+1")
    table.assign(**{"a b": odd, "a/b": odd, "x": odd, "cluster": odd}).to_csv(digits, index=False)
    result = bench(*WORDS, "--clusters", "2")
    assert result.exit_code == 0, result.output
    out = tmp_path / "explore-out"
    assert {"map-a-b.png", "map-a-b~2.png"} <= digests(out).keys()
    clips = pd.read_csv(out / "clips.csv", dtype={"clip": str})
    assert set(clips["x"]) == {"'=1+1", *odd} - {"=1+1"}  # a spreadsheet does not compute it
    assert clips["x 2"].dtype == float
    assert set(clips["cluster 2"]) == {0, 1}
    assert set(pd.read_parquet(out / "map.parquet")["cluster 2"]) == {"0", "1"}


def test_files_of_others_are_refused_also_where_a_column_names_them(bench: Run, digits: Path, tmp_path: Path):
    (tmp_path / "explore-out").mkdir()
    other = tmp_path / "explore-out" / "map-speaker.png"
    other.write_text("mine")
    refused = bench(*WORDS, "--clusters", "none")
    assert refused.exit_code == 2
    assert "map-speaker.png" in refused.output
    assert other.read_text() == "mine"
    other.unlink()
    again = bench(*WORDS, "--clusters", "none")  # in place of the files before the refusal
    assert again.exit_code == 0, again.output


def test_a_record_names_no_file_outside_its_folder(bench: Run, digits: Path, tmp_path: Path):
    out = tmp_path / "explore-out"
    out.mkdir()
    digest = hashlib.sha256(digits.read_bytes()).hexdigest()
    record = {"schema": 1, "command": "", "files": {"../digits.csv": digest}}
    (out / "explore.json").write_text(json.dumps(record))
    result = bench(*WORDS, "--clusters", "none")
    assert result.exit_code == 2
    assert digits.exists()


def test_components_of_the_default_extractor_are_counted(bench: Run, digits: Path, tmp_path: Path):
    result = bench("explore", "digits.csv", "--map", "none", "--clusters", "none", "--components", "85%")
    assert result.exit_code == 0, result.output
    assert "Principal components" in result.output
    assert (tmp_path / "explore-out" / "components.png").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"map": "maps"}, "--map maps: .* umap"),
        ({"export_clusters": "move"}, "export_clusters .* link"),
        ({"components": "85%"}, "components .* number"),
        ({"color": "speaker"}, "color .* list"),
        ({"seed": -1}, "--seed -1"),
        ({"with_audio": True, "map": "none"}, "--with-audio"),
        ({"export_clusters": "link", "clusters": "none"}, "--export-clusters"),
    ],
)
def test_wrong_options_of_a_program_are_one_line(fields: Mapping[str, object], message: str, digits: Path):
    with pytest.raises(UsageError, match=message):
        package.explore(digits, **{"map": "pca", "clusters": "none", **fields})


def test_folders_of_extractors_come_and_go(bench: Run, digits: Path, tmp_path: Path):
    words = [*WORDS, "--map", "none", "--clusters", "2"]
    two = [*words, "--extractors", "mfcc-13,mfcc"]
    assert bench(*two).exit_code == 0
    before = digests(tmp_path / "explore-out")
    assert bench(*words).exit_code == 0
    assert not [path for path in (tmp_path / "explore-out").iterdir() if path.is_dir()]
    assert bench(*two).exit_code == 0
    assert digests(tmp_path / "explore-out") == before


def test_a_function_of_one_vector_per_clip_has_no_components_of_frames(digits: Path, tmp_path: Path):
    def loudness(audio, sample_rate):
        return np.array([np.abs(audio).max(), audio.std()])

    overview = package.explore(
        digits, extractors=[loudness], out=tmp_path / "functions", map="none", clusters="none", components=0.9
    )
    assert "Principal components" in repr(overview)
    assert "nan" not in repr(overview)
    assert not (tmp_path / "functions" / "components.png").exists()


@pytest.mark.parametrize("method", ["auto", "bic", "hdbscan", "3"])
@pytest.mark.parametrize("n_blobs", [1, 3])
def test_clusters_are_said_in_a_sentence(method: str, n_blobs: int):
    vectors, _ = make_blobs(90, 8, centers=n_blobs, cluster_std=0.3, random_state=1)
    clusters = find_clusters(vectors.astype(np.float32), method)
    sentence = cluster_words.verdict(clusters)
    if method == "auto":
        assert sentence.startswith("3 clusters" if n_blobs == 3 else "No clusters: ")
    else:
        none = {"bic": "1", "hdbscan": "no"}.get(method, "")
        assert str(clusters.n_clusters or none) in sentence


def test_clusters_are_exported_copies_listed_and_clips_heard(bench: Run, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits)
    table.loc[len(table)] = {**table.loc[0], "path": str(tmp_path / "again.wav")}
    shutil.copy(table["path"][0], tmp_path / "again.wav")
    table.to_csv(digits, index=False)
    words = ["--extractors", "mfcc-13", "--clusters", "bic", "--near-copies", "off"]
    result = bench(*WORDS, *words, "--duplicates", "--export-clusters", "copy", "--with-audio")
    assert result.exit_code == 0, result.output
    out = tmp_path / "explore-out"
    assert pd.read_csv(out / "duplicates.csv")["kind"].tolist() == ["identical"] * 2
    assert len(list(out.glob("clusters/*/*.wav"))) == len(table)
    assert len(list(out.glob("map-audio/*.mp3"))) == len(table) - 1
    assert {"bic.png", "criteria.csv"} <= digests(out).keys()
    assert "Duplicates" in result.output
