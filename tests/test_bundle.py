"""Bundles: loaded in another process they predict the same, and loading runs no code from a file."""

import itertools
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from bench import audio, catalog
from bench.catalog.requirements import missing
from bench.errors import PluginError, UsageError
from bench.learn import bundle
from bench.learn.bundle import BundleCard
from bench.learn.folds import ALL, Evaluation, evaluate, fit_all
from bench.learn.pipeline import PipelineSpec
from bench.learn.samples import Examples
from bench.store import Store
from bench.types import Cell, Clip, Spec, Split, SplitId, Step, Task, View

REGISTRY = catalog.load()
PREDICT = """
import sys
import numpy as np
from pathlib import Path
from bench.learn import bundle
for folder in map(Path, sys.argv[1:]):
    arrays = np.load(folder.with_suffix(".npz"))
    X = arrays["X"] if "X" in arrays else [arrays[name] for name in arrays]
    bundle.load(folder, "all").predict(X).to_parquet(folder.with_suffix(".parquet"))
"""


def head(name: str, **params: object) -> Spec:
    """Return the spec of a head; skip the test if the head is not installed."""
    spec = REGISTRY.heads[name]
    if catalog.missing(spec):
        pytest.skip(f"needs {catalog.missing(spec)}")
    return replace(spec, params={**spec.params, **params})


def card(spec: Spec, labels: Sequence[str] = ("a", "b"), steps: Sequence[str] = ()) -> BundleCard:
    cell = Cell(
        key="k",
        dataset="fsdd",
        synthetic=False,
        task=Task("speaker", "speaker", ("session",), ("accuracy",)),
        extractor=REGISTRY.extractors["mfcc"],
        view=View(layer=3, pool="mean"),
        head=spec,
        seed=0,
        split=SplitId("cv:3", "session"),
        steps=tuple(REGISTRY.reducers[name] for name in steps),
        preprocess=(Step("trim", 40.0),),
    )
    return BundleCard(
        cell=cell,
        extractor_identity={"factory": "bench.extractors.mfcc:Mfcc", "audio": {"trim": 1}},
        labels=tuple(str(label) for label in labels),
        data_digest="d",
        split_digest="s",
        env={"python": "3"},
    )


@pytest.fixture(scope="module")
def digits(real: Path) -> tuple[list[np.ndarray], np.ndarray, Split]:
    """Return MFCC frames of spoken digits of 6 speakers, their speakers, and folds of whole sessions."""
    extractor = catalog.build(REGISTRY.extractors["mfcc"])
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    names = list(itertools.product(speakers, range(3), range(3)))
    paths = [real / "fsdd" / f"{digit}_{speaker}_{take}.wav" for speaker, digit, take in names]
    samples = [audio.read(Clip(path.stem, path), extractor.sample_rate) for path in paths]
    frames = [np.atleast_2d(array) for array in extractor.embed(samples)]
    y = np.array([speaker for speaker, _, _ in names])
    take = np.array([str(take) for _, _, take in names])
    return frames, y, Split("cv:3", take, {"session": take})


def pooled(frames: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([array.mean(axis=0) for array in frames])


def fit(spec: Spec, examples: Examples, steps: Sequence[str] = ()) -> tuple[Evaluation, Pipeline]:
    """Return the evaluation of a head, and its model of all clips."""
    pipeline = PipelineSpec(
        head=partial(catalog.build, spec, 0),
        unit=spec.unit,
        steps=[(name, partial(catalog.build, REGISTRY.reducers[name], 0)) for name in steps],
        scale=spec.scale,
        limit=spec.limit,
    )
    return evaluate(examples, pipeline, itertools.count().__next__), fit_all(examples, pipeline)


STEPS = {
    "svm": (),
    "logreg": ("pca",),
    "gbdt": (),
    "kmeans": (),
    "logreg-frames": (),
    "gmm": (),
    "mlp": (),
    "cnn1d": (),
}
"""Head -> its reducers."""


@pytest.mark.no_cover
def test_bundles_of_spoken_digits_predict_the_same_in_a_fresh_process(digits, tmp_path: Path):
    predictions = {}
    for name in STEPS:
        if not missing(REGISTRY.heads[name]):
            predictions[tmp_path / name] = predictions_of_saved(name, digits, tmp_path / name)
    call = [sys.executable, "-W", "ignore", "-c", PREDICT, *map(str, predictions)]
    subprocess.run(call, check=True)
    for folder, expected in predictions.items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder.with_suffix(".parquet")), expected)


def predictions_of_saved(name: str, digits, folder: Path) -> pd.DataFrame:
    """Return the predictions of a saved head for all clips; those for every fold are as evaluated."""
    frames, y, split = digits
    spec = head(name, epochs=3) if name in {"mlp", "cnn1d"} else head(name)
    X = pooled(frames) if spec.unit == "clip" else frames
    evaluation, model = fit(spec, Examples(X, y, split), STEPS[name])
    bundle.save(folder, card(spec, np.unique(y), STEPS[name]), {**evaluation.models, ALL: model})
    arrays = {"X": X} if isinstance(X, np.ndarray) else {f"{i:04}": array for i, array in enumerate(X)}
    np.savez(folder.with_suffix(".npz"), **arrays)

    everything = bundle.load(folder, ALL)
    assert everything.card.folds == ("0", "1", "2", ALL)
    predictions = everything.predict(X)
    assert (predictions["y_pred"] == y).mean() > 1 / 4, f"{name}: chance is 1 / 6"
    for fold, table in evaluation.predictions.groupby("fold"):
        rows = table["row"].to_numpy()
        tested = X[rows] if isinstance(X, np.ndarray) else [X[row] for row in rows]
        columns = ["y_pred", *table.filter(regex="^(score|votes)_").columns]
        expected = table[columns].reset_index(drop=True)
        pd.testing.assert_frame_equal(bundle.load(folder, str(fold)).predict(tested)[columns], expected)
    return predictions


def test_a_card_comes_back_as_it_was_saved(tmp_path: Path):
    saved = card(REGISTRY.heads["svm"], steps=["pca"])
    bundle.save(tmp_path / "k", saved, {"0": Pipeline([("head", SVC())])})
    assert bundle.read_card(tmp_path / "k") == msgspec.convert(
        {**msgspec.to_builtins(saved), "folds": ["0"]}, BundleCard
    )
    fields = json.loads((tmp_path / "k" / "card.json").read_text())
    assert (fields["schema"], fields["labels"]) == (bundle.SCHEMA, ["a", "b"])
    assert fields["cell"]["preprocess"] == [{"name": "trim", "value": 40.0}]
    assert fields["cell"]["view"] == {"layer": 3, "pool": "mean"}


def test_a_fold_that_lacks_a_class_has_no_score_for_it(tmp_path: Path):
    model = PipelineSpec(lambda: DummyClassifier(strategy="prior")).pipeline()
    model.fit(np.zeros((4, 2)), np.array(list("aabb")))
    bundle.save(tmp_path / "k", card(REGISTRY.heads["dummy"], "abc"), {"0": model})
    predictions = bundle.load(tmp_path / "k", "0").predict(np.zeros((1, 2), np.float32))
    assert predictions.columns.tolist() == ["y_pred", "score_a", "score_b", "score_c"]
    assert predictions["score_c"].isna().all()


def test_folds_whose_names_differ_by_a_separator_have_files_of_their_own(tmp_path: Path):
    models = {}
    for fold, label in (("a/b", "x"), ("a_b", "y"), ("a%2Fb", "z")):
        models[fold] = PipelineSpec(DummyClassifier).pipeline().fit(np.zeros((2, 2)), [label, label])
    bundle.save(tmp_path / "k", card(REGISTRY.heads["dummy"], "xyz"), models)
    labels = [bundle.load(tmp_path / "k", fold).predict(np.zeros((1, 2))).loc[0, "y_pred"] for fold in models]
    assert labels == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("schema", "fix"),
    [(bundle.SCHEMA + 1, "upgrade this package"), (3, "--save-models"), (None, "--save-models")],
)
def test_a_card_of_another_schema_is_refused_in_one_line(schema: int | None, fix: str, tmp_path: Path):
    bundle.save(tmp_path / "k", card(REGISTRY.heads["svm"]), {})
    path = tmp_path / "k" / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": schema, "novelty": 1}))
    with pytest.raises(
        UsageError, match=f"card.json: schema {schema}; expected {bundle.SCHEMA}; .*{fix}"
    ) as error:
        bundle.load(tmp_path / "k", "0")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"schema": 4}'])
def test_a_damaged_card_is_named(text: str, tmp_path: Path):
    (tmp_path / "card.json").write_text(text)
    with pytest.raises(UsageError, match=r"card\.json: "):
        bundle.load(tmp_path, "0")


class Strange:
    """An object of a package that is not trusted."""

    def __init__(self) -> None:
        self.value = 1


def test_a_type_that_is_not_trusted_is_named_and_not_loaded(tmp_path: Path):
    bundle.save(tmp_path / "k", card(REGISTRY.heads["svm"]), {"0": Pipeline([("head", SVC())])})
    skops.io.dump(Strange(), tmp_path / "k" / "0.skops")
    with pytest.raises(UsageError, match=r"0\.skops: holds .*Strange, which is not trusted"):
        bundle.load(tmp_path / "k", "0")
    with pytest.raises(UsageError, match="no model '1'; expected one of 0"):
        bundle.load(tmp_path / "k", "1")
    with pytest.raises(UsageError, match=r"card\.json: not found.*--save-models"):
        bundle.load(tmp_path / "other", "0")


def test_a_network_of_a_class_that_is_not_trusted_is_not_built(digits, tmp_path: Path):
    frames, y, split = digits
    spec = head("mlp", epochs=1)
    _, model = fit(spec, Examples(pooled(frames), y, split))
    bundle.save(tmp_path / "k", card(spec, np.unique(y)), {ALL: model})
    path = tmp_path / "k" / "all.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "factory": "os:system", "params": {}}))
    with pytest.raises(UsageError, match=r"all\.json: names os:system, which is not trusted"):
        bundle.load(tmp_path / "k", ALL)


def test_a_network_of_another_device_is_loaded_on_this_one(digits, tmp_path: Path):
    frames, y, split = digits
    spec = head("mlp", epochs=1)
    _, model = fit(spec, Examples(pooled(frames), y, split))
    model[-1].device = "cuda:7"
    bundle.save(tmp_path / "k", card(spec, np.unique(y)), {ALL: model})
    assert len(bundle.load(tmp_path / "k", ALL).predict(pooled(frames))) == len(y)


def test_a_head_that_no_safe_format_holds_is_named(tmp_path: Path):
    machine = SVC()
    machine.secret = (number for number in range(3))
    with pytest.raises(PluginError, match="head 'svm': its models cannot be saved"):
        bundle.save(tmp_path / "k", card(REGISTRY.heads["svm"]), {"0": Pipeline([("head", machine)])})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file/k: cannot be written"):
        bundle.save(tmp_path / "file" / "k", card(REGISTRY.heads["svm"]), {})


@pytest.fixture
def recordings(take, tmp_path: Path) -> Path:
    """Return a manifest of 48 recordings of 6 speakers."""
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    rows = [
        {"path": str(take(speaker, digit, number)), "speaker": speaker, "session": str(digit)}
        for speaker, digit, number in itertools.product(speakers, range(4), range(2))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "digits.csv", index=False)
    return tmp_path / "digits.csv"


@pytest.mark.parametrize(
    "heads", [["svm", "gmm-clip", "mlp"], pytest.param(["umap-svm"], id="umap", marks=pytest.mark.slow)]
)
def test_a_run_saves_bundles_of_its_folds_and_of_all_clips(
    heads: list[str], bench, recordings: Path, tmp_path: Path
):
    heads = [name for name in heads if not missing(REGISTRY.heads[name])]
    call = ["run", "--datasets", recordings, "--tasks", "speaker", "--extractors", "mfcc@pool=mean"]
    call += ["--split", "cv:2"]
    outcome = bench(*call, "--heads", ",".join(heads), "--save-models")
    assert outcome.exit_code == 0, outcome.stderr
    bench("embed", recordings, "--extractors", "mfcc@pool=mean", "--out", "e.parquet")
    table = pd.read_parquet(tmp_path / "e.parquet")
    embeddings = dict(zip(table["clip"], table["embedding"], strict=True))
    store = Store(tmp_path / "bench-out")
    results = {result.head: result for result in store.results().values()}
    for name in heads:
        result = results[name]
        assert result.reason == ""
        folder, predictions = store.models_path(result.key), store.predictions(result.key)
        for fold, part in predictions.groupby("fold"):
            X = np.stack([embeddings[clip] for clip in part["clip"]])
            assert bundle.load(folder, str(fold)).predict(X)["y_pred"].tolist() == part["y_pred"].tolist()
        everything = bundle.load(folder, ALL)
        assert len(everything.predict(np.stack(list(embeddings.values())))) == 48
        saved = everything.card
        assert (saved.cell.key, saved.cell.head.name, saved.scores) == (result.key, name, result.scores)
        assert saved.split_digest == result.split_digest
        assert saved.extractor_identity == store.run().identities["mfcc"]


def test_models_that_were_not_saved_are_fitted_on_request(bench, recordings: Path, tmp_path: Path):
    call = [
        "run",
        "--datasets",
        recordings,
        "--tasks",
        "speaker",
        "--extractors",
        "mfcc-13",
        "--heads",
        "svm",
    ]
    counters = []
    for options in ([], ["--save-models"], ["--save-models"]):
        assert bench(*call, *options).exit_code == 0
        run = json.loads((tmp_path / "bench-out" / "run.json").read_text())
        counters.append(run["counters"]["cells_computed"])
    assert counters == [2, 2, 0]


def test_a_bundle_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder, order = tmp_path / "k", []
    monkeypatch.setattr(bundle, "sync", lambda path: order.append((path.name, folder.exists())))
    X, y = np.eye(4), np.array(["a", "b", "a", "b"])
    bundle.save(folder, card(head("dummy")), {ALL: Pipeline([("head", DummyClassifier().fit(X, y))])})
    assert {*order[:3]} == {("all.skops", False), ("card.json", False), ("k.part", False)}
    assert order[3:] == [(tmp_path.name, True)]
