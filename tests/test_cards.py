"""Odd values in cards: none leaves its folder, calls a function, never ends, or is more than one line."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench import catalog
from bench.datasets import patterns
from bench.datasets.index import open_dataset
from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.report.rows import Table
from bench.store import DatasetRecord, Store
from bench.types import Card, TaskId
from bench.validation import file_name

DECLARED = catalog.load()
PARAMS = {
    "path": {"path": '"clips.csv"'},
    "files": {"path": '"wav"', "pattern": r"'(?P<session>\d)_(?P<speaker>.)\.wav'"},
    "mixture": {"speech": '"clips.csv"', "noise": '"clips.csv"', "noise_label": '"speaker"', "folds": "2"},
}


@pytest.fixture
def folder(tone: Callable[..., Path], tmp_path: Path) -> Path:
    """Return a folder with a table and its audio."""
    names = [f"wav/{session}_{speaker}.wav" for session in range(3) for speaker in "ab"]
    for name in names:
        tone(name, seconds=0.3)
    rows = [{"path": name, "session": name[4], "speaker": name[6]} for name in names]
    pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
    return tmp_path


VERSION, ABOUT = 'version = "1"', 'about = "x"'


def opened(folder: Path, kind: str, text: str = f"{VERSION}\n{ABOUT}", **params: str) -> None:
    """Open the dataset of a card whose params are those of the kind and more."""
    values = {**PARAMS[kind], **params}
    lines = [f'kind = "{kind}"', text, "[params]"]
    lines += [f"{name} = {value}" for name, value in values.items()]
    (folder / "x.toml").write_text("\n".join(lines))
    open_dataset(str(folder / "x.toml"), DECLARED, folder / "cache").clips()


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        *(("path", "path", value) for value in ("3", "nan", "[]", "{}", "2020-01-01", '"\\u0000"')),
        *(
            ("path", "tables", value)
            for value in ("3", '"x"', '["x"]', "[{}]", "[{ file = 3, on = 'path' }]")
        ),
        *(("path", "rename", value) for value in ("[]", "{ x = 1 }", "{ speaker = 'session' }")),
        *(("path", "rename", value) for value in ("{ speaker = 'path' }", "{ speaker = 'start' }")),
        *(("path", "values", value) for value in ("3", "{ speaker = 3 }", "{ speaker = { a = 1 } }")),
        *(("path", "values", value) for value in ("{ none = { a = 'b' } }", "{ a = { a = { a = 'b' } } }")),
        *(("path", "drop", value) for value in ("true", "{ speaker = 'a' }", "{ speaker = [1] }")),
        *(("path", "segment", value) for value in ("inf", "[]", "{ hop = 1 }", "{ seconds = '1' }")),
        *(
            ("path", "segment", f"{{ seconds = {value} }}")
            for value in ("0", "-1", "inf", "nan", "1e-9", "true")
        ),
        *(
            ("path", "segment", f"{{ seconds = 0.2, hop = {value} }}")
            for value in ("0", "1e-9", "inf", "nan")
        ),
        *(("files", "pattern", value) for value in ("3", '"("', '"a{99999999999}"', '""', '["x"]')),
        *(("files", "lists", value) for value in ("3", "{ test = 1 }", '{ test = "none.txt" }')),
        *(("mixture", "snrs_db", value) for value in ('"x"', "[nan]", "[inf]", "[[]]", "[]", "[true]")),
        *(("mixture", "folds", value) for value in ("1", "1.5", "99999999999999999999", "-2")),
        *(("mixture", "clean", value) for value in ("nan", "-1", "'half'")),
        *(("mixture", "seed", value) for value in ("-1", "0.5")),
        *(("path", "rename", value) for value in ("{ speaker = '' }", '{ speaker = "a\\u0000" }')),
        *(("path", "tables", f"[{{ file = 'clips.csv', on = {value} }}]") for value in ("''", "'none'", "3")),
        ("path", "drop", "{ none = ['a'] }"),
        *(("files", "pattern", f'"(?P<{name}>.*)"') for name in ("path", "clip", "start", "1")),
        *(("mixture", "speech", value) for value in ("3", '"none.csv"', "{ pattern = 'x' }")),
    ],
)
def test_an_odd_value_is_refused_in_one_line(kind: str, name: str, value: str, folder: Path):
    with pytest.raises(UsageError) as caught:
        opened(folder, kind, **{name: value})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *(f"{VERSION}\n{ABOUT}\n{field} = 3" for field in ("licence", "verified", "obtain", "synthetic")),
        *(f"{VERSION}\n{ABOUT}\nfiles = {files}" for files in ("3", '["x"]', "[{}]")),
        *(
            f'{VERSION}\n{ABOUT}\nfiles = [{{ url = "https://x/y.zip", {field} }}]'
            for field in ("hash = 3", "bytes = -1", "unpacked = '1'", "more = 1")
        ),
        *(ABOUT, VERSION, f"{VERSION}\n{ABOUT}\nparams = 3", f"{VERSION}\n{ABOUT}\nmore = 1"),
    ],
)
def test_an_odd_field_is_refused_in_one_line(text: str, folder: Path):
    with pytest.raises(UsageError, match=r"x\.toml: ") as caught:
        opened(folder, "path", text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"kind = \x00", b"kind = " + b"[" * 10**5, b"\xef\xbb\xbfkind = 1"], ids=range(4)
)
def test_a_file_that_is_no_toml_is_refused_in_one_line(content: bytes, tmp_path: Path):
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"x\.toml: no valid TOML"):
        catalog.card(tmp_path / "x.toml")


def test_a_pattern_that_never_ends_is_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(patterns, "MATCH_S", 0.5)
    (folder / "wav" / ("a" * 60)).touch()
    with pytest.raises(
        UsageError, match=r"does not match 7 names within 0\.5 s; leave out nested repetitions"
    ):
        opened(folder, "files", pattern="'(a+)+b'")


def test_segments_without_end_are_refused_before_they_are_made(folder: Path):
    table = pd.read_csv(folder / "clips.csv").assign(start=0.0, end=1e9)
    table.to_csv(folder / "clips.csv", index=False)
    with pytest.raises(
        UsageError, match=r"more than 10,000,000 segments of 0\.2 s every 0\.001 s, at .*; raise hop"
    ):
        opened(folder, "path", segment="{ seconds = 0.2, hop = 0.001 }")


@pytest.mark.payload
def test_no_card_calls_a_function(folder: Path):
    (folder / "x.toml").write_text(
        'kind = "function"\nversion = "1"\nabout = ""\nparams = { factory = "os:abort" }'
    )
    with pytest.raises(
        UsageError, match="kind 'function' is unknown; expected one of demo, files, mixture, path"
    ):
        open_dataset(str(folder / "x.toml"), DECLARED, folder)
    (folder / "x.toml").write_text('kind = ""\nversion = "1"\nabout = ""\nfactory = "os:abort"')
    with pytest.raises(UsageError, match="unknown field 'factory'"):
        open_dataset(str(folder / "x.toml"), DECLARED, folder)


NAMES = ["", ".", "..", "../x", "/x", "a/b", "a\\b", "a\x00", "a\nb", "x/../..", "x" * 300, "ü" * 101]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leaves_its_folder_is_refused_wherever_it_becomes_a_path(name: str, tmp_path: Path):
    expected = "cannot be part of a file's name; expected 1 to 200 bytes"
    store, record = Store(tmp_path / "out"), DatasetRecord("x", "1", False, (), 1, "c")
    attempts: list[Callable[[], object]] = [
        lambda: file_name(name, "x"),
        lambda: dataset(pd.DataFrame({"clip": ["a"], "path": ["a"]}), name, "x"),
        lambda: store.predictions_path(name),
        lambda: store.models_path(name),
        lambda: store.write_labels(name, pd.DataFrame({"clip": ["a"]})),
    ]
    if name.strip("."):
        attempts += [
            lambda: Card("mine", "path", name, "", source="mine.toml"),
            lambda: store.split(name, "gender"),
            lambda: Table(name, TaskId("gender"), None, record, (), (), (), {}).stem,
        ]
    for attempt in attempts:
        with pytest.raises(UsageError, match=expected) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["a", "a b (1)", "日本語", "Ünï-code_1.0", ".hidden", "a..b", "x" * 200])
def test_a_name_that_is_one_part_of_a_path_stays_as_it_is(name: str):
    assert file_name(name, "x") == name
