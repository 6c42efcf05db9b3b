"""Scores of neighbours of real spoken digits, held against loops, scikit-learn and simulated chance."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from librosa.feature import mfcc
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors

from bench.errors import UsageError
from bench.metrics import rankings
from bench.retrieval import evaluation_output, labelled
from bench.retrieval.card import IndexCard
from bench.retrieval.evaluation import Evaluation, evaluate
from bench.retrieval.index import Index
from bench.retrieval.labelled import Labelled
from bench.retrieval.records import Item
from bench.retrieval.snapshot import Snapshot
from bench.types import View


@pytest.fixture(scope="module")
def table(real: Path) -> pd.DataFrame:
    """Return 120 spoken digits of 6 speakers; the first has no speaker."""
    paths = [path for path in sorted((real / "fsdd").glob("*.wav")) if path.stem[-2:] in {"_0", "_1"}]
    names = [path.stem.split("_") for path in paths]
    table = pd.DataFrame(names, columns=["digit", "speaker", "take"]).assign(path=paths)
    table.loc[0, "speaker"] = ""
    return table


@pytest.fixture(scope="module")
def snapshot(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """Yield an index of their standardised mean MFCC; every tenth clip has two chunks."""
    signals = [soundfile.read(path)[0] for path in table["path"]]
    vectors = np.array([mfcc(y=signal, sr=8000, n_fft=256, hop_length=128).mean(1) for signal in signals])
    vectors = (vectors - vectors.mean(0)) / vectors.std(0)
    chunks = np.repeat(np.arange(len(table)), [1 + (row % 10 == 0) for row in range(len(table))])
    noise = np.random.default_rng(0).normal(0, 0.1, (len(chunks), vectors.shape[1]))
    units = vectors[chunks] + noise
    units = (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)
    items = [
        Item(
            "fsdd",
            row.path.stem,
            str(row.path),
            row.path.stem,
            0,
            1,
            [(0, 1)] * int((chunks == row.Index).sum()),
            {name: value for name in ("digit", "speaker", "take") if (value := getattr(row, name))},
        )
        for row in table.itertuples()
    ]
    card = IndexCard(extractor="mfcc", identity="0", view=View(), dim=units.shape[1])
    index = Index.create(tmp_path_factory.mktemp("evaluation") / "index", card)
    with index.writing() as writer:
        writer.add(items, units)
    with index.snapshot() as snapshot:
        yield snapshot


def values(evaluation: Evaluation) -> dict[str, float]:
    return {each.score.metric: each.score.value for each in evaluation.scores}


def plain(snapshot: Snapshot, table: pd.DataFrame, column: str, k: int) -> dict[str, float]:
    """Return the means by a loop over queries, with Musgrave's definition of MAP@R."""
    file = snapshot.files_of(snapshot.ids.tolist()) - 1
    label, group = (table[name].to_numpy()[file] for name in ("digit", column or "digit"))
    similarity = np.asarray(snapshot.vectors) @ np.asarray(snapshot.vectors).T
    rows = []
    for query in range(len(label)):
        is_out = file == file[query]
        if column and group[query]:
            is_out = is_out | (group == group[query])
        order = [row for row in np.argsort(-similarity[query], kind="stable") if not is_out[row]]
        relevant = [label[row] == label[query] for row in order]
        n_relevant = sum(relevant)
        precisions = [sum(relevant[: i + 1]) / (i + 1) * relevant[i] for i in range(n_relevant)]
        recall = any(relevant[:k])
        rows.append(
            [sum(precisions) / n_relevant, sum(relevant[:n_relevant]) / n_relevant, relevant[0], recall]
        )
    names = ["map@r", "r_precision", "precision@1", f"recall@{k}"]
    return dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))


@pytest.mark.parametrize(("not_same", "column"), [((), "speaker"), (("clip",), ""), (("take",), "take")])
def test_scores_are_those_of_a_loop(snapshot, table, monkeypatch, not_same, column):
    monkeypatch.setattr(labelled, "BLOCK", 2000)  # 15 queries at once
    evaluation = evaluate(snapshot, "digit", not_same, k=4)
    assert evaluation.not_same == ((column,) if column else ())
    assert values(evaluation) == pytest.approx(plain(snapshot, table, column, 4), abs=1e-9)


@pytest.mark.parametrize("excluded", [(), ("speaker",), ("speaker", "session"), ("session", "session")])
def test_possible_neighbours_are_counted_as_one_by_one(excluded):
    draw = np.random.default_rng(0).integers
    label, file, groups = draw(0, 4, 200), draw(0, 70, 200), {}
    is_other = file != file[:, None]
    for name in ("speaker", "session"):
        groups[name] = codes = draw(-1, 9, 200)  # -1 for no value
        if name in excluded:
            is_other &= (codes != codes[:, None]) | (codes[:, None] < 0)
    chunks = Labelled(np.zeros((200, 1), np.float32), label, file, groups)
    assert chunks.counts(excluded).tolist() == ((label == label[:, None]) & is_other).sum(axis=1).tolist()


def test_recall_at_more_than_there_are_is_1(snapshot: Snapshot):
    evaluation = evaluate(snapshot, "digit", ("clip",), k=10**20)
    assert values(evaluation)[f"recall@{10**20}"] == evaluation.scores[-1].chance == 1


def test_the_own_speaker_makes_a_search_look_better(snapshot: Snapshot):
    strict, lenient = (values(evaluate(snapshot, "digit", not_same)) for not_same in ((), ("clip",)))
    assert lenient["precision@1"] > strict["precision@1"] + 0.2


def test_precision_at_1_is_that_of_scikit_learn(snapshot: Snapshot, table: pd.DataFrame):
    file = snapshot.files_of(snapshot.ids.tolist())
    single = np.flatnonzero(np.bincount(file) == 1)  # clips of one chunk
    vectors = np.asarray(snapshot.vectors)[np.isin(file, single)]
    label = table["digit"].to_numpy()[single - 1]
    nearest = NearestNeighbors(n_neighbors=1).fit(vectors).kneighbors(return_distance=False)[:, 0]
    evaluation = evaluate(snapshot, "digit", ["clip"], allowed_files=single)
    assert values(evaluation)["precision@1"] == pytest.approx((label[nearest] == label).mean())


def test_average_precision_of_every_place_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    relevant = np.zeros((5, 12), bool)
    relevant[:, :4] = True  # all four of the class are first, and so every precision counts
    shuffled = rng.permuted(relevant, axis=1)
    for row in shuffled:
        n_relevant = np.array([12])
        expected = average_precision_score(row, -np.arange(12)) * row.sum() / 12
        assert rankings.average_precision_at_r(row[None], n_relevant)[0] == pytest.approx(expected)


@pytest.mark.parametrize(("n", "n_relevant"), [(30, 1), (30, 6), (12, 12), (9, 8)])
def test_chance_is_the_mean_over_random_orders(n: int, n_relevant: int):
    rng = np.random.default_rng(0)
    relevant = rng.permuted(np.tile(np.arange(n) < n_relevant, (20_000, 1)), axis=1)
    sizes = np.full(1, n_relevant), np.full(1, n)
    number = np.full(len(relevant), n_relevant)
    for values_, chance in (
        (rankings.precision_at_1(relevant), rankings.chance_of_precision(*sizes)),
        (rankings.r_precision(relevant, number), rankings.chance_of_precision(*sizes)),
        (
            rankings.average_precision_at_r(relevant, number),
            rankings.chance_of_average_precision(*sizes),
        ),
        (rankings.recall_at_k(relevant, 3), rankings.chance_of_recall(*sizes, 3)),
        (rankings.recall_at_k(relevant, 99), rankings.chance_of_recall(*sizes, 99)),
    ):
        assert values_.mean() == pytest.approx(chance[0], abs=0.01)


def test_the_evaluation_says_what_was_compared(snapshot: Snapshot):
    e = evaluate(snapshot, "digit", k=5)
    assert (e.label, e.not_same, e.n_classes, e.n_queries, e.n_alone) == ("digit", ("speaker",), 10, 132, 0)
    assert (e.unit, e.n_units) == ("clip", 120)  # a clip has no speaker
    text = evaluation_output.write(e, "table")
    assert "MAP@R" in text
    assert "of another speaker" in text
    fields = json.loads(evaluation_output.write(e, "json"))
    assert fields["scores"][0]["low"] < fields["scores"][0]["value"] < fields["scores"][0]["high"]
    assert evaluation_output.write(e, "csv").splitlines()[0] == "metric,value,low,high,chance"


def test_intervals_are_over_speakers_and_wider_for_it(snapshot: Snapshot):
    files = np.arange(2, 121)  # all of known speakers
    e = evaluate(snapshot, "digit", ["clip"], allowed_files=files)
    assert (e.unit, e.n_units) == ("speaker", 6)
    [score] = [each.score for each in e.scores if each.score.metric == "precision@1"]
    assert score.low < score.value < score.high
    over_clips = evaluate(snapshot, "digit", ["clip"]).scores[2].score
    assert score.high - score.low > over_clips.high - over_clips.low


def test_few_groups_give_no_interval(snapshot: Snapshot, table: pd.DataFrame):
    files = np.flatnonzero(table["speaker"].isin(["theo", "jackson"])) + 1
    e = evaluate(snapshot, "digit", allowed_files=files)
    assert {each.score.unbounded for each in e.scores} == {"few_groups"}
    assert "too few groups to bound" in evaluation_output.write(e, "table")
    assert json.loads(evaluation_output.write(e, "json"))["scores"][0]["low"] is None


def test_a_group_that_holds_all_of_a_label_is_no_default(snapshot: Snapshot):
    e = evaluate(snapshot, "speaker")  # no clip has a session or recording
    assert (e.not_same, e.unit, e.n_queries) == ((), "speaker", 130)
    with pytest.raises(UsageError, match=r"no clip has another one of another speaker .*--not-same clip"):
        evaluate(snapshot, "speaker", ["speaker"])


@pytest.mark.parametrize(
    ("label", "not_same", "message"),
    [
        ("speakr", (), "--evaluate speakr: is no label column here; expected digit, speaker, take"),
        ("digit", ("x",), "--not-same x: is no label column"),
    ],
)
def test_an_unknown_column_is_refused(snapshot: Snapshot, label, not_same, message):
    with pytest.raises(UsageError, match=message):
        evaluate(snapshot, label, not_same)
