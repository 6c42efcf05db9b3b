"""The same data in another order, in another place, and under names that are no UTF-8."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from bench import catalog
from bench.datasets import from_path
from bench.paths import path_of, path_text
from bench.request import Request
from bench.runner import planning

FAST = ("--extractors", "mfcc-13", "--heads", "logreg", "--plain")


def keys(manifest: Path, home: Path) -> list[str]:
    request = Request(
        datasets=(str(manifest),), home=home, tasks=("gender",), extractors=("mfcc-13",), heads=("logreg",)
    )
    return [cell.key for cell in planning.plan(request, catalog.load()).cells]


def relative(digits: Path, folder: Path) -> Path:
    """Return a copy of a manifest with its audio, its paths relative to it."""
    table = pd.read_csv(digits, dtype=str)
    (folder / "audio").mkdir(parents=True)
    for path in table["path"]:
        shutil.copy(path, folder / "audio")
    table["path"] = [f"audio/{Path(path).name}" for path in table["path"]]
    table.to_csv(folder / "digits.csv", index=False)
    return folder / "digits.csv"


@pytest.mark.parametrize("form", ["reversed", "shuffled", "parquet", "jsonl"])
def test_the_order_of_rows_changes_no_key(digits: Path, tmp_path: Path, form: str):
    table = pd.read_csv(digits, dtype=str)
    other = tmp_path / "other" / digits.name
    other.parent.mkdir()
    rows = table[::-1] if form == "reversed" else table.sample(frac=1, random_state=1)
    if form == "parquet":
        rows.to_parquet(other := other.with_suffix(".parquet"), index=False)
    elif form == "jsonl":
        rows.to_json(other := other.with_suffix(".jsonl"), orient="records", lines=True)
    else:
        rows.to_csv(other, index=False)
    assert keys(digits, tmp_path) == keys(other, tmp_path)


def test_the_place_of_a_data_set_changes_no_key(digits: Path, tmp_path: Path):
    here, there = relative(digits, tmp_path / "here"), relative(digits, tmp_path / "far" / "away")
    assert keys(here, tmp_path) == keys(there, tmp_path)
    absolute = pd.read_csv(there, dtype=str)
    absolute["path"] = [str(there.parent / path) for path in absolute["path"]]
    absolute.to_csv(there, index=False)
    assert keys(here, tmp_path) == keys(there, tmp_path)


def test_windows_of_a_file_stay_in_the_order_of_time(tmp_path: Path):
    manifest = tmp_path / "windows.csv"
    manifest.write_text("path,start,end\nb.wav,10,11\nb.wav,9,10\na.wav,0,1\n")
    assert from_path(manifest, "class").table["clip"].tolist() == [
        "a.wav#0-1",
        "b.wav#9-10",
        "b.wav#10-11",
    ]


def test_the_same_rows_in_another_order_and_folder_are_unchanged(digits: Path, bench, tmp_path: Path):
    other = tmp_path / "other" / digits.name
    other.parent.mkdir()
    pd.read_csv(digits, dtype=str)[::-1].to_csv(other, index=False)
    for manifest, out in ((digits, "one"), (other, "two")):
        bench("run", "--datasets", manifest, "--tasks", "speaker", *FAST, "--out", out)
    verdict = bench("compare", "one", "two")
    assert verdict.exit_code == 0
    assert "2 cells: 2 unchanged" in verdict.stdout


def test_nothing_published_says_where_it_was_computed(digits: Path, bench, tmp_path: Path):
    plugin = tmp_path / "my place" / "mine.py"
    plugin.parent.mkdir()
    plugin.write_text(
        "class Broken:\n"
        "    def fit(self, X, y):\n"
        f"        raise OSError(2, 'no such file', {str(plugin.parent / 'weights.bin')!r})\n"
        "    def predict(self, X):\n"
        "        return X\n"
    )
    shutil.copy(digits, plugin.parent)
    broken = plugin.parent / "broken.wav"
    broken.write_text("no audio")
    with (plugin.parent / digits.name).open("a") as file:
        file.write(f"{broken},theo,female,1\n")
    data, out = plugin.parent / digits.name, plugin.parent / "out"
    heads = f"logreg,{plugin}:Broken"
    bench("run", "--datasets", data, "--extractors", "mfcc-13", "--heads", heads, "--out", out, "--plain")
    published = tmp_path / "published"
    formats = "md,csv,json,html"
    assert bench("report", out, "--publish", published, "--format", formats).exit_code == 0
    for file in (file for file in published.rglob("*") if file.is_file()):
        content = file.read_bytes()
        assert str(tmp_path).encode() not in content, file
        assert b"my place" not in content, file
    predictions = pd.read_parquet(published / "baseline.parquet")
    assert not predictions["clip"].str.startswith("/").any()
    assert "mine.py:Broken" in (published / "README.md").read_text()


def test_one_file_in_two_folders_is_no_one_head(digits: Path, bench, tmp_path: Path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("class Head:\n    pass\n")
    heads = f"{tmp_path}/a/mine.py:Head,{tmp_path}/b/mine.py:Head"
    result = bench("run", "--datasets", digits, "--heads", heads)
    assert result.exit_code == 2
    assert "are both called 'mine.py:Head'; rename one" in result.stderr


@pytest.fixture
def latin(take, tmp_path: Path) -> Path:
    """Return class folders, one of whose names and all of whose files' are Latin-1."""
    root = tmp_path / os.fsdecode(b"gel\xf6scht")
    for number, label in enumerate((b"caf\xe9", b"other")):
        folder = root / os.fsdecode(label)
        folder.mkdir(parents=True)
        for speaker in ("george", "jackson", "lucas", "theo"):
            for repeat in (0, 1):
                name = os.fsdecode(f"{speaker}-{repeat}".encode() + b"-\xe4.wav")
                shutil.copy(take(speaker, number, repeat), folder / name)
    return root


def test_names_that_are_no_utf8_are_read_and_reported(latin: Path, bench, tmp_path: Path):
    (latin / os.fsdecode(b"caf\xe9") / os.fsdecode(b"b\xe4d.wav")).write_text("no audio")
    check = bench("data", "check", latin)
    assert check.exit_code == 0
    assert r"caf\xe9/b\xe4d.wav: not decodable" in check.stdout
    run = bench("run", "--datasets", latin, *FAST, "--out", "out", "--allow-bad", "10%")
    assert run.exit_code == 0, run.output
    assert bench("report", "out", "--publish", "public", "--format", "html,json").exit_code == 0
    predictions = pd.read_parquet(tmp_path / "public" / "baseline.parquet")
    assert set(predictions["y_true"]) == {r"caf\xe9", "other"}
    assert r"caf\xe9/george-0-\xe4.wav" in set(predictions["clip"])
    assert bench("audit", "out").exit_code == 0
    (latin / os.fsdecode(b"caf\xe9") / os.fsdecode(b"b\xe4d.wav")).unlink()
    for suffix in ("npz", "parquet"):
        result = bench("embed", latin, "--extractors", "mfcc-13", "--out", f"x.{suffix}", "--plain")
        assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "name", ["plain.wav", "käse.wav", os.fsdecode(b"k\xe4se.wav"), os.fsdecode(b"\xff\x80")]
)
def test_a_path_is_a_text_and_back(name: str):
    text = path_text(Path("a") / name)
    assert path_of(text) == Path("a") / name
    assert text.encode().decode() == text
    assert (text == f"a/{name}") == name.isprintable()
