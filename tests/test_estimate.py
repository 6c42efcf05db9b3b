"""What a run will do, and how long that takes."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bench import runner
from bench.catalog import load
from bench.embed.cache import Cache
from bench.runner.estimate import Forecast
from bench.runner.events import ClipCounts
from bench.store import Store
from bench.types import Cost, Result, SplitId, Status, TaskId, View

RESULT = Result(
    key="key",
    dataset="digits",
    task=TaskId("speaker"),
    extractor="mfcc",
    view=View(),
    head="svm",
    seed=0,
    split=SplitId("cv:5", "session"),
    status=Status.OK,
    n_test=100,
    cost=Cost(audio_s=50.0, extract_s=2.0, fit_s=3.0, predict_s=1.0),
)


def test_a_forecast_uses_the_speed_of_earlier_work():
    forecast = Forecast([RESULT])
    assert forecast.seconds_left() == 0
    forecast.plan(("extractor", "mfcc"), 100.0)
    assert forecast.seconds_left() == pytest.approx(4.0)
    forecast.plan(("head", "svm"), 50)
    assert forecast.seconds_left() == pytest.approx(6.0)
    forecast.plan(("head", "new"), 50)  # as fast as the others
    assert forecast.seconds_left() == pytest.approx(8.0)
    forecast.finish(("extractor", "mfcc"), 100.0, 16.0)
    assert forecast.seconds_left() == pytest.approx(4.0)
    forecast.plan(("extractor", "mfcc"), 50.0)
    assert forecast.seconds_left() == pytest.approx(4.0 + 50 * 18 / 150)


def test_there_is_no_forecast_before_the_first_work_of_a_kind():
    forecast = Forecast()
    forecast.plan(("head", "svm"), 50)
    assert forecast.seconds_left() is None
    forecast.finish(("head", "svm"), 25, 1.0)
    assert forecast.seconds_left() == pytest.approx(1.0)


def test_work_that_is_cancelled_takes_no_time():
    forecast = Forecast([RESULT])
    forecast.plan(("head", "svm"), 50)
    forecast.plan(("head", "svm"), -50)
    assert forecast.seconds_left() == 0


def test_an_estimate_counts_cells_and_cached_clips(digits: Path, tmp_path: Path):
    request = runner.Request(
        datasets=(str(digits),), home=tmp_path, tasks=("speaker",), extractors=("mfcc-13",), heads=("lda",)
    )
    store, cache = Store(tmp_path / "out"), Cache(str(tmp_path / "cache"))
    plan = runner.plan(request, load())
    before = runner.estimate(plan, request, store, cache).planned
    assert (before.to_compute, before.cached, before.not_possible) == (2, 0, 0)
    assert before.seconds is None
    [counts] = before.embeddings
    hours = sum(plan.sources["digits"].seconds) / 3600
    expected = ClipCounts(dataset="digits", extractor="mfcc-13", clips=48, hours=hours, cached=0)
    assert counts == expected
    store.open()
    runner.run(plan, request, store, cache, Silent())
    after = runner.estimate(plan, request, store, cache).planned
    assert (after.to_compute, after.cached, after.seconds) == (0, 2, 0)
    assert asdict(after)["embeddings"][0]["cached"] == 48


class Silent:
    """Events that nobody sees."""

    stopping = False

    def planned(self, plan) -> None: ...

    def embedded(self, dataset, extractor, done, total, speed) -> None: ...

    def finished(self, result, done, total) -> None: ...

    def expected(self, seconds) -> None: ...


def test_inner_folds_and_permuted_labels_are_part_of_the_estimate(digits: Path, tmp_path: Path):
    """Three inner folds of two thirds each, and two permutations of each kind, are six more passes."""
    request = runner.Request(
        datasets=(str(digits),), home=tmp_path, tasks=("speaker",), extractors=("mfcc-13",), heads=("lda",)
    )
    seconds = []
    for fields in ({}, {"select": True, "permute_labels": 2}):
        other = replace(request, **fields)
        plan, store = runner.plan(other, load()), Store(tmp_path / "out")
        expectation = runner.estimate(plan, other, store, Cache(str(tmp_path / "cache")))
        for plugin, amount, took in ((("extractor", "mfcc-13"), 0.0, 0.0), (("head", "lda"), 1.0, 1.0)):
            expectation.forecast.finish(plugin, amount, took, 0)
        expectation.forecast.plan(("extractor", "mfcc-13"), -1e9)
        expectation.forecast.plan(("head", "dummy"), -1e9)
        seconds.append(expectation.forecast.seconds_left())
    assert seconds[1] == pytest.approx((1 + 2 + 4) * seconds[0])
