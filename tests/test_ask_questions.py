"""Questions that SQL answers: read by rules, and counted as pandas counts the real recordings."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from bench.answering import counting
from bench.answering.queries import Count, Duration, Extremes, Listing, Result, Share, Values
from bench.answering.reading import read
from bench.answering.vocabulary import Vocabulary
from bench.errors import UsageError
from bench.retrieval.card import IndexCard
from bench.retrieval.index import Index
from bench.retrieval.records import Domain, Item
from bench.retrieval.snapshot import Snapshot
from bench.types import View

SEX = {"F": "female", "M": "male"}


def recordings(data: Path) -> pd.DataFrame:
    """Return LibriSpeech and five takes of every digit and speaker of FSDD."""
    lines = (data / "LibriSpeech" / "SPEAKERS.TXT").read_text(encoding="utf-8").splitlines()
    sexes = dict(line.replace(" ", "").split("|")[:2] for line in lines if not line.startswith(";"))
    rows: list[Mapping[str, str]] = []
    for path in sorted((data / "LibriSpeech").rglob("*.flac")):
        speaker = path.name.partition("-")[0]
        rows.append(
            {"dataset": "LibriSpeech", "path": str(path), "speaker": speaker, "gender": SEX[sexes[speaker]]}
        )
    for path in sorted((data / "fsdd").glob("*_[0-4].wav")):
        digit, speaker, _ = path.stem.split("_")
        rows.append({"dataset": "fsdd", "path": str(path), "speaker": speaker, "digit": digit})
    table = pd.DataFrame(rows)
    return table.assign(seconds=[soundfile.info(path).duration for path in table["path"]])


@pytest.fixture(scope="module")
def table(real: Path) -> pd.DataFrame:
    return recordings(real)


@pytest.fixture(scope="module")
def snapshot(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """Yield an index of the recordings; the vectors are of no use here."""
    card = IndexCard(extractor="none", identity="", view=View(), dim=1)
    index = Index.create(tmp_path_factory.mktemp("index"), card)
    labels = ("speaker", "gender", "digit")
    items = [
        Item(
            dataset=row["dataset"],
            clip=Path(row["path"]).name,
            path=row["path"],
            content=row["path"],
            start=0,
            seconds=row["seconds"],
            spans=[(0, row["seconds"])],
            labels={name: row[name] for name in labels if isinstance(row[name], str)},
        )
        for row in table.to_dict("records")
    ]
    with index.writing() as writer:
        writer.add(items, np.ones((len(items), 1), np.float32))
        writer.set_domains(
            [Domain(1, "speech", 0.9, "a"), Domain(1, "music", 0.1, "a"), Domain(2, "music", 0.7, "a")]
        )
    with index.snapshot() as snapshot:
        yield snapshot


@pytest.fixture(scope="module")
def vocabulary(snapshot: Snapshot) -> Vocabulary:
    return Vocabulary(snapshot)


def answer(question: str, vocabulary: Vocabulary) -> Result:
    query = read(question, vocabulary).query
    assert query is not None, question
    return counting.run(query, vocabulary.snapshot)


NUMBERS = {
    "How many clips are there?": "seconds > 0",
    "How many recordings by speaker 1688?": "speaker == '1688'",
    "How many clips are by speaker 1688 or 367?": "speaker in ['1688', '367']",
    "How many recordings are longer than 15 s?": "seconds > 15",
    "How many files are longer than 3 seconds and shorter than 10 s?": "3 < seconds < 10",
    "How many recordings are of female speakers?": "gender == 'female'",
    "number of clips by men": "gender == 'male'",
    "How many sevens are spoken by theo?": "digit == '7' and speaker == 'theo'",
    "How many recordings are not by theo?": "speaker != 'theo'",
    "How many clips of fsdd are at least 0.5 s long?": "dataset == 'fsdd' and seconds >= 0.5",
    "How many recordings last between 0.25 and 0.5 minutes?": "15 <= seconds <= 30",
    "Count the recordings by lucas of digit 3": "speaker == 'lucas' and digit == '3'",
    "How many recordings are by speaker 99999?": "speaker == '99999'",
}
"""Question -> the condition in Python that pandas counts."""


@pytest.mark.parametrize(("question", "condition"), NUMBERS.items())
def test_a_question_for_a_number_is_counted_as_pandas_counts(
    question: str, condition: str, table: pd.DataFrame, vocabulary: Vocabulary
):
    assert answer(question, vocabulary).rows == ((len(table.query(condition)),),)


def test_recordings_per_value_are_counted_as_pandas_counts(table: pd.DataFrame, vocabulary: Vocabulary):
    result = answer("How many recordings does each speaker have?", vocabulary)
    assert dict(result.rows) == table["speaker"].value_counts().to_dict()
    assert result.n_rows == table["speaker"].nunique()
    female = answer("How many different speakers are female?", vocabulary)
    assert female.n_rows == table.query("gender == 'female'")["speaker"].nunique()
    sources = answer("How many clips of each dataset?", vocabulary)
    assert dict(sources.rows) == table["dataset"].value_counts().to_dict()


def test_the_most_frequent_value_comes_first(table: pd.DataFrame, vocabulary: Vocabulary):
    counts = table["speaker"].value_counts()
    [most] = answer("Which speaker has the most recordings?", vocabulary).rows
    assert most[1] == counts.max() == counts[most[0]]
    fewest = answer("What are the 2 least common speakers?", vocabulary)
    assert [row[1] for row in fewest.rows] == sorted(counts)[:2]


def test_the_longest_and_shortest_recordings_are_those_of_pandas(table: pd.DataFrame, vocabulary: Vocabulary):
    longest = answer("What are the 5 longest recordings by women?", vocabulary)
    expected = table.query("gender == 'female'").nlargest(5, "seconds")
    assert [row[3] for row in longest.rows] == list(expected["path"])
    assert longest.columns == ("chunk", "clip", "seconds", "path")
    shortest = answer("Which is the shortest clip of digit eight?", vocabulary)
    assert [row[3] for row in shortest.rows] == list(
        table.query("digit == '8'").nsmallest(1, "seconds")["path"]
    )


def test_lengths_are_those_of_pandas(table: pd.DataFrame, vocabulary: Vocabulary):
    assert answer("How many hours of audio are there?", vocabulary).rows[0] == (
        pytest.approx(table["seconds"].sum()),
        len(table),
    )
    means = answer("What is the average length per digit?", vocabulary)
    expected = table.groupby("digit")["seconds"].agg(["mean", "size"])
    assert [row[0] for row in means.rows] == list(expected.index)
    np.testing.assert_allclose([row[1:] for row in means.rows], expected)
    longest = answer("How long is the longest recording per speaker?", vocabulary)
    assert {row[0]: row[1] for row in longest.rows} == table.groupby("speaker")["seconds"].max().to_dict()


def test_a_share_counts_recordings_without_the_label_too(table: pd.DataFrame, vocabulary: Vocabulary):
    n_female = int((table["gender"] == "female").sum())
    [share] = answer("What percentage of the recordings are by women?", vocabulary).rows
    assert share == (pytest.approx(n_female / len(table)), n_female, len(table))
    sevens = table.query("digit == '7'")
    [share] = answer("What share of the clips of digit 7 is by jackson?", vocabulary).rows
    assert share[1:] == (int((sevens["speaker"] == "jackson").sum()), len(sevens))


def test_the_domain_of_a_file_is_its_likeliest(vocabulary: Vocabulary):
    assert answer("How many recordings per domain?", vocabulary).rows == (("music", 1), ("speech", 1))


def test_nothing_has_no_mean_and_no_share(snapshot: Snapshot):
    nothing = "seconds < 0"
    assert counting.run(Duration("mean", where=nothing), snapshot).rows == ((None, 0),)
    assert counting.run(Duration("total", where=nothing), snapshot).rows == ((0.0, 0),)
    assert counting.run(Share("seconds > 1", nothing), snapshot).rows == ((None, 0, 0),)
    assert counting.run(Extremes("longest", where=nothing), snapshot) == Result(counting.FILE_COLUMNS, (), 0)


FORMS = {
    "Clips per speaker": Values("speaker"),
    "total duration by gender": Duration("total", "gender"),
    "How long are the recordings on average?": Duration("mean"),
    "the three longest clips": Extremes("longest", 3),
    "Show me the shortest recordings": Extremes("shortest", 10),
    "Who are the speakers?": Values("speaker"),
    "What are the 3 most frequent digits?": Values("digit", "most", 3),
    "How many clips per female speaker?": Values("speaker", where="gender == 'female'"),
    "What is the gender of speaker 1688?": Values("gender", where="speaker == '1688'"),
    "List the recordings not by jackson": Listing("speaker != 'jackson'"),
    "Is there a recording by speaker 'nobody'?": Listing("speaker == 'nobody'"),
    "How many recordings are by neither of them, except jackson and theo": None,
    "How many clips by jackson and theo?": Count("speaker in ['jackson', 'theo']"),
    "How many clips by female speakers and male speakers?": None,
    "How many recordings are by jackson or longer than 3 s?": None,
    "How many recordings have a crying child?": None,
    "How many recordings have more than 3 speakers?": None,
    "How many recordings mention 'hello'?": Count(
        "'hello' in transcript or 'hello' in caption or 'hello' in tags"
    ),
    "Which recordings have a crying child and traffic?": None,
    "What do the recordings of jackson say?": None,
    "What is this?": None,
    "How many recordings are no longer than 3 s?": Count("seconds <= 3"),
    "How many recordings are not at least 3 s long?": None,
    "How many recordings by women but not longer than 3 s?": Count("(seconds <= 3) and (gender == 'female')"),
    "How many recordings are by one speaker?": None,
    "How many speakers say two?": Values("speaker", where="digit == '2'"),
    "Show the last recordings": None,
    "What is the average number of recordings per speaker?": None,
    "Which speakers have more than 3 recordings?": None,
    "What is the median length?": None,
    "Wie viele Aufnahmen gibt es?": None,
    "'; DROP TABLE files; --": None,
}
"""Question -> its query; None for one of which a word or the form has no meaning."""


@pytest.mark.parametrize(("question", "query"), FORMS.items())
def test_a_question_is_read_as_a_whole_or_not_at_all(question: str, query: object, vocabulary: Vocabulary):
    assert read(question, vocabulary).query == query


def test_words_of_a_count_that_are_not_understood_are_told(vocabulary: Vocabulary):
    assert read("How many recordings have a crying child?", vocabulary).unread == ("crying", "child")


def test_an_unknown_column_is_refused_with_the_columns(snapshot: Snapshot):
    with pytest.raises(UsageError, match=r"'age': no such column; expected one of .*gender"):
        counting.run(Values("age"), snapshot)
    with pytest.raises(UsageError, match="column of --where"):
        counting.run(Count("age == '3'"), snapshot)
