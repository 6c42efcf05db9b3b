"""Planted label errors: what is planted, and what folds by group and random folds find of it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import UsageError
from bench.exploration.planting import plant, search_planted


def speakers(n_speakers: int, n_clips: int, spread: float) -> tuple[np.ndarray, list[str], list[str]]:
    """Return vectors of speakers of two genders, far from each other by `spread`, their genders and names."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(n_speakers), n_clips)
    gender = speaker % 2
    places = spread * rng.normal(size=(n_speakers, 20))
    X = places[speaker] + rng.normal(size=(len(speaker), 20)) + 3 * gender[:, None] * (np.arange(20) < 4)
    return X.astype(np.float32), ["fm"[g] for g in gender], [f"s{s}" for s in speaker]


def test_a_share_of_the_clips_gets_another_label():
    labels = ["a", "b", "c", ""] * 100
    planted = plant(labels, 0.1, seed=0)
    changed = np.array(planted.labels) != np.array(labels)
    assert planted.is_planted.tolist() == changed.tolist()
    assert changed.sum() == 30, "a tenth of the labelled ones"
    assert set(planted.labels) == {"a", "b", "c", ""}
    assert plant(labels, 0.1, seed=0).labels == planted.labels
    assert plant(labels, 0.1, seed=1).labels != planted.labels


def test_all_clips_of_a_group_get_another_label_together():
    groups = [f"g{i % 20}" for i in range(200)]
    labels = ["abc"[int(group[1:]) % 3] for group in groups]
    planted = plant(labels, 0.1, 0, groups)
    wrong = {group for group, is_wrong in zip(groups, planted.is_planted, strict=True) if is_wrong}
    assert len(wrong) == 2
    assert planted.is_planted.sum() == 20
    for group in wrong:
        assert len({planted.labels[i] for i in range(200) if groups[i] == group}) == 1


def test_the_labels_of_a_group_stay_apart():
    labels, groups = [str(i % 10) for i in range(100)], [f"g{i // 10}" for i in range(100)]
    planted = plant(labels, 0.1, 0, groups)
    [start] = np.flatnonzero(planted.is_planted)[:1]
    assert sorted(planted.labels[start : start + 10]) == sorted(labels[:10])
    assert planted.is_planted.sum() == 10


@pytest.mark.parametrize(
    ("labels", "share", "message"),
    [
        (["a", "b"] * 9, 0.0, "--plant-errors 0: expected a share above 0"),
        (["a", "b"] * 9, 0.9, "expected a share above 0 and up to 0.5"),
        (["a", ""] * 9, 0.1, "9 labelled clips of 1 classes"),
        ([], 0.1, "0 labelled clips of 0 classes"),
    ],
)
def test_what_cannot_be_planted_is_refused(labels: list[str], share: float, message: str):
    with pytest.raises(UsageError, match=message):
        plant(labels, share, 0)


def test_errors_on_single_clips_of_well_separated_classes_are_found():
    X, labels, groups = speakers(20, 10, spread=0.1)
    for search in search_planted(X, labels, groups, 0.1, seed=0)[:2]:
        assert search.n_clips == 200
        assert search.n_planted == 20
        assert search.average_precision == 1
        assert search.precision == 1
        assert search.recall > 0.5


def test_random_folds_hide_the_errors_of_whole_speakers_and_find_those_of_single_clips():
    X, labels, groups = speakers(20, 10, spread=1.5)
    searches = {(search.unit, search.folds): search for search in search_planted(X, labels, groups, 0.1)}
    assert searches["group", "group"].recall > searches["group", "random"].recall
    assert searches["clip", "random"].average_precision > searches["clip", "group"].average_precision


def test_labels_of_one_group_each_are_searched_with_random_folds_alone():
    X, _, groups = speakers(6, 20, spread=2.0)
    searches = search_planted(X, groups, groups, 0.1)
    assert [(search.unit, search.folds) for search in searches] == [("clip", "random"), ("group", "random")]
    assert searches[0].recall > 0.9


def test_clips_without_a_label_or_a_group_are_no_obstacle():
    X, labels, groups = speakers(20, 10, spread=0.1)
    labels[::7] = [""] * len(labels[::7])
    groups[1::2] = [""] * len(groups[1::2])
    for search in search_planted(X, labels, groups, 0.1):
        assert search.n_clips == sum(label != "" for label in labels)
        assert search.recall > 0.5


def test_clips_of_rare_classes_are_left_out():
    X, labels, groups = speakers(20, 10, spread=0.1)
    labels[:9] = ["x"] * 9
    assert {search.n_clips for search in search_planted(X, labels, groups, 0.1)} == {191}
    with pytest.raises(UsageError, match="0 labelled clips"):
        search_planted(X[:18], labels[:18], groups[:18], 0.1)


@pytest.mark.slow
def test_errors_in_spoken_digits_are_found_best_with_the_speakers_own_clips(bench, real: Path):
    paths = [path for path in sorted((real / "fsdd").glob("*.wav")) if int(path.stem.split("_")[2]) < 10]
    pd.DataFrame({"path": paths}).to_csv("digits.csv", index=False)
    words = ("--extractors", "mfcc", "--out", "digits.npz", "--plain")
    assert bench("embed", "digits.csv", *words).exit_code == 0
    with np.load("digits.npz") as arrays:
        X = arrays["mfcc mean+std"]
    digits, speakers, _ = zip(*(path.stem.split("_") for path in paths), strict=True)
    searches = {(search.unit, search.folds): search for search in search_planted(X, digits, speakers, 0.05)}
    assert searches["clip", "random"].average_precision > searches["clip", "group"].average_precision
    assert searches["clip", "random"].recall > 0.5
    assert searches["group", "group"].recall > searches["group", "random"].recall
