"""Filters of an index, held against pandas on the labels of real recordings, and against hostile texts."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import UsageError
from bench.retrieval import filters
from bench.retrieval.card import IndexCard
from bench.retrieval.index import Index
from bench.retrieval.records import Caption, Domain, Item, Title
from bench.retrieval.snapshot import Snapshot
from bench.types import View

LABELS = ["digit", "speaker", "take"]
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@pytest.fixture(scope="module")
def table(real: Path) -> pd.DataFrame:
    """Return 120 spoken digits with their labels; the first ten have no `take`."""
    paths = sorted((real / "fsdd").glob("*.wav"))[::25]
    names = [path.stem.split("_") for path in paths]
    return pd.DataFrame(
        {
            "path": [str(path) for path in paths],
            "clip": [path.stem for path in paths],
            "seconds": [path.stat().st_size / 16_000 for path in paths],
            "digit": [digit for digit, _, _ in names],
            "speaker": [speaker for _, speaker, _ in names],
            "take": [take if row >= 10 else "" for row, (_, _, take) in enumerate(names)],
        }
    )


@pytest.fixture(scope="module")
def snapshot(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """Yield an index of the table: two chunks a file, and texts about every second one."""
    card = IndexCard(extractor="mfcc", identity="0", view=View(), dim=2)
    index = Index.create(tmp_path_factory.mktemp("filters") / "index", card)
    items = [
        Item(
            dataset="fsdd",
            clip=row.clip,
            path=row.path,
            content=row.clip,
            start=0,
            seconds=row.seconds,
            spans=[(0, row.seconds / 2), (row.seconds / 2, row.seconds)],
            labels={name: value for name in LABELS if (value := getattr(row, name))},
        )
        for row in table.itertuples()
    ]
    with index.writing() as writer:
        writer.add(items, np.ones((2 * len(items), 2), np.float32))
        said = [
            Caption(file, "transcript", f"{WORDS[int(row.digit)].capitalize()}, said É", "w", 0, 1)
            for file, row in enumerate(table.itertuples(), 1)
            if file % 2
        ]
        writer.add_captions(said)
        writer.set_domains([Domain(1, "speech", 0.9, "d"), Domain(1, "music", 0.1, "d")])
        writer.set_clusters({1: "3", 2: "3", 3: "4"})
        writer.set_titles([Title("3", "a man's zeros", "w")])
    with index.snapshot() as snapshot:
        yield snapshot


def chosen(snapshot: Snapshot, text: str) -> list[int]:
    return snapshot.matching(filters.parse(text)).tolist()


SAME = [
    "speaker == 'jackson'",
    "speaker != 'jackson' and seconds > 0.4",
    "speaker in ['theo', 'lucas'] or digit == '7'",
    "speaker not in ('theo', 'lucas')",
    "not (digit >= '5')",
    "0.3 < seconds <= 0.5",
    "seconds > 0.4",
    "(digit == '1' or digit == '2') and not speaker == 'george' and seconds != 0",
    "clip > '5' and clip < '7_theo'",
    "'jackson' < speaker",
    'speaker == "it\'s nobody"',
    "digit in []",
]


@pytest.mark.parametrize("text", SAME)
def test_a_filter_chooses_what_pandas_chooses(table: pd.DataFrame, snapshot: Snapshot, text: str) -> None:
    expected = table.query(text, engine="python").index + 1
    assert chosen(snapshot, text) == expected.tolist()
    chunks = [chunk for file in expected for chunk in (2 * file - 2, 2 * file - 1)]
    assert snapshot.allowed(filters.parse(text)).tolist() == chunks


def test_a_number_beside_a_label_is_compared_as_a_number(table: pd.DataFrame, snapshot: Snapshot) -> None:
    takes = pd.to_numeric(table["take"])
    assert chosen(snapshot, "take > 9") == (table.index[takes > 9] + 1).tolist()
    assert chosen(snapshot, "take in [3, '25']") == (table.index[takes.isin([3, 25])] + 1).tolist()
    assert chosen(snapshot, "speaker > 9") == []  # text above any number in SQLite's order
    assert chosen(snapshot, "digit == 7.0 and digit >= -1") == chosen(snapshot, "digit == '7'")
    assert chosen(snapshot, "digit > 99999999999999999999") == []


def test_a_missing_label_is_none_and_differs_from_every_value(snapshot: Snapshot) -> None:
    assert chosen(snapshot, "take == None") == list(range(1, 11))
    assert chosen(snapshot, "take is None") == list(range(1, 11))
    assert chosen(snapshot, "take is not None") == list(range(11, 121))
    assert set(range(1, 11)) <= set(chosen(snapshot, "take != '3'"))
    assert chosen(snapshot, "seconds is None") == []


def test_texts_domains_clusters_and_titles_are_columns(table: pd.DataFrame, snapshot: Snapshot) -> None:
    odd = [file for file in range(1, 121) if file % 2]
    assert chosen(snapshot, "transcript != None") == odd
    assert chosen(snapshot, "'SEVEN' in transcript") == [f for f in odd if table["digit"][f - 1] == "7"]
    assert chosen(snapshot, "'said é' in transcript") == odd
    assert chosen(snapshot, "domain == 'speech'") == [1]
    assert chosen(snapshot, "domain == 'music'") == []
    assert chosen(snapshot, "cluster == '3' and \"man's\" in title") == [1, 2]
    assert chosen(snapshot, "cluster == 3 or caption == 'x'") == [1, 2]


def test_ids_are_those_of_chunks_and_of_files(snapshot: Snapshot) -> None:
    assert chosen(snapshot, "id in [0, 1, 4]") == [1, 3]
    assert chosen(snapshot, "file in [2, 500] and dataset == 'fsdd'") == [2]


def test_a_label_column_of_any_name_is_chosen_in_brackets() -> None:
    condition, values = filters.parse("label['class'] == 'a' and label['seconds'] != 'b'").sql(
        ["class", "seconds"]
    )
    assert values == ["class", "a", "seconds", "b"]
    assert condition.count("FROM labels") == 2


def test_every_condition_of_the_page_is_taken(snapshot: Snapshot) -> None:
    page = (Path(__file__).parent.parent / "docs" / "search.md").read_text(encoding="utf-8")
    section = page.partition("## Conditions")[2].partition("\n## ")[0]
    examples = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(examples) == 11
    for text in examples:
        condition, values = filters.parse(text).sql([*LABELS, "my column"])
        snapshot.column(f"SELECT id FROM files WHERE {condition}", values)  # noqa: S608


HOSTILE = {
    "speaker = '84'": "write == for",
    "speaker <> '84'": "write != for",
    "speaker == '84' AND seconds > 2": "without capitals",
    "speaker == '84' & seconds > 2": "write and, or",
    "speaker == '84' || seconds > 2": "write and, or",
    "caption LIKE '%dog%'": "write 'word' in caption",
    "speaker IS NULL": "write == None",
    "speaker == 'a'; DROP TABLE files": "no SQL",
    "speaker == 'a' -- and": "no SQL",
    "speaker == 'a' /* and */": "no SQL",
    "id in (SELECT id FROM files)": "no SQL",
    "class == 'dog'": r"label\['class'\]",
    "": "cannot be read",
    "speaker": "is no comparison",
    "'84'": "is no comparison",
    "speaker == jackson": "in quotes, as 'jackson'",
    "1 == 1": "compares no column",
    "seconds > '2'": "is a number",
    "'2' in seconds": "is a number",
    "seconds in ['2']": "is a number",
    "seconds > 1e999": "too large",
    "seconds > 1" + "0" * 400: "too large",
    "seconds > None": "write == None",
    "speaker in [None]": "is no value",
    "speaker in 'jackson'": "is no value",
    "7 in caption": "a word in quotes",
    "speaker == True": "is no value",
    "speaker == -'a'": "is no value",
    "speaker is 'a'": "write ==",
    "speaker == f'{seconds}'": "is no value",
    "speaker == b'a'": "is no value",
    "__import__('os').system('true') == 0": "compares no column",
    "speaker.upper() == 'A'": "compares no column",
    "(lambda: speaker)() == 'a'": "compares no column",
    "speaker[0] == 'a'": "compares no column",
    "label[0] == 'a'": "is no column",
    "[x for x in speaker] == 'a'": "compares no column",
    "(speaker := 'a') == 'a'": "compares no column",
    "seconds + 1 > 2": "compares no column",
    "speaker == '\\ud800'": "half a character",
    "sqlite_master == 'a'": "unknown column of --where 'sqlite_master'",
    "speakr == 'a'": "did you mean 'speaker'",
    'label["x\') OR 1=1 --"] == "a"': "unknown column",
    "not " * 60 + "speaker == 'a'": "nested too deeply",
    "(" * 300 + "speaker == 'a'" + ")" * 300: "cannot be read",
    "not " * 2400 + "speaker == 'a'": "cannot be read|nested",
    " or ".join(["seconds > 1"] * 300): "more than 200 comparisons",
    "speaker == '" + "a" * 10_000 + "'": "at most 10000",
    "speaker == 'a\0": "cannot be read",
    "speaker == 'a'\nspeaker == 'b'": "cannot be read",
}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_text_that_is_no_filter_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError, match=HOSTILE[text]) as refusal:
        filters.parse(text).sql(LABELS)
    assert len(str(refusal.value).splitlines()) == 1
    assert len(str(refusal.value)) < 400


NAMES = st.sampled_from(["speaker", "seconds", "caption", "label['take']", "id", "nobody"])
VALUES = st.one_of(
    st.text(max_size=8).map(repr), st.integers().map(str), st.floats().map(str), st.just("None")
)
OPERATORS = st.sampled_from(["==", "!=", "<", ">=", "in", "not in", "is", "=", "LIKE"])
TEXTS = st.recursive(
    st.one_of(st.tuples(NAMES, OPERATORS, st.one_of(VALUES, VALUES.map("[{}]".format))).map(" ".join)),
    lambda part: st.one_of(
        part.map("not ({})".format), st.tuples(part, st.sampled_from([" and ", " or "]), part).map("".join)
    ),
    max_leaves=6,
)


@settings(max_examples=40)
@given(text=st.one_of(TEXTS, st.text(max_size=40)))
def test_any_text_is_a_condition_that_the_database_takes_or_is_refused(snapshot: Snapshot, text: str) -> None:
    try:
        files = chosen(snapshot, text)
        others = chosen(snapshot, f"not ({text})")
    except UsageError:
        return
    assert sorted(files + others) == list(range(1, 121))


@settings(max_examples=40)
@given(value=st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_value_is_never_a_part_of_the_statement(value: str) -> None:
    condition, values = filters.parse(f"speaker == {value!r}").sql(["speaker"])
    assert condition == filters.parse("speaker == 'a'").sql(["speaker"])[0]
    assert values == ["speaker", value]


def test_a_reader_cannot_change_the_index(snapshot: Snapshot) -> None:
    with pytest.raises(sqlite3.OperationalError, match=r"readonly|read-only"):
        snapshot.connection.execute("DELETE FROM files")
