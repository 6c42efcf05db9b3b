"""The best row's score, corrected for its choice: against the paper's algorithm, and by simulation."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.report.choice import corrected
from bench.report.ranking import Aligned

ACCURACY = METRICS["accuracy"]
N_GROUPS, N_CLIPS = 20, 10
GROUP = np.repeat(np.arange(N_GROUPS), N_CLIPS).astype(str)


def rows(truth: np.ndarray, rng: np.random.Generator, n_groups: int = N_GROUPS) -> np.ndarray:
    """Return whether each row predicts each clip, shape=(n_rows, n_groups, N_CLIPS)."""
    return rng.random((len(truth), n_groups, N_CLIPS)) < truth[:, None, None]


def best_score(right: np.ndarray, group: np.ndarray, metric=ACCURACY) -> stats.BestScore:
    inside, outside = zip(
        *(stats.draw_pairs(metric, predicted(row.ravel()), group) for row in right), strict=True
    )
    return stats.best_score(np.array(inside), np.array(outside), metric.higher_is_better)


def predicted(right: np.ndarray) -> Predicted:
    y_true = np.where(np.arange(right.size) % 3, "a", "b")
    other = np.where(y_true == "a", "b", "a")
    return Predicted(y_true, np.where(right, y_true, other), np.array(["a", "b"]))


def literal_bbc(y_true: list, predictions: list, group: list, score, n_draws: int, seed: int) -> list[float]:
    """Return algorithm 5 of Tsamardinos et al. (2018) word by word, with groups in place of samples."""
    rng = np.random.default_rng(seed)
    names = sorted(set(group))
    losses = []
    for _ in range(n_draws):
        drawn = [names[number] for number in rng.integers(len(names), size=len(names))]
        inside = [clip for name in drawn for clip in range(len(group)) if group[clip] == name]
        outside = [clip for clip in range(len(group)) if group[clip] not in drawn]
        if not outside:
            continue
        scores = [score([y_true[c] for c in inside], [row[c] for c in inside]) for row in predictions]
        ties = [number for number, value in enumerate(scores) if value == max(scores)]
        of_ties = [
            score([y_true[c] for c in outside], [predictions[number][c] for c in outside]) for number in ties
        ]
        losses.append(sum(of_ties) / len(of_ties))
    return losses


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("name", "n_groups"),
    [
        ("accuracy", 12),
        ("balanced_accuracy", 4),
        pytest.param("accuracy", 4, marks=pytest.mark.slow),
        pytest.param("balanced_accuracy", 12, marks=pytest.mark.slow),
    ],
)
def test_it_is_the_algorithm_of_the_paper(name, n_groups):
    rng = np.random.default_rng(3)
    right, group = rows(np.array([0.6, 0.7, 0.7, 0.72, 0.65]), rng, n_groups), GROUP[: n_groups * N_CLIPS]
    tables = [predicted(row.ravel()) for row in right]

    def score(y_true, y_pred):
        return METRICS[name].score(Predicted(np.array(y_true), np.array(y_pred), np.array(["a", "b"])))

    y_true, labels = tables[0].y_true.tolist(), [table.y_pred.tolist() for table in tables]
    losses = literal_bbc(y_true, labels, group.tolist(), score, 250, seed=1)
    ours = best_score(right, group, METRICS[name])

    # Both are means over random draws, of 1,000 and of 250 or fewer.
    error = np.std(losses) * np.sqrt(1 / len(losses) + 1 / 1000)
    assert abs(ours.value - np.mean(losses)) < 3.5 * error
    low, high = np.quantile(losses, [0.1, 0.9])
    assert ours.low <= low < ours.value < high <= ours.high


@pytest.mark.simulation
def test_the_best_of_equal_rows_is_too_high_and_its_corrected_score_is_not():
    rng = np.random.default_rng(0)
    equal = np.full(30, 0.7)
    experiments = [rows(equal, rng) for _ in range(25)]
    highest = np.mean([right.mean(axis=(1, 2)).max() for right in experiments])
    values = [best_score(right, GROUP).value for right in experiments]

    assert highest > 0.75
    assert abs(np.mean(values) - 0.7) < 3 * np.std(values) / np.sqrt(len(values))


@pytest.mark.simulation
def test_a_row_that_is_truly_better_keeps_most_of_its_lead():
    rng = np.random.default_rng(0)
    truth = np.where(np.arange(30) == 7, 0.85, 0.7)
    experiments = [rows(truth, rng) for _ in range(10)]
    values = [best_score(right, GROUP).value for right in experiments]

    error = np.std(values) / np.sqrt(len(values))
    assert (0.7 + 0.85) / 2 < np.mean(values) < 0.85 + 3 * error


def test_rows_that_are_equal_on_the_drawn_groups_count_with_their_mean():
    """The order of the rows, which are sorted by their scores over all clips, chooses nothing."""
    inside = np.array([[0.5, 0.9], [0.5, 0.2]])
    outside = np.array([[1.0, 0.6], [0.0, 0.1]])

    assert stats.best_score(inside, outside).value == pytest.approx((0.5 + 0.6) / 2)
    assert stats.best_score(inside, outside, higher_is_better=False).value == pytest.approx((0.5 + 0.1) / 2)


def test_a_draw_that_leaves_no_group_out_does_not_count():
    inside, outside = stats.draw_pairs(ACCURACY, predicted(np.array([True, False])), np.array(["a", "b"]))

    assert np.isnan(outside).mean() == pytest.approx(0.5, abs=0.06)  # both of two groups
    assert set(inside[~np.isnan(outside)] + outside[~np.isnan(outside)]) == {1.0}
    assert 0 <= stats.best_score(inside[None], outside[None]).value <= 1


def test_a_single_group_or_row_has_no_choice_to_correct():
    assert stats.draw_pairs(ACCURACY, predicted(np.array([True, False])), np.array(["a", "a"])) is None
    table = pd.DataFrame({"clip": ["x"], "group": ["a"], "y_true": ["a"], "y_pred": ["a"]})
    assert corrected(Aligned.of([[table]]), ACCURACY) is None
    assert corrected(Aligned.of([[table], [table]]), ACCURACY) is None


def test_rows_are_compared_on_the_clips_that_all_of_them_predict():
    rng = np.random.default_rng(1)
    clips = [f"c{number}" for number in range(len(GROUP))]
    tables = []
    for right in rows(np.array([0.7, 0.8]), rng):
        p = predicted(right.ravel())
        tables.append(pd.DataFrame({"clip": clips, "group": GROUP, "y_true": p.y_true, "y_pred": p.y_pred}))
    half = tables[1].sample(frac=0.5, random_state=0)

    common = half["clip"].tolist()
    part = tables[0].set_index("clip").loc[common].reset_index()
    expected = corrected(Aligned.of([[part], [half]]), ACCURACY)
    assert corrected(Aligned.of([[tables[0]], [half]]), ACCURACY).value == pytest.approx(expected.value)


def test_rows_that_share_no_clip_are_not_compared():
    one, other = (
        pd.DataFrame({"clip": [clip], "group": ["a"], "y_true": ["a"], "y_pred": ["a"]}) for clip in "xy"
    )
    assert Aligned.of([[one], [other]]) is None


def test_the_corrected_score_stands_below_the_table(bench, digits):
    words = ["--datasets", digits, "--tasks", "gender", "--extractors", "mfcc", "--plain", "--out", "out"]
    result = bench("run", *words, "--heads", "svm,logreg,knn")
    assert result.exit_code == 0

    assert "- The best of 3 rows, corrected for the choice (BBC-CV): " in result.stdout
    bench("report", "out", "--format", "json,md,html")
    [table] = json.loads(Path("out/leaderboard.json").read_text())["tables"]
    value, best = table["best_corrected"], table["rows"][0]["scores"][0]["value"]
    assert value["low"] <= value["value"] <= min(best, value["high"])
    for name in ("leaderboard.md", "report.html"):
        assert "corrected for the choice (BBC-CV)" in Path("out", name).read_text()

    assert "BBC-CV" not in bench("run", *words[:-1], "alone", "--heads", "svm").stdout
