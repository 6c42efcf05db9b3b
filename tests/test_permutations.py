"""Permuted labels: a row's place among its permuted scores, groups on both sides, and copied groups."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from bench import audio, catalog, splits
from bench.errors import PluginError
from bench.learn import folds
from bench.learn.nested import inner_scores
from bench.learn.permutations import permutations
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.metrics import METRICS
from bench.types import Clip, Split

HEADS = catalog.load().heads
KNN = PipelineSpec(head=partial(catalog.build, HEADS["knn"]))
ACCURACY = METRICS["accuracy"]


def vectors(y: np.ndarray, group: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return vectors of which a part says the label, a part the group, and the rest the clip."""
    rng = np.random.default_rng(seed)
    of_label, of_group = ({name: rng.normal(size=4) for name in np.unique(side)} for side in (y, group))
    parts = [
        [of_label[name] for name in y],
        [2 * of_group[name] for name in group],
        rng.normal(size=(len(y), 8)),
    ]
    return np.hstack(parts).astype(np.float32)


@pytest.fixture(scope="module")
def honest() -> Examples:
    group = np.repeat([f"s{number}" for number in range(8)], 24)
    y = np.tile(list("abcd"), 48)
    return Examples(vectors(y, group), y, Split("loso", group, {"speaker": group}))


@pytest.mark.no_cover
def test_an_honest_split_shows_no_leak_and_a_true_score_the_first_place(honest):
    permuted = permutations(honest, KNN, ACCURACY, 20)
    assert len(permuted.between) == len(permuted.within) == 20
    assert len(permuted.shifted) == 19
    assert max(permuted.between) < 0.5
    # A tested group's labels are fewer on its training side: its score is at most that by other labels.
    assert np.mean(permuted.between) < max(permuted.shifted)
    assert permuted.copies == ()


def test_predictions_alone_are_looked_at_once_per_cell(honest, monkeypatch):
    heads: list[object] = []
    monkeypatch.setattr(folds, "check_samples_apart", lambda head, X, classes: heads.append(head))
    folds.evaluate(honest, KNN, lambda: 0.0)
    permutations(honest, KNN, ACCURACY, 2)
    inner_scores(honest, KNN, ACCURACY, lambda: 0.0)
    assert len(heads) == 1


def test_groups_on_both_sides_learn_their_permuted_labels(honest):
    fold = np.tile(["f1", "f2", "f3"], 64)
    y = np.repeat(list("abcd"), 48)  # two groups of each label
    split = Split("random", fold, honest.split.groups, leaky=True)
    permuted = permutations(Examples(vectors(y, split.groups["speaker"]), y, split), KNN, ACCURACY, 5)
    assert np.mean(permuted.between) > 0.8
    assert max(permuted.shifted) < 0.5


def test_a_copied_group_is_named_with_its_original(honest):
    rng = np.random.default_rng(1)
    rows = np.flatnonzero(honest.y != "")[:24]
    X = np.vstack([honest.X, honest.X[rows] + 0.1 * rng.normal(size=(24, 16)).astype(np.float32)])
    group = np.append(honest.split.group and honest.split.groups["speaker"], ["copy"] * 24)
    y, order = np.append(honest.y, honest.y[rows]), rng.permutation(len(X))
    split = Split("loso", group[order], {"speaker": group[order]})
    copies = permutations(Examples(X[order], y[order], split), KNN, ACCURACY, 20).copies
    assert {(copy.group, copy.original) for copy in copies} == {("copy", "s0"), ("s0", "copy")}


def test_few_permutations_find_no_copies(honest):
    assert permutations(honest, KNN, ACCURACY, 2).copies is None


def test_labels_that_no_split_can_test_are_refused():
    group = np.array(["s", "s", "t", "t"])
    y = np.array(["a", "b", "a", "c"])  # some class is always absent from training
    with pytest.raises(PluginError, match=r"only 0 of 2 permutations of the labels can be split"):
        permutations(Examples(np.eye(4), y, Split("loso", group, {"speaker": group})), KNN, ACCURACY, 2)


def test_clips_exchange_labels_within_their_group():
    group, y = np.repeat(list("stu"), 20), np.tile(np.repeat(list("abcde"), 4), 3)
    y[::7] = ""
    shuffled = splits.shuffle_labels(y, Split("loso", group, {"speaker": group}), 1)
    assert ((shuffled == "") == (y == "")).all()
    for name in "stu":
        assert sorted(shuffled[group == name]) == sorted(y[group == name])
    assert (shuffled != y).mean() > 0.5


def test_clips_exchange_labels_over_groups_of_one_label_each():
    group, y = np.repeat(list("stuv"), 20), np.repeat(["a", "b"], 40)
    shuffled = splits.shuffle_labels(y, Split("loso", group, {"speaker": group}), 1)
    assert sorted(shuffled) == sorted(y)
    assert len(set(shuffled[:20])) == 2


@pytest.mark.no_cover
def test_a_speaker_that_is_a_copy_as_mp3_is_found(real: Path):
    """The split is made here, since a plan would join the copies."""
    extractor = catalog.build(catalog.load().extractors["mfcc-13"])
    rows = [
        (digit, speaker, f"{real}/fsdd/{digit}_{speaker}_{take}.wav")
        for speaker in ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
        for digit in range(4)
        for take in range(5)
    ]
    signals = [audio.read(Clip(path, Path(path)), extractor.sample_rate) for _, _, path in rows]
    for digit, speaker, path in list(rows):
        if speaker == "george":
            rows.append((digit, "anna", path))
            signals.append(_as_mp3(signals[rows.index((digit, speaker, path))], extractor.sample_rate))
    frames = extractor.embed(signals)
    X = np.stack(
        [np.concatenate([array.mean(axis=0), array.std(axis=0)]) for array in map(np.asarray, frames)]
    )
    table = pd.DataFrame(rows, columns=["digit", "speaker", "path"]).astype(str)
    y, group = table["digit"].to_numpy(str), table["speaker"].to_numpy(str)
    examples = Examples(X, y, Split("loso", group, {"speaker": group}))
    copies = permutations(examples, KNN, ACCURACY, 20).copies
    assert {(copy.group, copy.original) for copy in copies} == {("anna", "george"), ("george", "anna")}


def _as_mp3(signal: np.ndarray, rate: int) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, signal, rate, format="MP3")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]
