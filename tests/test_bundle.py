"""Kept models: loaded, they predict the same, and nothing runs that should not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from bench import catalog
from bench.errors import PluginError, UsageError
from bench.learn import bundle
from bench.store import Store
from bench.types import Result, Status


def lines(out: Path) -> dict[str, Result]:
    return {result.head: result for result in Store(out).results().values()}


def test_a_kept_model_predicts_what_it_predicted(bench, digits: Path, tmp_path: Path):
    heads = ["svm", "gbdt", "umap-svm", "kmeans", "gmm-clip"]
    if not catalog.missing(catalog.load().heads["mlp"]):
        heads += ["mlp", "cnn1d"]
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--extractors", "mfcc@pool=mean"]
    done = bench(*call, "--heads", ",".join(heads), "--save-models")
    assert done.exit_code == 0, done.stderr
    bench("embed", digits, "--extractors", "mfcc@pool=mean", "--out", "e.parquet")
    table = pd.read_parquet(tmp_path / "e.parquet")
    embedded = dict(zip(table["clip"], table["embedding"], strict=True))
    store = Store(tmp_path / "bench-out")
    for head in heads:
        result = lines(tmp_path / "bench-out")[head]
        folder = store.models_path(result.key)
        predictions = store.predictions(result.key)
        for fold, part in predictions.groupby("fold"):
            model = bundle.load(folder, str(fold))
            X = np.stack([embedded[clip] for clip in part["clip"]])
            assert model.predict(X).tolist() == part["y_pred"].tolist(), head
        card = json.loads((folder / "card.json").read_text())
        assert (card["head"], card["task"], card["key"]) == (head, "speaker", result.key)


def test_models_that_were_not_kept_are_made_when_they_are_asked_for(bench, digits: Path, tmp_path: Path):
    call = ["run", "--datasets", digits, "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "svm"]
    counters = []
    for more in ([], ["--save-models"], ["--save-models"]):
        assert bench(*call, *more).exit_code == 0
        run = json.loads((tmp_path / "bench-out" / "run.json").read_text())
        counters.append(run["counters"]["cells_computed"])
    assert counters == [2, 2, 0]


class Strange:
    """Of no package that is trusted."""

    def __init__(self) -> None:
        self.value = 1


def result(head: str) -> Result:
    return Result("k", "d", "t", "e", "v", head, 0, "s", Status.OK)


def test_what_is_not_trusted_is_named_and_not_loaded(tmp_path: Path):
    skops.io.dump(Strange(), tmp_path / "0.skops")
    with pytest.raises(UsageError, match="Strange, which is not trusted"):
        bundle.load(tmp_path, "0")
    with pytest.raises(UsageError, match="no such model; folds here: 0"):
        bundle.load(tmp_path, "1")


def test_a_head_that_no_safe_format_keeps_is_named(tmp_path: Path):
    head = SVC()
    head.secret = (number for number in range(3))
    with pytest.raises(PluginError, match="head 'odd': its models cannot be kept"):
        bundle.save(tmp_path / "k", result("odd"), {"0": Pipeline([("head", head)])})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        bundle.save(tmp_path / "file" / "k", result("svm"), {})
