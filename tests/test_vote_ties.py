"""A tie of votes goes to the class with the highest mean score."""

import numpy as np
import pandas as pd
import pytest

from bench.learn import aggregation

CLASSES = np.array(["a", "b", "c"])


def scores(rows: list[list[float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[f"score_{name}" for name in CLASSES])


FRAMES = [[0.5, 0.3, 0.2], [0.1, 0.9, 0.0], [0.6, 0.2, 0.2], [0.3, 0.4, 0.3]]


def test_a_tie_of_frames_goes_to_the_highest_mean_score():
    clip, y_pred = np.zeros(4, dtype=int), np.array(["a", "b", "a", "b"])
    assert aggregation.frame_vote(clip, y_pred, scores(FRAMES), CLASSES)["y_pred"].tolist() == ["b"]


def test_the_score_of_a_class_without_the_most_votes_does_not_count():
    clip, y_pred = np.zeros(3, dtype=int), np.array(["a", "a", "b"])
    rows = [[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.0, 1.0, 0.0]]
    assert aggregation.frame_vote(clip, y_pred, scores(rows), CLASSES)["y_pred"].tolist() == ["a"]


@pytest.mark.parametrize("table", [pd.DataFrame(index=range(2)), scores([[np.nan] * 3] * 2)])
def test_a_tie_without_scores_goes_to_the_first_label(table: pd.DataFrame):
    clip, y_pred = np.zeros(2, dtype=int), np.array(["c", "b"])
    assert aggregation.frame_vote(clip, y_pred, table, CLASSES)["y_pred"].tolist() == ["b"]


def test_a_tie_of_segments_goes_to_the_highest_mean_score():
    table = scores(FRAMES).assign(fold="f", group="g", y_true="a", y_pred=["a", "b", "a", "b"])
    assert aggregation.by_vote(table, np.array(["x"] * 4))["y_pred"].tolist() == ["b"]
    without = table.drop(columns=[f"score_{name}" for name in CLASSES])
    assert aggregation.by_vote(without, np.array(["x"] * 4))["y_pred"].tolist() == ["a"]
