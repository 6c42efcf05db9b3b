"""Extractors and heads from elsewhere: a file, an import path, an installed distribution."""

import sys
from pathlib import Path

import pytest

from bench import registry
from bench.errors import PluginError, UsageError
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
    assert "--extractors ./nowhere.py:X: there is no file ./nowhere.py" in missing.output
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
    with pytest.raises(PluginError, match=r"json\.py is hidden by .*; give it another name"):
        registry.identity(registry.undeclared("extractor", f"{path}:ZeroCrossings"))


@pytest.mark.parametrize("name", ["mfcc", "a b:c", "x:1", ":Y", "hf:", "./a:B"])
def test_what_is_no_place(name: str):
    assert registry.undeclared("head", name) is None


def test_entry_points_are_listed_without_import_and_run(bench, digits: Path, tmp_path: Path, monkeypatch):
    site = tmp_path / "site"
    (site / "their_plugin-2.1.dist-info").mkdir(parents=True)
    (site / "their_plugin.py").write_text(MINE)
    (site / "their_plugin-2.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: their-plugin\nVersion: 2.1\nSummary: Crossings\n"
    )
    (site / "their_plugin-2.1.dist-info" / "entry_points.txt").write_text(
        "[bench.extractors]\nzero = their_plugin:ZeroCrossings\n[bench.heads]\nnear = their_plugin:Nearest\n"
    )
    monkeypatch.syspath_prepend(str(site))
    declared = registry.load()
    assert "their_plugin" not in sys.modules
    spec = declared.extractors["their-plugin/zero"]
    assert (spec.about, spec.place, spec.offered) == ("Crossings", "their-plugin 2.1", False)
    assert registry.identity(spec)["versions"] == {"their-plugin": "2.1"}
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


def test_a_name_that_is_nowhere_names_the_option():
    with pytest.raises(UsageError, match="unknown head 'nothing'"):
        registry.resolve("head", "nothing", registry.load().heads)
