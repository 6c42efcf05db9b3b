"""What the project promises of real audio, beside plain scikit-learn scripts as the reference."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import accuracy_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from bench import audio
from bench.catalog import packaged_root
from bench.datasets import index
from bench.extractors.mfcc import Mfcc
from bench.store import Store
from bench.types import Clip, Result, SplitId

pytestmark = pytest.mark.xdist_group("real")  # they share embeddings


def by_head(store: Store) -> dict[str, Result]:
    return {result.head: result for result in store.results().values()}


def plain_embedding(path: str) -> np.ndarray:
    """Return mean and std of the frames, written without this project's reader and views."""
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000
    [frames] = Mfcc(n_mfcc=20).embed([samples])
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


@pytest.fixture(autouse=True)
def _one_cache(bench, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Embed every clip, and look for its near copies, once for all tests."""
    monkeypatch.setenv("BENCH_CACHE", str(home))


@pytest.fixture
def gender(bench, real: Path, tmp_path: Path) -> Store:
    folder = real / "LibriSpeech" / "train-clean-100"
    heads = ("--heads", "svm,gbdt,logreg")
    done = bench(
        "run", "--tasks", "gender", "--datasets", folder, "--extractors", "mfcc", *heads, "--out", "out"
    )
    assert done.exit_code == 0
    assert (tmp_path / "out" / "leaderboard.md").is_file()
    assert len(list((tmp_path / "out" / "confusion").glob("*.png"))) == 1
    return Store(tmp_path / "out")


@pytest.mark.no_cover
@pytest.mark.figures
def test_gender_of_251_speakers_is_told_and_is_what_a_plain_script_tells(gender: Store):
    results = by_head(gender)
    assert results["svm"].scores[0].value >= 0.90
    assert results["dummy"].scores[0].value < 0.55
    assert {result.n_test for result in results.values()} == {251}
    assert {result.split for result in results.values()} == {SplitId("cv:5", "speaker")}

    predictions = gender.predictions(results["svm"].key)
    assert predictions["clip"].is_unique
    paths = {
        path.stem: str(path) for path in Path(gender.run().datasets["train-clean-100"].source).rglob("*.flac")
    }
    X = np.stack([plain_embedding(paths[clip]) for clip in predictions["clip"]])
    y, fold = predictions["y_true"].to_numpy(str), predictions["fold"].to_numpy(str)
    expected = np.empty_like(y)
    for name in np.unique(fold):
        limit = FunctionTransformer(np.clip, kw_args={"a_min": -3, "a_max": 3})
        model = make_pipeline(StandardScaler(), limit, SVC(C=10)).fit(X[fold != name], y[fold != name])
        expected[fold == name] = model.predict(X[fold == name])
    assert (expected == predictions["y_pred"]).all()
    assert results["svm"].scores[0].value == accuracy_score(y, expected)


def test_speakers_of_test_other_are_told_across_recordings_and_the_table_says_so(
    bench, real: Path, tmp_path: Path
):
    folder = real / "LibriSpeech" / "test-other"
    done = bench(
        "run", "--tasks", "speaker", "--datasets", folder, "--extractors", "mfcc", "--heads", "svm,logreg"
    )
    results = by_head(Store(tmp_path / "bench-out"))
    assert results["svm"].scores[0].value >= 0.95
    assert "Split: cv:5, grouped by recording (100 groups)" in done.stdout
    assert "No stricter split was possible: session: 10 of 10 classes have a single session" in done.stdout


def test_speakers_of_one_recording_each_fail_and_are_named(bench, real: Path):
    folder = real / "LibriSpeech" / "train-clean-100"
    done = bench("run", "--tasks", "speaker", "--datasets", folder, "--extractors", "mfcc")
    assert done.exit_code == 1
    assert (
        "recording: 251 of 251 classes have a single recording (103, 1034, 1040, 1069, 1081 and 246 more)"
        in done.stderr
    )


DIGITS = ("run", "--datasets", "fsdd.csv", "--extractors", "mfcc", "--heads", "svm", "--near-copies", "off")


@pytest.fixture
def fsdd(real: Path, tmp_path: Path) -> pd.DataFrame:
    """Return 1,200 spoken digits, which fsdd.csv in the working folder describes; session is the digit."""
    files = [path for path in sorted((real / "fsdd").glob("*.wav")) if int(path.stem.split("_")[2]) < 20]
    digits, speakers, _ = zip(*(path.stem.split("_") for path in files), strict=True)
    table = pd.DataFrame({"path": files, "speaker": speakers, "session": digits, "phrase": digits})
    table.to_csv(tmp_path / "fsdd.csv", index=False)
    return table


def test_speakers_of_unheard_digits_are_harder_than_random_folds_say(
    bench, fsdd: pd.DataFrame, tmp_path: Path
):
    done = bench(*DIGITS, "--tasks", "speaker")
    assert "Split: cv:5, grouped by session (10 groups)" in done.stdout
    store = Store(tmp_path / "bench-out")
    grouped = by_head(store)["svm"].scores[0].value

    frames = Mfcc(n_mfcc=20).embed([audio.read(Clip(path.name, path), 16000) for path in fsdd["path"]])
    X = np.stack([np.concatenate([clip.mean(axis=0), clip.std(axis=0)]) for clip in frames])
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    y_pred = cross_val_predict(make_pipeline(StandardScaler(), SVC(C=10)), X, fsdd["speaker"], cv=folds)
    assert accuracy_score(fsdd["speaker"], y_pred) > 0.99
    assert 0.85 < grouped < 0.98


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "n_searched", [0, pytest.param(index.NEAR_CLIPS, marks=pytest.mark.slow, id="near copies")]
)
def test_the_fixed_splits_of_the_package_are_what_their_commands_make(
    n_searched: int, bench, real: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(index, "NEAR_CLIPS", n_searched)  # 3,000 digits take half a minute
    five = "george|jackson|nicolas|theo|yweweler"
    lines = ['kind = "files"', 'version = "1.0.9"', 'about = ""', "[params]", f"path = '{real / 'fsdd'}'"]
    lines.append(rf"pattern = '(?P<phrase>\d)_(?P<speaker>{five})_(?P<take>\d+)\.wav'")
    (tmp_path / "digits.toml").write_text("\n".join(lines))
    librispeech = real / "LibriSpeech" / "train-clean-100"
    for data, listing, column in (
        ("digits.toml", "fsdd/phrase.csv", "speaker"),
        ("digits.toml", "fsdd/speaker.csv", "clip"),
        (librispeech, "librispeech-train-clean-100/gender.csv", "speaker"),
    ):
        call = ["data", "split", data, "--split", "cv:5", "--task", Path(listing).stem, "--by", column]
        assert bench(*call, "--out", "made.csv").exit_code == 0
        assert (tmp_path / "made.csv").read_text() == (packaged_root() / "datasets" / listing).read_text()


@pytest.mark.no_cover
@pytest.mark.usefixtures("fsdd")
def test_digits_of_unheard_speakers_are_far_harder_than_random_folds_say(bench, tmp_path: Path):
    call = [*DIGITS, "--tasks", "phrase"]
    grouped = bench(*call, "--out", "grouped")
    random = bench(*call, "--split", "random", "--out", "random")
    assert by_head(Store(tmp_path / "grouped"))["svm"].scores[0].value < 0.80
    assert by_head(Store(tmp_path / "random"))["svm"].scores[0].value > 0.94
    assert "leaky split" in random.stdout
    assert "leaky" not in grouped.stdout
