"""Extractors and heads from elsewhere: a file, an import path, an installed distribution."""

import dataclasses
import sys
from pathlib import Path

import pytest

from bench import catalog, display, metrics
from bench.errors import PluginError, UsageError
from bench.runner import execution
from bench.store import Store

MINE = """
import numpy as np
from sklearn.neighbors import KNeighborsClassifier


class ZeroCrossings:
    sample_rate = 8000
    dim = 1

    def embed(self, audio):
        return [np.abs(np.diff(np.sign(y))).reshape(-1, 1) / 2 for y in audio]


class Nearest(KNeighborsClassifier):
    pass
"""


@pytest.mark.no_cover
def test_a_file_and_an_import_path_are_a_name(bench, digits: Path):
    Path("lib").mkdir()
    Path("lib", "mine_here.py").write_text(MINE)
    call = ["run", "--tasks", "speaker", "--datasets", digits]
    call += ["--extractors", "./lib/mine_here.py:ZeroCrossings@pool=mean,mfcc-13"]
    call += ["--heads", "lib/mine_here.py:Nearest,sklearn.neighbors:NearestCentroid,pca+sklearn.svm:SVC"]
    done = bench(*call)
    assert done.exit_code == 0, done.output
    results = Store(Path("bench-out")).planned()
    assert {result.extractor for result in results} == {"./lib/mine_here.py:ZeroCrossings", "mfcc-13"}
    assert {result.head for result in results} == {
        "lib/mine_here.py:Nearest",
        "sklearn.neighbors:NearestCentroid",
        "pca+sklearn.svm:SVC",
        "dummy",
    }
    assert all("scikit-learn" in result.env for result in results)
    again = bench(*call)
    assert "0 computed" in again.output
    Path("lib", "mine_here.py").write_text(MINE.replace("/ 2", "/ 3"))
    assert "0 reused" not in bench(*call).output, "mfcc-13 with heads of scikit-learn is what it was"


def test_what_is_wrong_with_a_file_is_said(bench, digits: Path):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--heads", "lda", "--extractors"]
    missing = bench(*call, "./nowhere.py:X")
    assert missing.exit_code == 2
    assert "--extractors ./nowhere.py:X: no such file nowhere.py" in missing.output
    Path("mine_here.py").write_text(MINE)
    other = bench(*call, "mine_here.py:Zero,mfcc-13")
    assert other.exit_code == 1
    assert "has no attribute 'Zero'" in other.output
    assert "| mfcc-13" in other.output, "the rest runs on"
    unknown = bench(*call, "mfc-13")
    assert "did you mean" in unknown.output


def test_a_file_that_an_installed_module_hides_is_refused(tmp_path: Path):
    path = tmp_path / "json.py"
    path.write_text(MINE)
    with pytest.raises(PluginError, match=r"json\.py is hidden by .*"):
        catalog.identity(catalog.undeclared("extractor", f"{path}:ZeroCrossings"))


@pytest.mark.parametrize("name", ["mfcc", "a b:c", "x:1", ":Y", "hf:", "./a:B"])
def test_what_is_no_place(name: str):
    assert catalog.undeclared("head", name) is None


@pytest.mark.no_cover
def test_entry_points_are_listed_without_import_and_run(
    bench, digits: Path, distribution, site: Path, monkeypatch
):
    entries = {
        "bench.extractors": {"zero": "their_plugin:ZeroCrossings"},
        "bench.heads": {"near": "their_plugin:Nearest"},
    }
    distribution("their-plugin", {"their_plugin": MINE}, entries)
    monkeypatch.syspath_prepend(str(site))
    declared = catalog.load()
    assert "their_plugin" not in sys.modules
    spec = declared.extractors["their-plugin/zero"]
    assert (spec.about, spec.source, spec.offered) == ("Crossings", "their-plugin 2.1", False)
    assert catalog.identity(spec)["versions"] == {"their-plugin": "2.1"}
    assert "their-plugin/near" in bench("list", "heads").output
    call = ["run", "--tasks", "speaker", "--datasets", digits]
    call += ["--extractors", "their-plugin/zero,mfcc-13", "--heads", "their-plugin/near,lda"]
    done = bench(*call)
    assert done.exit_code == 0, done.output
    assert "| their-plugin/zero" in done.output
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(site)])
    gone = bench(*call, "--out", "other")
    assert gone.exit_code == 2
    assert "unknown extractor 'their-plugin/zero'" in gone.output
    assert "| their-plugin/zero" in bench("report", "bench-out").output, "old results stay readable"


SCORING = """
from sklearn.metrics import zero_one_loss
from bench.metrics import Metric

def right(y_true, y_pred):
    return (y_true == y_pred).mean()

def wrong(y_true, y_pred):
    raise ValueError("no idea")

errors = Metric.of("errors", zero_one_loss, "share of wrong labels")
who = {"target": "speaker", "groups": ["session"], "metrics": ["scoring/right", "accuracy", "scoring/errors"]}
bad = {"target": "speaker", "groups": ["session"], "metrics": ["scoring/wrong"]}
odd = {"target": "speaker", "group": ["session"]}
text = {"target": "speaker", "groups": "session", "metrics": ["accuracy"]}
item = {"target": "speaker", "groups": [Metric], "metrics": ["accuracy"]}
none = 3

def wiki(leaderboard):
    return "".join(f"|| {row['head']} || {row['rank']} ||\\n" for row in leaderboard["tables"][0]["rows"])

def breaks(leaderboard):
    return leaderboard["rows"]
"""

SCORED = {
    "bench.tasks": {name: f"scoring:{name}" for name in ("who", "bad", "odd", "text", "item", "none")},
    "bench.metrics": {name: f"scoring:{name}" for name in ("right", "wrong", "errors", "none")},
    "bench.reports": {"page.wiki": "scoring:wiki", "breaks.txt": "scoring:breaks"},
}


def test_tasks_metrics_and_reports_of_a_distribution(
    bench, digits: Path, distribution, site: Path, monkeypatch
):
    distribution("scoring", {"scoring": SCORING}, SCORED)
    monkeypatch.syspath_prepend(str(site))
    listed = bench("list").output
    assert {"scoring/who", "scoring/page.wiki"} <= set(listed.split())
    assert "scoring/right" in bench("list", "metrics").output
    assert "scoring" not in sys.modules
    call = ["run", "--datasets", digits, "--split", "cv:2", "--extractors", "mfcc-13"]
    call += ["--heads", "lda,knn", "--tasks"]
    assert bench(*call, "scoring/who").exit_code == 0
    for result in Store(Path("bench-out")).results().values():
        right, accuracy, errors = (
            result.score(name) for name in ("scoring/right", "accuracy", "scoring/errors")
        )
        assert (right.value, right.folds) == (accuracy.value, accuracy.folds)
        assert right.low is None or right.low < right.value < right.high, "None where all groups are equal"
        assert errors.value == pytest.approx(1 - accuracy.value)
    assert bench("report", "bench-out", "--format", "md,scoring/page.wiki").exit_code == 0
    assert Path("bench-out", "page.wiki").read_text().startswith("|| ")
    assert "keeps every rule" in bench("check", "scoring/who").output
    compared = bench("compare", "bench-out", "bench-out", "--fail-on", "scoring/right:0.01")
    assert compared.exit_code == 0, compared.output
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(site)])
    metrics._plugin_metric.cache_clear()  # as in a process that comes later
    gone = bench("report", "bench-out").output
    assert "| rank   | extractor   | view     | head                   | accuracy " in gone, "it ranks now"
    assert "| scoring/right " in gone, "what was found stays readable"
    audited = bench("audit", "bench-out")
    assert audited.exit_code == 1
    assert "metrics scoring/right, scoring/errors" in audited.output


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--tasks", "scoring/odd"], 2, "scoring 2.1: 'scoring/odd': unknown field 'group'"),
        (["--tasks", "scoring/text"], 2, "scoring 2.1: 'scoring/text': groups is 'session'; expected a list"),
        (["--tasks", "scoring/item"], 2, "scoring 2.1: 'scoring/item': groups[0] is <class"),
        (
            ["--tasks", "scoring/none"],
            2,
            "scoring 2.1: task 'scoring/none' is 3; expected a dict of its fields",
        ),
        (["--tasks", "scoring/whom"], 2, "unknown task 'scoring/whom'; did you mean 'scoring/who'?"),
        (["--tasks", "speaker,scoring/bad"], 1, "ValueError: no idea (scoring.py:9)"),
    ],
)
def test_what_is_wrong_with_a_task_of_a_distribution_is_said(
    bench, digits: Path, distribution, site: Path, monkeypatch, words: list[str], code: int, message: str
):
    distribution("scoring", {"scoring": SCORING}, SCORED)
    monkeypatch.syspath_prepend(str(site))
    call = ["run", "--datasets", digits, "--split", "cv:2", "--extractors", "mfcc-13", "--heads", "lda"]
    done = bench(*call, *words)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--metrics", "scoring/none"], "scoring 2.1: 'scoring/none' is 3; expected a Metric or a function"),
        (["--metrics", "scoring/gone"], "unknown metric 'scoring/gone'"),
        (["--format", "scoring/breaks.txt"], "'scoring/breaks.txt' raised KeyError: 'rows' (scoring.py:"),
    ],
)
def test_what_is_wrong_with_a_metric_or_report_is_said(
    bench, digits: Path, distribution, site: Path, monkeypatch, words: list[str], message: str
):
    distribution("scoring", {"scoring": SCORING}, SCORED)
    monkeypatch.syspath_prepend(str(site))
    call = ["run", "--datasets", digits, "--extractors", "mfcc-13", "--heads", "lda", "--tasks", "speaker"]
    assert bench(*call).exit_code == 0
    done = bench("report", "bench-out", *words)
    assert done.exit_code == 2
    assert message in done.output


FAULTS = """
import os, signal, time
import numpy as np

class Good:
    sample_rate, dim = 8000, 2
    def embed(self, audio):
        return [np.stack([y[: y.size // 80 * 80].reshape(-1, 80).std(axis=1)] * 2, axis=1) for y in audio]

class Shape(Good):
    def embed(self, audio):
        return [frames[:, :1] for frames in super().embed(audio)]

class NotFinite(Good):
    def embed(self, audio):
        return [np.log(frames * 0) for frames in super().embed(audio)]

class Integers(Good):
    def embed(self, audio):
        return [(1000 * frames).astype(int) for frames in super().embed(audio)]

class Mutates(Good):
    def embed(self, audio):
        for y in audio:
            y -= y.mean() + 0.1
        return super().embed(audio)

class Answers(Good):
    def embed(self, audio):
        dropped = np.random.default_rng()
        return [frames * (dropped.random(frames.shape) > 0.1) for frames in super().embed(audio)]

class Hangs(Good):
    def embed(self, audio):
        time.sleep(600)

class Kills(Good):
    def embed(self, audio):
        os.kill(os.getpid(), signal.SIGKILL)
"""

REASONS = {
    "needs": (
        "skipped",
        "extractor 'faults/needs' needs the module 'absent_lib'; run: pip install absent_lib",
    ),
    "raises": ("failed", "faults 2.1: extractor 'faults/raises': RuntimeError: no licence"),
    "shape": ("failed", "extractor 'faults/shape' returned frames of shape ("),
    "notfinite": ("failed", "extractor 'faults/notfinite'"),
    "integers": ("failed", "extractor 'faults/integers' returned int64 frames; expected floats"),
    "mutates": ("failed", "extractor 'faults/mutates' changed the audio that it was given"),
    "answers": ("failed", "extractor 'faults/answers' gave one clip two answers, alone and in a batch,"),
    "hangs": ("failed", "extractor 'faults/hangs': it took longer than --cell-timeout allows"),
    "kills": ("failed", "extractor 'faults/kills': its worker died"),
}
"""Fault of an extractor -> status and reason of its cells."""


def test_the_faults_of_a_plugin_stay_its_own(
    bench, digits: Path, distribution, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(execution, "UNIT_SECONDS", 10.0)
    classes = ("Shape", "NotFinite", "Integers", "Mutates", "Answers", "Hangs", "Kills")
    modules = {
        "faults": FAULTS,
        "faults_needs": "import absent_lib.deep\n",
        "faults_raises": "raise RuntimeError('no licence')\n",
    }
    entries = {"needs": "faults_needs:make", "raises": "faults_raises:make"}
    entries |= {name.lower(): f"faults:{name}" for name in (*classes, "Good")}
    distribution("faults", modules, {"bench.extractors": entries})
    monkeypatch.syspath_prepend(str(site))
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--heads", "knn", "--extractors"]
    assert bench(*call, "faults/good", "--out", "alone").exit_code == 0
    everything = ",".join([*(f"faults/{name}" for name in REASONS), "faults/good"])
    done = bench(*call, everything, "--jobs", "2", "--cell-timeout", "5", "--out", "all")
    assert done.exit_code == 1, done.stderr
    results = Store(tmp_path / "all").results()
    for name, (status, reason) in REASONS.items():
        faulty = [result for result in results.values() if result.extractor == f"faults/{name}"]
        assert {result.head for result in faulty} == {"knn", "dummy"}
        for result in faulty:
            assert (result.status, display.cause(result)[: len(reason)]) == (status, reason)
    whole = Store(tmp_path / "alone").results()
    assert len(whole) == 2
    for key, result in whole.items():
        assert dataclasses.replace(results[key], cost=result.cost) == result


def test_a_name_that_is_nowhere_names_the_option():
    with pytest.raises(UsageError, match="unknown head 'nothing'"):
        catalog.resolve("head", "nothing", catalog.load().heads)
