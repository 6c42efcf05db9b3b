"""Reports of real runs: merged, exported, published."""

import json
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pandas as pd
import pytest
import truncations
import yaml
from click.testing import CliRunner

from bench import cli, report
from bench.errors import UsageError
from bench.report.tables import tables
from bench.store import Store

pytestmark = pytest.mark.xdist_group("publishing")  # they share runs

SCHEMA = json.loads((Path(__file__).parent.parent / "docs" / "leaderboard.schema.json").read_text())


@pytest.fixture(scope="module")
def runs(take: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Store]:
    """Return three runs over the same 48 recordings: two with one split, the third with another."""
    folder = tmp_path_factory.mktemp("runs")
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    rows = [
        {"path": take(name, digit, number), "speaker": name, "session": digit, "a|b <i>": number}
        for name in speakers
        for digit in range(4)
        for number in range(2)
    ]
    pd.DataFrame(rows).to_csv(folder / "digits.csv", index=False)
    options = {
        "a": ["--extractors", "mfcc-13,mfcc-13@pool=max", "--heads", "lda,knn"],
        "b": ["--extractors", "spectral", "--heads", "lda"],
        "other split": ["--extractors", "spectral", "--heads", "lda", "--split", "loso"],
    }
    for name, words in options.items():
        call = ["run", "--tasks", "speaker", "--datasets", str(folder / "digits.csv"), *words]
        call += ["--out", str(folder / name)]
        done = CliRunner(env={"BENCH_CACHE": str(folder / "cache")}).invoke(cli.main, call)
        assert done.exit_code == 0, done.output
    return {name: Store(folder / name) for name in options}


def test_runs_with_one_split_are_one_table_and_another_split_stands_apart(runs, tmp_path: Path):
    text = report.write(*runs.values(), folder=tmp_path, formats=["md", "json"]).text
    assert text.count("## speaker on digits") == 2
    tables = json.loads((tmp_path / "leaderboard.json").read_text())["tables"]
    names = [[(row["extractor"], row["head"]) for row in table["rows"]] for table in tables]
    assert sorted(names[0]) == sorted(
        [*[("mfcc-13", "lda"), ("mfcc-13", "knn")] * 2, ("", "dummy"), ("spectral", "lda")]
    )
    assert sorted(names[1]) == [("", "dummy"), ("spectral", "lda")]
    assert len({table["title"] for table in tables}) == 2
    markdown = (tmp_path / "leaderboard.md").read_text()
    assert markdown.count("Made by `bench") == 3
    assert "### accuracy by extractor and head" in markdown
    assert "| mfcc-13 @ max" in markdown


def test_a_name_that_means_two_things_is_refused(runs, tmp_path: Path):
    other = Store(tmp_path / "changed")
    other.open()
    run = runs["b"].run()
    edited = {**run.identities["spectral"], "code": ["edited"]}
    other.write_run(replace(run, identities={**run.identities, "spectral": edited}))
    with pytest.raises(UsageError, match=r"'spectral'.*\(code\)"):
        report.write(runs["b"], other, folder=tmp_path)
    missing = {**run.identities, "spectral": {}}  # it was not installed there
    other.write_run(replace(run, identities=missing, cells=()))
    assert "spectral" in report.write(runs["b"], other, folder=tmp_path).text


def ranking_score(row: Mapping[str, Any]) -> float:
    """Return the accuracy of a row of leaderboard.json."""
    [value] = [score["value"] for score in row["scores"] if score["metric"] == "accuracy"]
    return value


def test_every_format_holds_every_row(runs, tmp_path: Path):
    formats = ["csv", "json", "latex", "model-index", "junit"]
    report.write(runs["a"], folder=tmp_path, formats=formats)
    content = json.loads((tmp_path / "leaderboard.json").read_text())
    jsonschema.validate(content, SCHEMA)
    [table] = content["tables"]
    frame = pd.read_csv(tmp_path / "leaderboard.csv")
    assert frame["accuracy"].tolist() == pytest.approx([ranking_score(row) for row in table["rows"]])
    assert frame["extract_s"].notna().all()
    assert set(frame["pool"].dropna()) == {"mean+std", "max"}
    assert {row["view"]["pool"] for row in table["rows"] if row["view"]} == {"mean+std", "max"}
    results = runs["a"].planned()
    assert ranking_score(table["rows"][0]) == max(result.score("accuracy").value for result in results)
    latex = (tmp_path / "leaderboard.tex").read_text()
    assert latex.count(r"\\") == len(table["rows"]) + 1, "the header and every row"
    assert r"\bfseries" not in latex, "four sessions tell nothing apart"
    index = yaml.safe_load((tmp_path / "model-index.yml").read_text())["model-index"]
    assert {model["name"] for model in index} >= {"mfcc-13 mean+std lda", "mfcc-13 max knn", "dummy"}
    assert all(metric["value"] <= 1 for model in index for metric in model["results"][0]["metrics"])
    [suite] = ElementTree.parse(tmp_path / "junit.xml").getroot()  # noqa: S314  # of this test
    assert (suite.get("tests"), suite.get("failures")) == ("5", "0")


def test_a_model_index_is_one_that_hugging_face_reads(runs, tmp_path: Path):
    hub = pytest.importorskip("huggingface_hub")
    report.write(runs["a"], folder=tmp_path, formats=["model-index"])
    card = hub.ModelCard(f"---\n{(tmp_path / 'model-index.yml').read_text()}---\n")
    assert card.data.eval_results is not None or card.data.to_dict()["model-index"]


@pytest.mark.figures
def test_a_publication_is_updated_in_place_and_keeps_its_baseline(runs, bench, tmp_path: Path):
    folder = tmp_path / "reports" / "digits"
    call = ["report", runs["a"].out, "--publish", folder]
    assert bench(*call).exit_code == 0
    first = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {str(path) for path in first} >= {
        *("README.md", "leaderboard.csv", "baseline.jsonl", "baseline.parquet")
    }
    assert any(path.suffix == ".png" for path in first)
    assert bench(*call).exit_code == 0
    again = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert again == first
    assert bench("compare", folder / "baseline.jsonl", runs["a"].out).exit_code == 0
    bench("report", runs["b"].out, "--publish", folder)
    later = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert later[Path("baseline.jsonl")] == first[Path("baseline.jsonl")]
    figures = [path for path in later if path.suffix == ".png"]
    readme = later[Path("README.md")].decode()
    assert figures
    assert all(path.as_posix() in readme for path in figures), "no figure of the earlier publication is left"
    vanished = bench("compare", folder / "baseline.jsonl", runs["b"].out)
    assert vanished.exit_code == 2
    assert "has nothing to compare with" in vanished.stderr
    assert "vanished" in vanished.stderr


def contents(folder: Path) -> dict[str, bytes]:
    """Return path -> content of every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_publication_leaves_the_files_of_others_as_they_are(runs, bench, tmp_path: Path):
    folder = tmp_path / "mine"
    others = ("figures/photo.png", "confusion/mine.png", "leaderboard.md", "figures/deep/a.png", "notes.txt")
    for name in others:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    for store in (runs["a"], runs["b"], runs["a"]):
        assert bench("report", store.out, "--publish", folder).exit_code == 0
        listed = set(json.loads((folder / "publication.json").read_text())["files"])
        assert {name: contents(folder)[name].decode() for name in others} == {name: name for name in others}
        assert contents(folder).keys() - set(others) - {"publication.json"} == listed
    assert {"README.md", "leaderboard.csv", "baseline.jsonl", "baseline.parquet"} < listed


@pytest.mark.parametrize("name", ["leaderboard.csv", "baseline.parquet", "confusion"])
def test_a_file_of_another_in_the_way_is_refused_in_one_line(runs, bench, name: str, tmp_path: Path):
    bench("report", runs["a"].out, "--publish", tmp_path / "first")
    [picture, *_] = sorted((tmp_path / "first" / "confusion").iterdir())
    taken = f"confusion/{picture.name}" if name == "confusion" else name
    (tmp_path / "mine" / taken).parent.mkdir(parents=True)
    (tmp_path / "mine" / taken).write_text("mine")
    done = bench("report", runs["a"].out, "--publish", tmp_path / "mine")
    assert done.exit_code == 2
    assert f"mine: {taken} would be lost, and no publication wrote it; move it" in done.stderr
    assert contents(tmp_path / "mine") == {taken: b"mine"}


def test_a_publication_without_a_manifest_is_replaced_by_exact_name(runs, bench, tmp_path: Path):
    folder = tmp_path / "mine"
    bench("report", runs["a"].out, "--publish", folder)
    (folder / "publication.json").unlink()
    before = contents(folder)
    assert bench("report", runs["b"].out, "--publish", folder).exit_code == 0
    assert contents(folder).keys() > before.keys()
    assert contents(folder)["README.md"] != before["README.md"]


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"files": ["../a.png"]}', '{"files": ["/a.png"]}'])
def test_a_manifest_that_lists_no_files_below_it_is_refused(runs, bench, text: str, tmp_path: Path):
    bench("report", runs["a"].out, "--publish", tmp_path / "mine")
    (tmp_path / "mine" / "publication.json").write_text(text)
    done = bench("report", runs["b"].out, "--publish", tmp_path / "mine")
    assert done.exit_code == 2
    assert "publication.json: is no list of published files" in done.stderr


def test_a_readme_that_is_no_leaderboard_is_not_overwritten(runs, bench, tmp_path: Path):
    (tmp_path / "README.md").write_text("# My project")
    done = bench("report", runs["a"].out, "--publish", tmp_path)
    assert done.exit_code == 2
    assert "README.md: is no leaderboard" in done.output
    assert (tmp_path / "README.md").read_text() == "# My project"


@pytest.fixture
def swapped(runs, tmp_path: Path) -> Store:
    """Return a copy of a run in which a cell has the predictions of another."""
    store = Store(shutil.copytree(runs["a"].out, tmp_path / "swapped"))
    by_head = {result.head: result.key for result in store.planned()}
    shutil.copy(store.predictions_path(by_head["knn"]), store.predictions_path(by_head["lda"]))
    return store


def test_predictions_of_another_cell_are_listed_and_neither_drawn_nor_published(swapped, bench):
    done = bench("report", swapped.out)
    assert done.exit_code == 0
    assert "holds other predictions than the scored ones; delete it and run the same" in done.stdout
    [table] = tables([swapped])
    assert {result.head for result in table.others} == {"lda"}
    assert len(table.rows) + len(table.others) == 5
    published = bench("report", swapped.out, "--publish", "published")
    assert published.exit_code == 2
    assert "holds other predictions than the scored ones" in published.stderr
    assert not Path("published").exists()


@pytest.mark.parametrize("damage", [b"", b"PAR1", bytes(900)])
def test_a_cell_without_whole_predictions_is_computed_again(runs, bench, damage: bytes, tmp_path: Path):
    store = Store(shutil.copytree(runs["a"].out, tmp_path / "torn"))
    [result, *_] = [result for result in store.planned() if result.head == "lda"]
    store.predictions_path(result.key).write_bytes(damage)
    assert "cannot be read" in bench("report", store.out).stdout
    words = ["--datasets", runs["a"].out.parent / "digits.csv", "--tasks", "speaker"]
    words += ["--extractors", "mfcc-13,mfcc-13@pool=max", "--heads", "lda,knn"]
    done = bench("run", *words, "--out", store.out)
    assert done.exit_code == 0
    assert "cells: 1 computed, 5 reused" in done.stderr
    assert store.scored_predictions(store.results()[result.key]) is not None


def test_an_edited_line_is_neither_reported_nor_compared(runs, bench, tmp_path: Path):
    store = Store(shutil.copytree(runs["a"].out, tmp_path / "edited"))
    text = store.results_path.read_text()
    store.results_path.write_text(text.replace('"n_test": 48', '"n_test": 47', 1))
    for words in (["report", store.out], ["compare", runs["a"].out, store.out]):
        done = bench(*words)
        assert done.exit_code == 2
        assert "results.jsonl:1: was changed after it was written" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_figure_that_a_power_loss_cut_is_drawn_again(runs, bench):
    bench("report", runs["a"].out)
    [path, *_] = (runs["a"].out / "confusion").iterdir()
    path.write_bytes(path.read_bytes()[:9])
    bench("report", runs["a"].out)
    assert path.read_bytes().endswith(b"IEND\xaeB`\x82")


def test_a_small_storm_of_damaged_files_holds(tmp_path: Path):
    commands = ("report", "compare with a baseline", "audit")
    cases = truncations.storm(tmp_path, 6, random.Random(3), commands)  # noqa: S311
    assert [case for case in cases if case.fault] == []


def test_another_split_is_not_comparable(runs, bench):
    done = bench("compare", runs["b"].out, runs["other split"].out)
    assert done.exit_code == 2
    assert "not comparable" in done.output
    assert "the split was cv:4, grouped by session, and is loso, grouped by" in done.output


def test_an_unknown_format_is_refused(runs, bench):
    done = bench("report", runs["a"].out, "--format", "htm")
    assert done.exit_code == 2
    assert "unknown format 'htm'; did you mean 'html'" in done.output


def test_a_file_of_any_format_is_the_same_whenever_it_is_written(runs, tmp_path: Path):
    formats = [name for name in report.FORMATS if name != "html"]
    written = [
        {
            path.name: path.read_bytes()
            for path in report.write(runs["a"], folder=folder, formats=formats).paths
        }
        for folder in (tmp_path / "1", tmp_path / "2")
    ]
    assert written[0] == written[1]
