"""Suspects: confident learning against its equations and cleanlab, and the predictions of a run."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from bench.errors import UsageError
from bench.exploration import suspects as module
from bench.exploration.confident import are_probabilities, calibrated, label_quality
from bench.request import Request
from bench.store import Counters, DatasetRecord, RunRecord, Store, TableProtocol
from bench.types import Result, Score, SplitId, Status, TaskId, View

CLASSES = ("bird", "cat", "dog")


def problem(
    n_clips: int, n_wrong: int, seed: int = 0, margin: float = 5.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the classes of labels, of which the first ones are wrong, the true ones, and probabilities."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(3, size=n_clips)
    p = softmax(2 * rng.normal(size=(n_clips, 3)) + margin * np.eye(3)[truth], axis=1)
    y = truth.copy()
    y[:n_wrong] = (truth[:n_wrong] + rng.integers(1, 3, size=n_wrong)) % 3
    return y, truth, p


def test_suspects_are_those_of_the_equations_written_out():
    y, _, p = problem(300, 30, margin=3.0)
    threshold = [np.mean([p[i, j] for i in range(300) if y[i] == j]) for j in range(3)]
    joint = np.zeros((3, 3))
    for i in range(300):
        classes = [j for j in range(3) if p[i, j] >= threshold[j]]
        if classes:
            joint[y[i], max(classes, key=lambda j, i=i: p[i, j])] += 1
    expected, n_errors = set(), 0.0
    for a, b in [(a, b) for a in range(3) for b in range(3) if a != b]:
        n = joint[a, b] / joint[a].sum() * (y == a).sum()
        n_errors += n
        expected |= set(sorted(np.flatnonzero(y == a), key=lambda i, a=a, b=b: p[i, a] - p[i, b])[: round(n)])
    quality = label_quality(y, p)
    assert quality.n_errors == pytest.approx(n_errors)
    assert set(np.flatnonzero(quality.is_suspect)) == {i for i in expected if p[i].argmax() != y[i]}
    np.testing.assert_array_equal(quality.quality, p[np.arange(300), y])


def test_suspects_are_those_of_cleanlab():
    """The values are what `find_label_issues` and `num_label_issues` of cleanlab 2.9.0 return by default."""
    y, _, p = problem(120, 12, seed=7, margin=2.5)
    quality = label_quality(y, p)
    assert np.flatnonzero(quality.is_suspect).tolist() == CLEANLAB_SUSPECTS
    assert quality.n_errors == pytest.approx(CLEANLAB_ERRORS, abs=1.5), "its counts are whole numbers"


CLEANLAB_SUSPECTS = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    10,
    11,
    13,
    14,
    17,
    19,
    22,
    23,
    24,
    27,
    33,
    34,
    47,
    49,
    50,
    51,
    60,
    65,
    69,
    72,
    76,
    89,
    96,
    102,
    111,
    114,
    119,
]
CLEANLAB_ERRORS = 40


def test_most_planted_errors_are_suspects_and_the_right_class_is_suggested():
    y, truth, p = problem(1000, 100)
    quality = label_quality(y, p)
    hits = np.flatnonzero(quality.is_suspect[:100])
    disagrees = p.argmax(axis=1) != y
    assert len(hits) > 50
    assert len(hits) / quality.is_suspect.sum() > disagrees[:100].sum() / disagrees.sum()
    assert abs(quality.n_errors - 100) < abs(disagrees.sum() - 100)
    assert (quality.suggestion[hits] == truth[hits]).mean() > 0.9
    assert quality.is_suspect[quality.order[: quality.is_suspect.sum()]].all()


def test_decision_values_of_known_probabilities_get_these_back():
    rng = np.random.default_rng(0)
    values = 3 * rng.normal(size=(4000, 3))
    p = softmax(values, axis=1)
    y = np.array([rng.choice(3, p=row) for row in p])
    assert are_probabilities(p)
    assert not are_probabilities(values)
    np.testing.assert_allclose(calibrated(values * 17, y), p, atol=0.05)
    values[:, 2] = -np.inf  # a class that a fold was not trained on
    assert not calibrated(values, np.minimum(y, 1))[:, 2].any()


SPLIT = SplitId("cv:2", "speaker")


def predictions(p: np.ndarray, y: np.ndarray, groups: np.ndarray) -> pd.DataFrame:
    names = np.array(CLASSES)
    table = pd.DataFrame({"clip": [f"c{i}" for i in range(len(y))], "fold": "0", "group": groups.astype(str)})
    table = table.assign(y_true=names[y], y_pred=names[p.argmax(axis=1)])
    return table.join(pd.DataFrame(p, columns=[f"score_{name}" for name in CLASSES]))


@pytest.fixture
def run(tmp_path: Path):
    """Return a maker of the folder of a run: head -> accuracy and predictions of every seed."""

    def make(heads: dict[str, tuple[float, list[pd.DataFrame]]], **labels: list[str]) -> Path:
        store, task = Store(tmp_path / "out"), TaskId("animal")
        store.open()
        keys = []
        for head, (accuracy, seeds) in heads.items():
            for seed, table in enumerate(seeds):
                keys.append(f"{head}{seed}")
                scores = (Score("accuracy", accuracy, folds=(accuracy, accuracy)),)
                store.append(
                    Result(
                        key=keys[-1], dataset="zoo", task=task, extractor="mfcc", view=View(2, "mean"),
                        head=head, seed=seed, split=SPLIT, status=Status.OK, scores=scores, n_test=len(table),
                    ),
                    table,
                )  # fmt: skip
        clips = next(iter(heads.values()))[1][0]["clip"]
        store.write_labels("zoo", pd.DataFrame({"clip": clips, **labels}))
        source = DatasetRecord(
            source="x", version="1", synthetic=False, notes=(), n_clips=len(clips), content="0"
        )
        protocol = TableProtocol(
            dataset="zoo", task=task, about="", metrics=("accuracy",), split=SPLIT, split_digest="0",
            obstacles=(), apart=("speaker",), n_groups=4, n_folds=2, n_classes=3, fewest_groups=("cat", 2),
        )  # fmt: skip
        store.write_run(
            RunRecord(
                command="bench run", request=Request(), folder=".", finished=True, env={"bench": "0"},
                counters=Counters(), datasets={"zoo": source}, tables=(protocol,),
                identities={}, cells=tuple(keys),
            )
        )  # fmt: skip
        return store.out

    return make


def test_the_best_head_with_scores_tells_the_suspects(run):
    y, _, p = problem(120, 8)
    groups = np.arange(120) // 2
    _, _, other = problem(120, 8, seed=1)
    bare = predictions(p, y, groups).drop(columns=[f"score_{name}" for name in CLASSES])
    folder = run(
        {
            "labels-only": (0.95, [bare]),
            "logreg": (0.9, [predictions(p, y, groups), predictions(0.5 * p + 0.5 / 3, y, groups)]),
            "knn": (0.5, [predictions(other, y, groups)]),
        }
    )
    [result] = module.suspects(folder)
    assert (result.head, result.rank, result.layer, result.pool) == ("logreg", 2, "2", "mean")
    assert (result.split, result.group, result.is_leaky, result.is_calibrated) == (
        "cv:2",
        "speaker",
        False,
        False,
    )
    expected = label_quality(y, 0.75 * p + 0.25 / 3)
    assert (result.accuracy, result.n_errors) == (np.mean(p.argmax(axis=1) == y), expected.n_errors)
    clips = module.frame(result.clips).set_index("name").loc[[f"c{i}" for i in range(120)]]
    assert clips["suspect"].tolist() == expected.is_suspect.tolist()
    np.testing.assert_allclose(clips["quality"], expected.quality)
    assert clips["suggestion"].tolist() == [CLASSES[code] for code in expected.suggestion]
    assert clips["group"].tolist() == groups.astype(str).tolist()
    assert result.clips.is_suspect[: expected.is_suspect.sum()].all()


def test_a_group_whose_label_is_wrong_as_a_whole_stands_first(run):
    y, truth, p = problem(200, 0)
    groups = truth * 10 + np.arange(200) % 10  # a speaker has one class
    y[groups == 14] = 2
    [result] = module.suspects(run({"logreg": (0.9, [predictions(p, y, groups)])}))
    assert result.groups is not None
    first = module.frame(result.groups).iloc[0]
    assert (first["name"], first["label"], first["suggestion"], first["suspect"]) == (
        "14",
        "dog",
        "cat",
        True,
    )
    assert first["n_clips"] == (groups == 14).sum()
    assert module.frame(result.groups)["suspect"].sum() == 1


def test_segments_of_a_clip_are_one_suspect(run):
    y, _, p = problem(60, 0)
    y, parents = np.repeat(y, 2), [f"recording {i // 2}" for i in range(120)]
    p = np.repeat(p, 2, axis=0)
    [result] = module.suspects(run({"logreg": (0.9, [predictions(p, y, np.arange(120))])}, parent=parents))
    assert sorted(result.clips.name) == sorted(set(parents))


def test_decision_values_are_calibrated(run):
    y, _, p = problem(200, 10)
    [result] = module.suspects(run({"svm": (0.9, [predictions(7 * np.log(p), y, np.arange(200))])}))
    assert result.is_calibrated
    assert result.groups is None
    listed = module.frame(result.clips)
    names = set(listed[listed["suspect"]]["name"].str[1:].astype(int))
    assert len(names & set(range(10))) >= 8


def test_changed_predictions_are_no_source_of_suspects(run):
    y, _, p = problem(50, 5)
    table = predictions(p, y, np.arange(50))
    folder = run({"logreg": (0.9, [table])})
    table.assign(score_cat=0.0).to_parquet(folder / "predictions" / "logreg0.parquet")
    with pytest.raises(UsageError, match=r"logreg0\.parquet: holds other predictions than the scored ones"):
        module.suspects(folder)


def test_a_run_without_scores_of_classes_says_which_head_has_them(run):
    y, _, p = problem(50, 5)
    bare = predictions(p, y, np.arange(50)).drop(columns=[f"score_{name}" for name in CLASSES])
    with pytest.raises(UsageError, match="no head gives scores of classes for any task; run one that does"):
        module.suspects(run({"labels-only": (0.9, [bare])}))


def test_a_changed_result_is_refused(run):
    y, _, p = problem(50, 5)
    folder = run({"logreg": (0.9, [predictions(p, y, np.arange(50))])})
    text = (folder / "results.jsonl").read_text()
    (folder / "results.jsonl").write_text(text.replace('"accuracy"', '"f1_macro"'))
    with pytest.raises(UsageError, match=r"results.jsonl"):
        module.suspects(folder)


def test_a_folder_without_a_run_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="holds no run"):
        module.suspects(tmp_path)
