"""Votes and means, held against plain pandas and numpy."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.learn import aggregation

CLASSES = np.array(["a", "b", "c"])
votes = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abc")), min_size=1, max_size=60)


@given(votes)
def test_frames_vote_as_a_plain_group_by_says(frames: list[tuple[int, str]]):
    clip = np.array(sorted(number for number, _ in frames))
    y_pred = np.array([label for _, label in frames])
    scores = pd.DataFrame(
        np.random.default_rng(0).random((len(frames), 3)), columns=[f"score_{c}" for c in CLASSES]
    )
    table = aggregation.frame_vote(clip, y_pred, scores, CLASSES)
    plain = pd.DataFrame({"clip": clip, "y_pred": y_pred})
    of_clip = scores.set_axis(CLASSES, axis=1).groupby(clip).mean()
    expected = plain.groupby("clip")["y_pred"].agg(
        lambda labels: of_clip.loc[clip[labels.index[0]], labels.mode()].idxmax()
    )
    assert table["y_pred"].tolist() == expected.tolist()
    assert (
        table[["votes_a", "votes_b", "votes_c"]].sum(axis=1).tolist() == plain.groupby("clip").size().tolist()
    )
    means = scores.groupby(clip).mean()
    np.testing.assert_allclose(table[scores.columns].to_numpy(), means.to_numpy())


def test_the_frames_come_back_from_the_votes():
    columns = {"fold": ["0", "1"], "group": ["g", "h"], "y_true": ["a", "b"]}
    frames = aggregation.frames(pd.DataFrame({**columns, "votes_a": [2, 0], "votes_b": [1, 3]}))
    expected = [["0", "g", "a", "a"]] * 2 + [["0", "g", "a", "b"]] + [["1", "h", "b", "b"]] * 3
    assert frames.to_numpy().tolist() == expected


@pytest.fixture
def segments():
    parent = np.array(["p2", "p1", "p1", "p1", "p2", "p2"])
    columns = {"fold": list("100011"), "group": list("hggghh"), "y_true": list("baaabb")}
    table = pd.DataFrame({**columns, "y_pred": list("bbbaab")})
    return table.assign(
        score_a=[0.1, 0.4, 0.45, 0.99, 0.9, 0.2], score_b=[0.9, 0.6, 0.55, 0.01, 0.1, 0.8]
    ), parent


def test_segments_vote_and_average_over_their_parent(segments):
    table, parent = segments
    assert aggregation.by_vote(table, parent).to_numpy().tolist() == [
        ["0", "g", "a", "b"],
        ["1", "h", "b", "b"],
    ]
    assert aggregation.by_mean(table, parent).to_numpy().tolist() == [
        ["0", "g", "a", "a"],
        ["1", "h", "b", "b"],
    ]


def test_a_tie_goes_to_the_first_label():
    table = pd.DataFrame({"fold": "0", "group": "g", "y_true": "b", "y_pred": ["b", "a"]})
    assert aggregation.by_vote(table, np.array(["p", "p"]))["y_pred"].tolist() == ["a"]


def test_a_class_that_a_fold_never_trained_on_wins_no_mean():
    table = pd.DataFrame(
        {"fold": "0", "group": "g", "y_true": "b", "y_pred": ["b"], "score_a": [np.nan], "score_b": [-3.0]}
    )
    assert aggregation.by_mean(table, np.array(["p"]))["y_pred"].tolist() == ["b"]
