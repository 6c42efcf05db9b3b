import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.svm import SVC

import bench
from bench.errors import UsageError


def loudness(y, sample_rate):
    """Return the level of every 20 ms."""
    blocks = np.pad(y, (0, -y.size % 320)).reshape(-1, 320)
    return np.log(np.square(blocks).mean(axis=1, keepdims=True) + 1e-9)


class Peaks:
    sample_rate = 8000
    dim = 1

    def embed(self, audio):
        return [np.abs(y).max(keepdims=True) for y in audio]


@pytest.fixture
def results(digits: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return bench.run(
        tasks=["speaker"],
        datasets=[pd.read_csv(digits)],
        extractors=["mfcc-13", loudness, Peaks()],
        heads=["lda", SVC(C=2.0)],
    )


def test_names_functions_and_estimators_are_run_beside_each_other(results, tmp_path: Path):
    frame = results.to_pandas()
    assert set(frame["extractor"]) == {"mfcc-13", "loudness", "Peaks", ""}
    assert set(frame["head"]) == {"lda", "SVC(C=2.0)", "dummy"}
    assert frame["accuracy"].between(0, 1).all()
    assert (tmp_path / "bench-out" / "leaderboard.md").is_file()
    counts = results.confusion("speaker", "mfcc-13", "SVC(C=2.0)")
    score = frame.set_index(["extractor", "head"])["accuracy"]["mfcc-13", "SVC(C=2.0)"]
    assert np.trace(counts.to_numpy()) / counts.to_numpy().sum() == pytest.approx(score)
    assert "| loudness " in results._repr_markdown_()
    assert [axes.get_title() for axes in results.plot("speaker").axes] == ["speaker on table"]
    with pytest.raises(UsageError, match="speaker, mfcc, lda: 0 rows"):
        results.confusion("speaker", "mfcc", "lda")


def test_gaps_in_a_table_are_no_labels(digits: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    table = pd.read_csv(digits)
    asked = {"tasks": ["gender"], "extractors": ["mfcc-13"], "heads": ["lda"]}
    with pytest.raises(
        UsageError,
        match="datasets: table 0 has the columns sound, speaker, gender, session; expected the column 'path'",
    ):
        bench.run(**asked, datasets=[table.rename(columns={"path": "sound"})])
    table.loc[:3, "gender"] = None
    results = bench.run(**asked, datasets=[table.rename(columns={"path": "filename"})])
    [protocol] = results.store.run().tables
    assert (protocol.n_classes, protocol.n_unlabelled) == (2, 4)


@pytest.mark.no_cover
def test_nothing_is_computed_twice_and_other_parameters_are_another_cell(results, digits: Path):
    again = {"tasks": ["speaker"], "datasets": [pd.read_csv(digits)], "extractors": [loudness]}
    bench.run(**again, heads=[SVC(C=2.0)])
    counters = results.store.run().counters
    assert (counters.cells_computed, counters.clips_embedded) == (0, 0)
    bench.run(**again, heads=[SVC(C=3.0)])
    assert results.store.run().counters.cells_computed == 1


def test_what_cannot_be_run_is_said(digits: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = {"tasks": ["speaker"], "datasets": [digits], "extractors": [loudness], "heads": ["lda"]}
    with pytest.raises(UsageError, match=r"jobs: loudness: .*jobs=1"):
        bench.run(**asked, jobs=2)
    with pytest.raises(UsageError, match=r"unknown option sed; expected .*, seeds, "):
        bench.run(**asked, sed=(0,))
    with pytest.raises(UsageError, match="expected a name, or a classifier"):
        bench.run(**{**asked, "heads": [object()]})
    with pytest.raises(UsageError, match=r"<lambda>: .*put it into a file"):
        bench.run(**{**asked, "extractors": [eval("lambda y, rate: y[:1]")]})  # noqa: S307  # has no source
    gain = 2.0

    def louder(y, rate):
        return gain * loudness(y, rate)

    with pytest.raises(UsageError, match="louder: uses gain, loudness from outside"):
        bench.run(**{**asked, "extractors": [louder]})

    def namesake(y, rate):
        return y[:1]

    namesake.__name__ = "loudness"
    with pytest.raises(UsageError, match="--extractors loudness,loudness: names loudness twice"):
        bench.run(**{**asked, "extractors": [loudness, namesake]})
    peaks = Peaks()
    peaks.window = object()
    with pytest.raises(UsageError, match=r"Peaks: .*put it into a file"):
        bench.run(**{**asked, "extractors": [peaks]})
    with pytest.raises(UsageError, match=r"heads: SVC.*put it into a file"):
        bench.run(**{**asked, "heads": [SVC(class_weight={"a": np.float64(1)}, kernel=np.dot)]})


def test_another_state_is_another_extractor(results, digits: Path):
    peaks = Peaks()
    peaks.gain = 2
    asked = {"tasks": ["speaker"], "datasets": [pd.read_csv(digits)], "heads": ["lda"]}
    bench.run(**asked, extractors=[peaks])
    assert results.store.run().counters.clips_embedded == 48


def test_the_package_shows_its_public_names():
    classes = ["LoadedModel", "OpenedIndex", "Overview", "Results"]
    functions = ["explore", "index", "load_model", "open_index", "run"]
    assert dir(bench) == [*classes, "__version__", *functions]
    assert callable(bench.run)


def test_importing_the_package_loads_no_numerical_library():
    code = "import sys, bench; print({'numpy', 'pandas', 'sklearn'} & set(sys.modules)); bench.run"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    with pytest.raises(AttributeError, match="has no attribute 'walk'"):
        bench.walk  # noqa: B018
