"""Speed as ratios in one run: heads over the folds of a task against bare calls of their libraries."""

import time
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import SVC
from umap import UMAP
from xgboost import XGBClassifier

from bench import catalog
from bench.learn.folds import evaluate
from bench.learn.pipeline import PipelineSpec, ReducerCache
from bench.learn.samples import Examples
from bench.types import Spec, Split

N_CLASSES = 40
N_WINDOWS = 67
"""Per speaker."""

BANDS, FRAMES = 32, 24


@pytest.fixture(scope="module")
def wide(real: Path) -> tuple[np.ndarray, np.ndarray, Split]:
    """Return 2,680 log-mel windows of 0.24 s as vectors of 768, their 40 speakers, and folds by time."""
    paths = sorted((real / "LibriSpeech" / "train-clean-100").rglob("*.flac"))
    long = [path for path in paths if soundfile.info(path).duration >= 13.0][:N_CLASSES]
    X = []
    for path in long:
        y, rate = soundfile.read(path, dtype="float32")
        mel = librosa.feature.melspectrogram(y=y, sr=rate, n_fft=400, hop_length=160, n_mels=BANDS)
        starts = np.linspace(0, mel.shape[1] - FRAMES, N_WINDOWS).astype(int)
        X += [librosa.power_to_db(mel[:, start : start + FRAMES]).ravel() for start in starts]
    fold = np.tile((np.arange(N_WINDOWS) * 5 // N_WINDOWS).astype(str), N_CLASSES)
    split = Split("cv:5", fold, {"window": np.arange(len(X)).astype(str)})
    return np.array(X, np.float32), np.repeat([path.stem for path in long], N_WINDOWS), split


def declared(name: str) -> Spec:
    return catalog.load().heads[name]


def folds(split: Split, X: np.ndarray, y: np.ndarray):
    """Yield the sides of every fold, scaled as a plain script does it."""
    for _, train, test in split.rounds():
        scaler = StandardScaler().fit(X[train])
        yield scaler.transform(X[train]), y[train], scaler.transform(X[test]), y[test]


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_svm_scores_classes_without_platts_inner_folds(benchmark, fastest, wide):
    X, y, split = wide
    recipe = PipelineSpec(lambda: catalog.build(declared("svm")))
    kept = {}

    def ours() -> None:
        kept["scores"] = evaluate(Examples(X, y, split), recipe, time.perf_counter).predictions

    def platts() -> None:
        kept["values"] = values = []
        for X_train, y_train, X_test, _ in folds(split, X, y):
            machine = SVC(C=10.0, probability=True, random_state=0).fit(X_train, y_train)
            machine.predict_proba(X_test)
            values.append(machine.decision_function(X_test))

    ours_s, platt_s = fastest(ours, platts, rounds=1)
    scores = kept["scores"].filter(like="score_").to_numpy()
    ranked = scores.argsort(axis=1) == np.concatenate(kept["values"]).argsort(axis=1)
    benchmark.extra_info |= {"ratio": platt_s / ours_s, "ranked": ranked.all(axis=1).mean()}
    benchmark.pedantic(ours, rounds=1)
    assert platt_s / ours_s >= 4
    assert ranked.all(axis=1).mean() > 0.99, "but for ties to the last digit"


def test_gbdt_takes_what_xgboost_takes(benchmark, fastest, wide):
    X, y, split = wide
    few = y <= np.unique(y)[4]
    X, y, split = X[few], y[few], split.take(few)
    spec = declared("gbdt")
    recipe = PipelineSpec(lambda: catalog.build(spec))

    def ours() -> None:
        evaluate(Examples(X, y, split), recipe, time.perf_counter)

    def bare() -> None:
        for X_train, y_train, X_test, _ in folds(split, X, LabelEncoder().fit_transform(y)):
            trees = XGBClassifier(tree_method="hist", n_jobs=1, random_state=0, **spec.params)
            trees.fit(X_train, y_train).predict_proba(X_test)

    ours_s, bare_s = fastest(ours, bare, rounds=5)
    benchmark.extra_info |= {"ratio": ours_s / bare_s}
    benchmark.pedantic(ours, rounds=1)
    assert ours_s / bare_s <= 1.1


def test_gbdt_of_forty_classes_is_faster_than_the_defaults_and_no_worse(benchmark, wide):
    X, y, split = wide
    _, train, test = next(split.rounds())
    codes = LabelEncoder().fit_transform(y)

    def accuracy_and_seconds(trees, labels: np.ndarray) -> tuple[float, float]:
        start = time.perf_counter()
        trees.fit(X[train], labels[train])
        right = trees.predict(X[test]) == labels[test]
        return float(right.mean()), time.perf_counter() - start

    defaults = XGBClassifier(tree_method="hist", objective="multi:softprob", n_jobs=1, random_state=0)
    default, default_s = accuracy_and_seconds(defaults, codes)
    ours, ours_s = accuracy_and_seconds(catalog.build(declared("gbdt")), y)
    benchmark.extra_info |= {"ratio": default_s / ours_s, "accuracy": ours, "default_accuracy": default}
    benchmark.pedantic(lambda: None, rounds=1)
    assert default_s / ours_s >= 3
    assert ours >= default


def test_six_heads_share_one_umap_per_fold(benchmark, fastest, wide, monkeypatch):
    X, y, split = wide
    some = np.arange(len(y)) % 4 == 0
    X, y, split = X[some], y[some], split.take(some)
    names = ("svm", "svm-linear", "logreg", "knn", "lda", "dummy")
    umap = catalog.load().reducers["umap"]
    fits = []
    fit = UMAP.fit
    monkeypatch.setattr(UMAP, "fit", lambda self, *rest: fits.append(1) or fit(self, *rest))

    def recipe(name: str, *steps: str) -> PipelineSpec:
        return PipelineSpec(
            lambda: catalog.build(declared(name)), steps=[(s, lambda: catalog.build(umap)) for s in steps]
        )

    def one() -> None:
        evaluate(Examples(X, y, split), recipe("dummy", "umap"), time.perf_counter)

    def six() -> None:
        fits.clear()
        shared = ReducerCache()
        for name in names:
            evaluate(Examples(X, y, split), recipe(name, "umap"), time.perf_counter, shared)

    one_s, six_s = fastest(one, six, rounds=1)
    benchmark.extra_info |= {"fits": len(fits), "ratio": six_s / one_s}
    benchmark.pedantic(lambda: None, rounds=1)
    assert len(fits) == 5
    assert six_s / one_s <= 1.5
