"""`--normalise COLUMN`: features z-scored per speaker, of tested clips too, and without labels."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import display
from bench.errors import UsageError
from bench.learn import bundle
from bench.learn.folds import ALL
from bench.learn.normalisation import normalise
from bench.store import Store
from bench.types import Result, Status

RUN = [
    "run",
    "--task-target",
    "session",
    "--task-group",
    "speaker",
    "--extractors",
    "mfcc-13",
    "--split",
    "cv:2",
]
SPEAKER = ["--normalise", "speaker"]


def by_name(folder: Path) -> dict[tuple[str, str], Result]:
    """Return the results of a folder by head and column."""
    return {(result.head, result.normalise): result for result in Store(folder).results().values()}


@pytest.fixture
def clips() -> tuple[np.ndarray, np.ndarray]:
    """Return features of 60 clips of unlike scales, one of them constant, and their speakers."""
    rng = np.random.default_rng(0)
    speaker = rng.choice(["anna", "ben", "eva"], 60)
    X = rng.normal(rng.normal(0, 50, 8), rng.uniform(0.01, 100, 8), (60, 8))
    X[:, 3] = 0.1  # its mean over some clips is not 0.1 to the last digit
    return X, speaker


def test_features_are_those_of_pandas_per_group(clips):
    X, speaker = clips
    groups = pd.DataFrame(X).groupby(speaker)
    expected = (pd.DataFrame(X) - groups.transform("mean")) / groups.transform(lambda x: x.std(ddof=0))
    expected[3] = 0.0
    (values,) = normalise(X, (), speaker)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)


def test_layers_are_normalised_each_for_itself_and_a_type_stays(clips):
    X, speaker = clips
    layers = X.reshape(60, 2, 4).astype(np.float32)
    (values,) = normalise(layers, (), speaker)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values.reshape(60, 8), normalise(X.astype(np.float32), (), speaker)[0])


def test_a_group_of_one_clip_is_zero(clips):
    X, speaker = clips
    speaker = np.array(["alone", *speaker[1:]])
    assert not normalise(X, (), speaker)[0][0].any()


def test_copies_take_the_statistics_of_the_clips(clips):
    X, speaker = clips
    alone, *_ = normalise(X, (), speaker)
    values, same, louder = normalise(X, (X, X + X.std(axis=0)), speaker)
    np.testing.assert_array_equal(values, alone)
    np.testing.assert_array_equal(same, alone)
    assert (louder[:, :3].mean(axis=0) > 0.1).all()


def test_infinite_features_stay_infinite_or_become_nan(clips):
    X, speaker = clips
    X[speaker == "anna", 0] = np.inf
    X[0, 1] = np.nan
    (values,) = normalise(X, (), speaker)
    assert not np.isfinite(values[speaker == "anna", 0]).any()
    assert not np.isfinite(values[0, 1])


def test_a_row_stands_beside_the_one_without_it(bench, digits: Path, tmp_path: Path):
    call = [*RUN, "--datasets", digits, "--heads", "svm,gmm"]
    assert bench(*call).exit_code == 0
    before = by_name(tmp_path / "bench-out")
    done = bench(*call, *SPEAKER)
    assert done.exit_code == 0
    after = by_name(tmp_path / "bench-out")
    assert {name: after[name] for name in before} == before
    plain, scored = after["svm", ""], after["svm", "speaker"]
    assert plain.key != scored.key
    assert plain.split_digest == scored.split_digest
    assert plain.predictions != scored.predictions
    frames = after["gmm", "speaker"]
    assert (frames.status, frames.key != before["gmm", ""].key) == (Status.SKIPPED, True)
    assert (
        display.cause(frames)
        == "head 'gmm' sees frames, and --normalise changes pooled vectors; run it without"
    )
    rows = [line for line in done.stdout.splitlines() if "| svm" in line and "mean+std" in line]
    assert sum("| mean+std, z-scored per speaker |" in line for line in rows) == len(rows) - 1 == 1
    assert "needs other clips of the tested speaker" in done.stdout.replace("\n", " ")
    assert "2 reused" in bench(*call[:-1], "svm", *SPEAKER).stderr
    assert bench("audit", "bench-out").exit_code == 0
    assert bench("rerun", "bench-out/run.json").exit_code == 0


@pytest.mark.no_cover
def test_the_key_depends_on_the_column_and_its_values(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits, dtype=str)
    table["room"] = table["speaker"]
    keys = []
    for column, room in (("speaker", "george"), ("room", "george"), ("room", "x")):
        table.assign(room=table["room"].replace("george", room)).to_csv(digits, index=False)
        bench(*RUN, "--datasets", digits, "--heads", "svm", "--normalise", column)
        keys.append(by_name(tmp_path / "bench-out")["svm", column].key)
    assert len(set(keys)) == 3


def test_no_label_is_read(bench, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    features = []

    def record(*arguments):
        values = normalise(*arguments)
        features.append(np.concatenate(values))
        return values

    monkeypatch.setattr("bench.runner.extraction.normalise", record)
    table = pd.read_csv(digits, dtype=str)
    for seed in (None, 0):
        if seed is not None:
            labels = table.groupby("speaker")["session"].sample(frac=1, random_state=seed)
            table["session"] = labels.to_numpy()
        table.to_csv(digits, index=False)
        assert bench(*RUN, "--datasets", digits, "--heads", "logreg", *SPEAKER).exit_code == 0
    np.testing.assert_array_equal(features[0], features[-1])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("nobody", "digits.csv has no column 'nobody'; expected one of gaps, gender, recording, room"),
        ("gaps", "digits.csv: 1 of 48 clips have no gaps ("),
        ("session", "--normalise session: its groups are the classes of 'session'; expected another column"),
        ("room", "--normalise room: its groups are the classes of 'session'; expected another column"),
    ],
)
def test_a_column_that_cannot_be_used_is_refused_in_one_line(bench, digits: Path, column: str, message: str):
    table = pd.read_csv(digits, dtype=str)
    table["room"] = "room " + table["session"]
    table["gaps"] = ["", *table["speaker"][1:]]
    table.to_csv(digits, index=False)
    done = bench(*RUN, "--datasets", digits, "--heads", "svm", "--normalise", column)
    assert done.exit_code != 0
    assert message in done.stderr


def test_a_saved_model_says_it_and_takes_the_speakers(bench, digits: Path, tmp_path: Path):
    call = [*RUN, "--datasets", digits, "--heads", "svm", *SPEAKER, "--save-models"]
    assert bench(*call).exit_code == 0
    bench("embed", digits, "--extractors", "mfcc-13", "--out", "e.parquet")
    table = pd.read_parquet(tmp_path / "e.parquet").set_index("clip")
    store = Store(tmp_path / "bench-out")
    result = by_name(store.out)["svm", "speaker"]
    folder, predictions = store.models_path(result.key), store.predictions(result.key)
    assert json.loads((folder / "card.json").read_text())["cell"]["normalise"] == "speaker"
    for fold, part in predictions.groupby("fold"):
        X = np.stack(table.loc[part["clip"], "embedding"].to_list())
        model = bundle.load(folder, str(fold))
        assert model.predict(X, part["group"].to_numpy(str))["y_pred"].tolist() == part["y_pred"].tolist()
    with pytest.raises(UsageError, match="model 'all': expected `group`, the speaker of every clip"):
        bundle.load(folder, ALL).predict(X)
