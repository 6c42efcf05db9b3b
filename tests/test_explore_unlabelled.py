"""Data sets without labels: a flat folder, a table of paths alone, a stream of paths, one file."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from bench import catalog, cli, datasets
from bench.datasets.index import open_dataset, sources_of
from bench.errors import UsageError
from bench.request import Request
from bench.types import Dataset

NAMES = ("a b.wav", "deep/er/b.wav", "Zo\u00eb.wav")


@pytest.fixture
def clips(tone, tmp_path: Path) -> Path:
    """Return a folder of three recordings without classes."""
    for number, name in enumerate(NAMES):
        tone(f"clips/{name}", pitch=200 + 50 * number)
    return tmp_path / "clips"


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | bytes], Dataset]:
    """Return a function that opens the paths of a pipe."""

    def open_(text: str | bytes) -> Dataset:
        data = text if isinstance(text, bytes) else text.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return datasets.from_stream()

    return open_


def embed(dataset: object, stdin: str = "") -> Result:
    words = ["embed", str(dataset), "--extractors", "mfcc-13", "--out", "x.parquet"]
    return CliRunner().invoke(cli.main, words, input=stdin.encode())


def test_a_flat_folder_has_clips_and_no_labels(clips: Path):
    dataset = datasets.from_path(clips, "class")
    assert dataset.table["clip"].tolist() == ["Zo\u00eb.wav", "a b.wav", "deep/er/b.wav"]
    assert dataset.labels == ["recording"]
    assert dataset.name == "clips"


@pytest.mark.parametrize(
    ("loose", "labels"), [(2, ["class", "recording"]), (3, ["recording"])], ids=["half", "most"]
)
def test_folders_are_classes_unless_most_files_are_outside_of_them(
    loose: int, labels: list[str], tone, tmp_path: Path
):
    for name in ("cat/a.wav", "dog/b.wav", *(f"{number}.wav" for number in range(loose))):
        tone(f"pets/{name}")
    dataset = datasets.from_path(tmp_path / "pets", "class")
    assert dataset.labels == labels
    assert len(dataset.table) == (2 if "class" in labels else 2 + loose)


def test_flat_split_folders_give_folds_alone(tone, tmp_path: Path):
    for name in ("train/a.wav", "test/b.wav"):
        tone(f"pets/{name}")
    table = datasets.from_path(tmp_path / "pets", "class").table.set_index("clip")
    assert table["fold"].to_dict() == {"train/a.wav": "train", "test/b.wav": "test"}
    assert "class" not in table


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_a_table_of_paths_alone_is_a_data_set(suffix: str, clips: Path):
    table = pd.DataFrame({"path": NAMES})
    path = clips / f"list.{suffix}"
    {
        "csv": lambda: table.to_csv(path, index=False),
        "parquet": lambda: table.to_parquet(path),
        "jsonl": lambda: table.to_json(path, orient="records", lines=True),
    }[suffix]()
    dataset = datasets.from_path(path, "class")
    assert sorted(dataset.table["clip"]) == sorted(NAMES)
    assert dataset.labels == ["recording"]


def test_a_list_without_a_header_says_what_to_do(clips: Path):
    (clips / "list.csv").write_text("\n".join(NAMES), encoding="utf-8")
    with pytest.raises(UsageError, match="its first line is a file, not a header: write path above it"):
        datasets.from_path(clips / "list.csv", "class")


def test_one_file_is_a_data_set_and_its_neighbours_are_not_left_out(clips: Path):
    dataset = datasets.from_path(clips / "Zo\u00eb.wav", "class").with_leftovers()
    assert dataset.table["clip"].tolist() == ["Zo\u00eb.wav"]
    assert (dataset.name, dataset.labels, dataset.notes) == ("Zo\u00eb", ["recording"], ())


def test_a_stream_is_read_once_however_often_it_is_opened(clips: Path, stream, monkeypatch):
    monkeypatch.chdir(clips)
    lines = "".join(f"./{name}\r\n\n" for name in NAMES)
    assert stream(lines).table["clip"].tolist() == sorted(NAMES)
    request = Request(datasets=("-",), home=clips / "home")
    for _ in range(2):
        [source] = sources_of(request, catalog.load()).values()
        assert source.dataset.table["clip"].tolist() == sorted(NAMES)
    assert source.dataset.name == "stdin"


def test_absolute_paths_of_a_stream_make_no_ids(clips: Path, stream, monkeypatch):
    monkeypatch.chdir(clips.parent)
    assert stream("\n".join(str(clips / name) for name in NAMES)).table["clip"].tolist() == sorted(
        f"clips/{name}" for name in NAMES
    )


def test_a_name_that_is_no_utf_8_comes_through_a_stream(tone, tmp_path: Path, stream, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tone("a.wav").rename(tmp_path / "caf\udce9.wav")
    dataset = stream(b"caf\xe9.wav\n")
    assert dataset.table["clip"].tolist() == ["caf\\xe9.wav"]
    assert dataset.clips()[0].path.is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "standard input: holds no paths; expected a path a line"),
        ("\n \n", "standard input: holds no paths"),
        ("a b.wav\n\nno.wav\nnone.wav\n", r"standard input:3: no.wav: is no file \(and 1 more\); expected"),
        ("deep\n", "standard input:1: deep: is no file; expected"),
        (f"{300 * 'a'}.wav\n", "standard input:1: a{300}.wav: is no file"),
        ("a\0b.wav\n", "standard input:1: a\0b.wav: is no file"),
        ("a b.wav\n./a b.wav\n", "input:2: path '.*a b.wav' is a duplicate of standard input:1; remove one"),
    ],
)
def test_what_is_wrong_in_a_stream_is_named_with_its_line(
    text: str, message: str, clips: Path, stream, monkeypatch
):
    monkeypatch.chdir(clips)
    with pytest.raises(UsageError, match=message):
        stream(text)


def test_a_terminal_is_no_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    terminal = io.TextIOWrapper(io.BytesIO(b"a.wav"))
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    for stdin in (terminal, None):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(UsageError, match="standard input: is no pipe; expected a path a line"):
            open_dataset("-", catalog.load(), tmp_path)


def test_embed_and_check_take_what_has_no_labels(clips: Path, bench):
    stdin = "\n".join(str(clips / name) for name in NAMES)
    for dataset, n_clips in ((clips, 3), ("-", 3), (clips / NAMES[0], 1)):
        result = embed(dataset, stdin)
        assert result.exit_code == 0, result.output
        assert len(pd.read_parquet("x.parquet")) == n_clips
    assert "clips              3" in bench("data", "check", clips, "--near").stdout
    assert "no column 'gender'" in bench("data", "check", clips / NAMES[0]).stdout


@pytest.mark.parametrize("option", [(), ("--tasks", "gender"), ("--task-target", "animal")])
def test_a_run_says_that_there_are_no_labels(option: tuple[str, ...], clips: Path, bench):
    result = bench("run", "--datasets", clips, *option)
    assert result.exit_code == 2
    [line] = result.stderr.strip().splitlines()
    assert "clips: no labels to predict; expected a folder per class (CLASS/*.wav) or a table" in line
