"""Bad plugins fail the check of the rule that they break; the project's plugins pass every check."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from bench import catalog
from bench.datasets.layouts import manifest
from bench.errors import UsageError
from bench.testing import Check, check_dataset, check_extractor, check_head, check_task
from bench.types import Task


class Good:
    """Ten numbers per 10 ms."""

    sample_rate = 8000
    dim = 10

    def embed(self, audio):
        padded = [np.pad(y, (0, -y.size % 80)) for y in audio]
        return [np.abs(y).reshape(-1, 10, 8).mean(axis=2) for y in padded]


class ReadsLate(Good):
    def embed(self, audio):
        (Path(__file__).parent / "perf" / "ratios.json").read_bytes()
        return super().embed(audio)


class NoRate(Good):
    sample_rate = 8000.0


class OneTooFew(Good):
    def embed(self, audio):
        return super().embed(audio)[: max(1, len(audio) - 1)]


class OtherWidth(Good):
    dim = 11


class Whole(Good):
    def embed(self, audio):
        return [np.round(1000 * frames).astype(int) for frames in super().embed(audio)]


class LogOfNothing(Good):
    def embed(self, audio):
        with np.errstate(divide="ignore"):
            return [np.log(frames) for frames in super().embed(audio)]


class Overflows(Good):
    def embed(self, audio):
        with np.errstate(over="ignore"):
            return [np.exp(frames * 200).astype(np.float16).astype(float) for frames in super().embed(audio)]


class NeedsHalfASecond(Good):
    def embed(self, audio):
        return [frames[: len(frames) if len(frames) > 5 else 0] for frames in super().embed(audio)]


class Shrinks(Good):
    def embed(self, audio):
        return [frames[: max(1, 3000 // len(frames))] for frames in super().embed(audio)]


class Deaf(Good):
    def embed(self, audio):
        return [np.ones_like(frames) for frames in super().embed(audio)]


class Rolls(Good):
    rng = np.random.default_rng()

    def embed(self, audio):
        return [frames + self.rng.normal(0, 1e-6, frames.shape) for frames in super().embed(audio)]


class RandomWeights(Good):
    def __init__(self):
        self.weights = np.random.default_rng().normal(size=(10, 10))

    def embed(self, audio):
        return [frames @ self.weights for frames in super().embed(audio)]


class OneBuffer(Good):
    def __init__(self):
        self.buffer = np.zeros((4, 200, 10))

    def embed(self, audio):
        frames = super().embed(audio)
        for row, values in zip(self.buffer, frames, strict=False):
            row[: len(values)] = values
        return [row[: len(values)] for row, values in zip(self.buffer, frames, strict=False)]


class NormalisesOverTheBatch(Good):
    def embed(self, audio):
        frames = super().embed(audio)
        return [values / np.concatenate(frames).max() for values in frames]


class Sorts(Good):
    def embed(self, audio):
        return super().embed(sorted(audio, key=len))


class Centres(Good):
    def embed(self, audio):
        for y in audio:
            y -= y.mean()
        return super().embed(audio)


BAD_EXTRACTORS = [
    (ReadsLate, "names_its_files"),
    (NoRate, "declares_rate_and_width"),
    (OneTooFew, "one_array_per_clip"),
    (OtherWidth, "shape"),
    (Whole, "floats"),
    (Overflows, "finite"),
    (LogOfNothing, "silence"),
    (NeedsHalfASecond, "short_clips"),
    (Shrinks, "longer_clips_have_no_fewer_frames"),
    (Deaf, "listens"),
    (Rolls, "repeats"),
    (RandomWeights, "fresh_ones_agree"),
    (OneBuffer, "keeps_no_buffer"),
    (NormalisesOverTheBatch, "clips_stay_apart"),
    (Sorts, "keeps_the_order"),
    (Centres, "leaves_its_input_alone"),
]


def broken(checks: list[Check]) -> set[str]:
    names = set()
    for check in checks:
        try:
            check()
        except AssertionError:
            names.add(check.name)
    return names


@pytest.mark.parametrize(("factory", "rule"), BAD_EXTRACTORS)
def test_a_bad_extractor_breaks_the_rule_that_it_should(factory: Callable[[], Any], rule: str):
    assert rule in broken(check_extractor(factory))


def test_every_rule_of_extractors_has_a_bad_extractor():
    assert [rule for _, rule in BAD_EXTRACTORS] == [check.name for check in check_extractor(Good)]


@pytest.mark.parametrize("check", check_extractor(Good), ids=str)
def test_a_good_extractor_keeps_every_rule(check: Check):
    check()


class Layers(Good):
    """Two layers, as `n_layers` says."""

    n_layers = 2

    def embed(self, audio):
        return [np.stack([frames, 2 * frames]) for frames in super().embed(audio)]


class MoreLayers(Layers):
    def embed(self, audio):
        return [np.concatenate([frames, frames]) for frames in super().embed(audio)]


def test_an_extractor_returns_as_many_layers_as_it_declares():
    assert broken(check_extractor(Layers)) == set()
    assert "shape" in broken(check_extractor(MoreLayers))


@pytest.mark.parametrize("name", ["mfcc", "mfcc-13", "mfcc-cmvn", "logmel", "spectral", "raw"])
def test_the_projects_own_extractors_keep_every_rule(name: str):
    spec = catalog.load().extractors[name]
    assert broken(check_extractor(lambda: catalog.build(spec))) == set()


class Head(KNeighborsClassifier):
    pass


class Numbers(Head):
    def predict(self, X):
        return np.arange(len(X))


class Guesses(Head):
    def predict(self, X):
        return np.random.default_rng(0).choice(self.classes_, len(X))


class WantsThree(Head):
    def fit(self, X, y):
        if len(set(y)) != 3:
            raise ValueError("three classes, please")
        return super().fit(X, y)


class Unseeded(Head):
    n_fits = 0

    def fit(self, X, y):
        Unseeded.n_fits += 1
        return super().fit(X, y)

    def predict(self, X):
        return np.full(len(X), self.classes_[self.n_fits % 2])


class Remembers(Head):
    def fit(self, X, y):
        return self if hasattr(self, "classes_") else super().fit(X, y)


class LooksAround(Head):
    def predict(self, X):
        return super().predict(X) if len(X) > 1 else np.array([self.classes_[0]])


class Scales(Head):
    def fit(self, X, y):
        X /= 2
        return super().fit(X, y)


class Unnormalised(Head):
    def predict_proba(self, X):
        return 2 * super().predict_proba(X)


class Backwards(Head):
    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]


class Likelihoods(GaussianNB):
    predict_proba = property()

    def decision_function(self, X):
        return self._joint_log_likelihood(X)


class NoParameters(ClassifierMixin, BaseEstimator):
    def __init__(self, *names):
        self.inner = KNeighborsClassifier()

    def fit(self, X, y):
        self.inner.fit(X, y)
        return self

    def predict(self, X):
        return self.inner.predict(X)


BAD_HEADS = [
    (Numbers, "predicts_labels"),
    (Guesses, "learns"),
    (WantsThree, "two_classes"),
    (Unseeded, "repeats_itself"),
    (Remembers, "forgets"),
    (LooksAround, "rows_stay_apart"),
    (Scales, "leaves_its_data_alone"),
    (Unnormalised, "scores"),
    (Backwards, "likeliest"),
    (Likelihoods, "scores_compare"),
    (NoParameters, "clones"),
]


@pytest.mark.parametrize(("factory", "rule"), BAD_HEADS)
def test_a_bad_head_breaks_the_rule_that_it_should(factory: Callable[[], Any], rule: str):
    assert rule in broken(check_head(factory))


def test_every_rule_of_heads_has_a_bad_head():
    assert [rule for _, rule in BAD_HEADS] == [check.name for check in check_head(Head)]


@pytest.mark.parametrize("name", ["svm", "svm-linear", "logreg", "lda", "knn", "rf", "gbdt", "gmm-clip"])
def test_the_projects_own_heads_keep_every_rule(name: str):
    spec = catalog.load().heads[name]
    assert broken(check_head(lambda: catalog.build(spec))) == set()


def test_an_expected_failure_has_to_fail():
    expected = {"silence": "log of nothing"}
    assert "silence" not in broken(check_extractor(LogOfNothing, expected))
    assert broken(check_extractor(Good, expected)) == {"silence"}, "the rule is kept"
    with pytest.raises(UsageError, match=r"expected_failures: .*quiet; .*declares_rate"):
        check_extractor(Good, {"quiet": ""})


@pytest.fixture
def opened(digits: Path):
    return lambda: manifest.load(digits)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("", {}),
        ("has_clips", {"clip": "the same"}),
        ("files_are_there", {"path": "gone.wav"}),
        ("labels_are_whole", {"speaker": ""}),
    ],
)
def test_datasets(opened, rule: str, change: dict[str, str]):
    dataset = opened()
    dataset.table.loc[dataset.table.index[:2], list(change)] = list(change.values())
    rules = broken(check_dataset(lambda: dataset))
    assert rules >= ({rule} - {""})
    assert rule or not rules


def test_a_dataset_that_cannot_be_decoded_or_changes(opened, tmp_path: Path):
    dataset = opened()
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF")
    dataset.table.loc[dataset.table.index[0], "path"] = str(path)
    assert broken(check_dataset(lambda: dataset)) == {"decodes"}
    tables = iter([opened().table, opened().table.iloc[::-1]])

    def reordered():
        dataset = opened()
        dataset.table[:] = pd.DataFrame(next(tables)).to_numpy()
        return dataset

    assert "opens_alike" in broken(check_dataset(reordered))


def test_tasks():
    good = Task("t", "speaker", ("session",), ("accuracy",))
    assert broken(check_task(good)) == set()
    assert broken(check_task(Task("t", "speaker", ("speaker",), ("accuracy",)))) == {"keeps_groups_apart"}
    assert "knows_its_metrics" in broken(check_task(Task("t", "speaker", ("s",), ("accurac",))))
    assert broken(check_task(Task("t", "speaker", ("s",), ("log_loss",)))) == {"ranks_by_labels"}


@pytest.mark.verb("check")
def test_the_command_says_which_rules_are_kept(bench, digits: Path):
    Path("mine_too.py").write_text(
        "import numpy as np\n"
        "from sklearn.svm import SVC\n\n\n"
        "class Log:\n"
        "    sample_rate, dim = 8000, 1\n\n"
        "    def embed(self, audio):\n"
        "        with np.errstate(divide='ignore'):\n"
        "            return [np.log(np.abs(y)).reshape(-1, 1) for y in audio]\n"
    )
    bad = bench("check", "./mine_too.py:Log")
    assert bad.exit_code == 1
    assert re.search(r"^silence +broken .*Frames of silence are finite", bad.output, re.MULTILINE)
    assert "1 of 16 rules broken" in bad.output
    for name in ("mfcc-13", "svm", "sklearn.svm:SVC", "./mine_too.py:SVC", "speaker", digits):
        good = bench("check", name)
        assert good.exit_code == 0, good.output
        assert f"{name}: keeps every rule" in good.output
    assert bench("check", "mfc").exit_code == 2
