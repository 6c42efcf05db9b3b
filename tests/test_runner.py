"""Runs over real digits, with plugins that fail in every way beside ones that do not."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from bench import display, runner
from bench.catalog import load
from bench.embed.cache import Cache
from bench.errors import UsageError
from bench.store import Store
from bench.types import Augmentation, Change, Status, Step

PLUGINS = '''
import numpy as np

class Levels:
    """The level of the clip and of its two halves."""
    sample_rate, dim = 8000, 3
    def embed(self, audio):
        return np.array([[np.abs(part).mean() for part in (y, *np.array_split(y, 2))] for y in audio])

class Raises(Levels):
    def embed(self, audio):
        raise RuntimeError("out of\\ncheese")

class Fewer(Levels):
    def embed(self, audio):
        return super().embed(audio)[1:]

class Wide(Levels):
    def embed(self, audio):
        return np.ones((len(audio), 4))

class NotANumber(Levels):
    def embed(self, audio):
        return super().embed(audio) * np.nan

class NoRate:
    dim = 3
    def embed(self, audio):
        return []

class BadHead:
    def fit(self, X, y):
        raise ValueError("cannot\\nlearn")
'''

EXTRACTORS = "".join(
    f'[{name.lower()}]\nfactory = "plugins_under_test:{name}"\n'
    for name in ("Levels", "Raises", "Fewer", "Wide", "NotANumber", "NoRate", "Absent")
)


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    (tmp_path / "registry").mkdir()
    (tmp_path / "plugins_under_test.py").write_text(PLUGINS)
    needy = '[needy]\nfactory = "plugins_under_test:Levels"\nrequires = ["no-such-distribution"]\n'
    lost = '[lost]\nfactory = "no_such_module:A"\n'
    (tmp_path / "registry" / "extractors.toml").write_text(EXTRACTORS + needy + lost)
    (tmp_path / "registry" / "heads.toml").write_text('[badhead]\nfactory = "plugins_under_test:BadHead"\n')
    return tmp_path


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def value(line: dict, metric: str, level: str = "clip") -> float:
    """Return the value of a line's score."""
    return next(
        score["value"] for score in line["scores"] if (score["metric"], score["level"]) == (metric, level)
    )


def comparable(out: Path) -> dict[str, dict]:
    """Return key -> everything of a result but its cost."""
    return {line["key"]: {name: v for name, v in line.items() if name != "cost"} for line in lines(out)}


def counters(out: Path) -> dict[str, int]:
    return json.loads((out / "run.json").read_text())["counters"]


RUN = ["run", "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "svm,logreg"]


@pytest.mark.verb("run")
def test_a_second_run_decodes_and_computes_nothing(bench, digits: Path, tmp_path: Path):
    assert bench(*RUN, "--datasets", digits, "--out", "out").exit_code == 0
    first = counters(tmp_path / "out")
    assert (first["clips_decoded"], first["cells_computed"], first["cells_reused"]) == (48, 3, 0)
    before = (tmp_path / "out" / "results.jsonl").read_bytes()
    assert bench(*RUN, "--datasets", digits, "--out", "out").exit_code == 0
    second = counters(tmp_path / "out")
    assert (second["clips_decoded"], second["cells_computed"], second["cells_reused"]) == (0, 0, 3)
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == before


def test_a_second_task_head_or_view_decodes_nothing(bench, digits: Path, tmp_path: Path):
    bench(*RUN, "--datasets", digits, "--out", "out")
    bench(
        "run",
        "--extractors",
        "mfcc-13@pool=max",
        "--tasks",
        "gender",
        "--split",
        "cv:2",
        "--datasets",
        digits,
        "--out",
        "out",
    )
    done = counters(tmp_path / "out")
    assert (done["clips_decoded"], done["clips_cached"], done["cells_computed"]) == (0, 48, 4)


@pytest.mark.no_cover
def test_the_same_audio_under_another_name_is_embedded_once(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits)
    (tmp_path / "copies").mkdir()
    for i, path in enumerate(table["path"]):
        shutil.copy(path, tmp_path / "copies" / f"{i}.wav")
    table.assign(path=[f"copies/{i}.wav" for i in range(len(table))]).to_csv(
        tmp_path / "renamed.csv", index=False
    )
    bench(*RUN, "--datasets", f"{digits},renamed.csv", "--out", "out")
    assert counters(tmp_path / "out")["clips_decoded"] == 48


@pytest.mark.no_cover
def test_a_changed_file_label_or_fold_is_computed_again(bench, digits: Path, tmp_path: Path):
    keys = []
    table = pd.read_csv(digits)
    swapped = table.copy()
    swapped.loc[[0, 47], "path"] = table.loc[[47, 0], "path"].to_numpy()
    for name, version in {"same": table, "swapped": swapped}.items():
        version.to_csv(tmp_path / "digits.csv", index=False)
        bench(*RUN, "--datasets", digits, "--out", name)
        keys.append(set(comparable(tmp_path / name)))
    bench(*RUN, "--datasets", digits, "--split", "cv:3", "--out", "split")
    keys.append(set(comparable(tmp_path / "split")))
    assert len(set.union(*keys)) == 9


def test_predictions_are_kept_for_every_clip(bench, digits: Path, tmp_path: Path):
    bench(*RUN, "--datasets", digits, "--out", "out")
    table = pd.read_csv(digits)
    table.index = pd.Index([Path(path).name for path in table["path"]])
    for line in lines(tmp_path / "out"):
        predictions = Store(tmp_path / "out").predictions(line["key"])
        assert sorted(predictions["clip"]) == sorted(table.index)
        assert predictions["y_true"].tolist() == table.loc[predictions["clip"], "speaker"].tolist()
        right = (predictions["y_true"] == predictions["y_pred"]).mean()
        assert value(line, "accuracy") == pytest.approx(right)
        assert line["n_test"] == 48


def test_seeds_are_cells_of_their_own_and_leave_the_split_alone(bench, digits: Path, tmp_path: Path):
    bench(
        "run",
        "--tasks",
        "speaker",
        "--extractors",
        "mfcc-13",
        "--heads",
        "svm",
        "--seeds",
        "0,7",
        "--datasets",
        digits,
    )
    store = Store(tmp_path / "bench-out")
    svm_results = [result for result in store.results().values() if result.head == "svm"]
    assert [result.seed for result in svm_results] == [0, 7]
    one, other = (store.predictions(result.key) for result in svm_results)
    pd.testing.assert_frame_equal(one, other)


REASONS = {
    "raises": "extractor 'raises' raised RuntimeError: out of cheese (plugins_under_test.py:",
    "fewer": "extractor 'fewer' returned 47 arrays for 48 clips",
    "wide": "extractor 'wide' returned frames of shape (4,); expected (n_frames, 3)",
    "notanumber": "extractor 'notanumber' returned frames that are not all finite",
    "norate": "extractor 'norate' (plugins_under_test:NoRate) lacks sample_rate, dim or embed",
    "absent": "AttributeError: module 'plugins_under_test' has no attribute 'Absent'",
    "lost": "no module 'no_such_module'",
}
"""Broken extractor -> reason of its cells."""


def test_broken_extractors_fail_their_own_cells_alone(bench, plugins: Path, digits: Path, tmp_path: Path):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--heads", "svm", "--extractors"]
    alone, broken = bench(*call, "levels", "--out", "a"), ",".join([*REASONS, "levels"])
    beside = bench(*call, broken, "--out", "b")
    assert (alone.exit_code, beside.exit_code) == (0, 1)
    for extractor, reason in REASONS.items():
        assert reason in beside.stderr
        results = Store(tmp_path / "b").results().values()
        broken_results = [result for result in results if result.extractor == extractor]
        assert [result.status for result in broken_results] == [Status.FAILED] * 2
        for cause in map(display.cause, broken_results):
            assert reason in cause
            assert "\n" not in cause
    for key, line in comparable(tmp_path / "a").items():
        assert comparable(tmp_path / "b")[key] == line
    assert bench(*call, broken, "--out", "b").exit_code == 1, "a failed cell is tried again"


def test_a_head_that_raises_fails_its_own_cell_alone(bench, plugins: Path, digits: Path, tmp_path: Path):
    done = bench(
        "run", "--tasks", "speaker", "--extractors", "levels", "--heads", "badhead,svm", "--datasets", digits
    )
    assert done.exit_code == 1
    status = {line["head"]: (line["status"], line["reason"]) for line in lines(tmp_path / "bench-out")}
    assert status["badhead"][0] == "failed"
    assert status["badhead"][1].startswith("ValueError: cannot learn (plugins_under_test.py:")
    assert status["svm"][0] == status["dummy"][0] == "ok"


def test_what_is_not_installed_is_skipped_with_the_command(
    bench, plugins: Path, digits: Path, tmp_path: Path
):
    call = [
        "run",
        "--tasks",
        "speaker",
        "--extractors",
        "needy,levels",
        "--heads",
        "svm",
        "--datasets",
        digits,
    ]
    done = bench(*call)
    assert done.exit_code == 0
    assert "not installed; run: pip install no-such-distribution" in done.stdout
    assert bench(*call, "--strict").exit_code == 1
    status = {line["status"] for line in lines(tmp_path / "bench-out") if line["extractor"] == "needy"}
    assert status == {"skipped"}


def test_an_edited_plugin_is_computed_again(bench, plugins: Path, digits: Path, tmp_path: Path):
    call = ["run", "--tasks", "speaker", "--extractors", "levels", "--heads", "svm", "--datasets", digits]
    bench(*call)
    (plugins / "plugins_under_test.py").write_text(PLUGINS.replace("mean()", "max()"))
    bench(*call)
    assert counters(tmp_path / "bench-out")["cells_reused"] == 0


@pytest.fixture
def spoilt(digits: Path, tmp_path: Path) -> Path:
    """Return a manifest of 48 real clips: 1 is text, 1 is missing, 2 are the same half of a FLAC."""
    table = pd.read_csv(digits)
    samples, rate = soundfile.read(table["path"][0])
    soundfile.write(tmp_path / "whole.flac", samples, rate)
    half = (tmp_path / "whole.flac").read_bytes()[:1500]
    for name in ("half1.flac", "half2.flac"):
        (tmp_path / name).write_bytes(half)
    (tmp_path / "text.wav").write_text("hello")
    table.loc[[0, 10, 20, 30], "path"] = ["text.wav", "gone.wav", "half1.flac", "half2.flac"]
    table.to_csv(tmp_path / "spoilt.csv", index=False)
    return tmp_path / "spoilt.csv"


def test_too_many_bad_clips_fail_the_cells_and_list_the_clips(bench, spoilt: Path, tmp_path: Path):
    done = bench(*RUN, "--datasets", spoilt, "--out", "out")
    assert done.exit_code == 1
    assert "4 of 48 clips of spoilt cannot be decoded, and --allow-bad allows 2" in done.stderr
    bad = Store(tmp_path / "out").bad_clips().set_index("clip")["reason"]
    assert sorted(bad.index) == ["gone.wav", "half1.flac", "half2.flac", "text.wav"]
    assert "Format not recognised" in bad["text.wav"]
    assert "no such file" in bad["gone.wav"]


def test_a_few_bad_clips_are_left_out_and_counted(bench, spoilt: Path, tmp_path: Path):
    call = [*RUN, "--datasets", spoilt, "--out", "out", "--allow-bad", "10%"]
    done = bench(*call)
    assert done.exit_code == 0
    assert "4 clips cannot be decoded" in done.stdout
    assert {(line["n_bad"], line["n_test"]) for line in lines(tmp_path / "out")} == {(4, 44)}
    bench(*call)
    again = counters(tmp_path / "out")
    assert (again["cells_reused"], again["clips_decoded"]) == (3, 0)
    assert len(Store(tmp_path / "out").bad_clips()) == 4, "still listed"
    assert bench(*call[:-2]).exit_code == 1, "what was borne is not borne by a stricter run"


def test_a_dataset_that_lacks_the_target_is_skipped_beside_one_that_has_it(
    bench, digits: Path, tmp_path: Path
):
    pd.read_csv(digits).drop(columns="gender").to_csv(tmp_path / "plain.csv", index=False)
    call = ["run", "--tasks", "gender", "--extractors", "mfcc-13", "--heads", "svm", "--split", "cv:2"]
    done = bench(*call, "--datasets", f"{digits},plain.csv")
    assert done.exit_code == 0
    assert "plain.csv has no column 'gender'" in done.stdout
    alone = bench(*call, "--datasets", "plain.csv")
    assert alone.exit_code == 2
    assert "task 'gender': no column 'gender'; plain.csv has speaker, session, recording" in alone.stderr


def test_tasks_default_to_what_the_data_offer_and_can_be_split(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits)
    table[table["speaker"] != "lucas"].to_csv(digits, index=False)
    done = bench("run", "--extractors", "mfcc-13", "--heads", "svm", "--datasets", digits)
    assert done.exit_code == 0
    status = {(line["task"]["name"], line["status"]) for line in lines(tmp_path / "bench-out")}
    assert status == {("gender", "skipped"), ("speaker", "ok")}, "one speaker is too few for a class"


def test_a_folder_answers_the_one_task_that_is_asked(bench, real: Path, tmp_path: Path):
    for speaker in ("theo", "george"):
        (tmp_path / "voices" / speaker).mkdir(parents=True)
        for take in range(6):
            shutil.copy(real / "fsdd" / f"7_{speaker}_{take}.wav", tmp_path / "voices" / speaker)
    call = ["run", "--datasets", "voices", "--extractors", "mfcc-13", "--heads", "svm", "--split", "cv:3"]
    assert bench(*call).exit_code == 0
    assert bench(*call, "--tasks", "speaker").exit_code == 0
    assert {line["task"]["name"] for line in lines(tmp_path / "bench-out")} == {"class", "speaker"}
    refused = bench(*call, "--tasks", "gender")
    assert refused.exit_code == 1
    assert "speaker: there is no such column" in refused.stderr
    assert bench(*call, "--tasks", "gender,speaker").exit_code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tasks", "gendr"], "unknown task 'gendr'; did you mean 'gender'?"),
        (["--extractors", "mfc"], "unknown extractor 'mfc'; did you mean 'mfcc'?"),
        (["--heads", "svn"], "unknown head 'svn'; did you mean 'svm'?"),
        (["--datasets", "dmo"], "unknown data set 'dmo'; did you mean 'demo'?"),
        (["--datasets", "demo"], "--datasets demo: is a data set and a folder here; write ./demo"),
        (
            ["--datasets", "digits.csv,sub/digits.csv"],
            "digits.csv and sub/digits.csv are both called 'digits'",
        ),
        (["--tasks", "bare"], "tasks.toml: 'bare': metrics is []; expected a list"),
        (["--tasks", "loud"], "unknown metric 'accuracy2'; did you mean 'accuracy'?"),
        (["--datasets", "plain.csv"], "no task fits the data: plain.csv has animal, recording"),
        (["--extractors", "mfcc@pool=men"], "view '@pool=men' is unknown"),
        (["--tasks", "speaker", "--split", "cv:0"], "--split cv:0: expected fixed, cv:K"),
    ],
)
def test_what_cannot_be_asked_ends_in_one_line_and_writes_nothing(
    words: list[str], message: str, bench, digits: Path, tmp_path: Path
):
    (tmp_path / "demo").mkdir()
    (tmp_path / "sub").mkdir()
    shutil.copy(digits, tmp_path / "sub")
    (tmp_path / "registry").mkdir()
    loud = '[loud]\ntarget = "speaker"\ngroups = ["session"]\nmetrics = ["accuracy2"]\n'
    bare = '[bare]\ntarget = "speaker"\ngroups = ["session"]\nmetrics = []\n'
    (tmp_path / "registry" / "tasks.toml").write_text(loud + (bare if "bare" in words else ""))
    (tmp_path / "plain.csv").write_text("path,animal\na.wav,dog\nb.wav,cat\n")
    (tmp_path / "a.wav").touch()
    done = bench("run", *(["--datasets", "digits.csv"] if "--datasets" not in words else []), *words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "bench-out").exists()


def test_a_head_of_an_unknown_unit_and_reduced_layers_are_refused(bench, plugins: Path, digits: Path):
    heads = plugins / "registry" / "heads.toml"
    heads.write_text('[framewise]\nfactory = "sklearn.svm:SVC"\nunit = "word"\n')
    done = bench("run", "--heads", "framewise", "--datasets", digits)
    assert done.exit_code == 2
    assert "heads.toml: 'framewise': unit is 'word'; expected one of clip, frame" in done.stderr
    heads.unlink()
    done = bench("run", "--heads", "pca+layer-weights", "--datasets", digits)
    assert done.exit_code == 2
    assert "head 'pca+layer-weights' sees layers, which no reducer takes" in done.stderr


def test_a_layer_that_the_extractor_lacks_fails_its_cells(bench, digits: Path):
    done = bench(
        "run",
        "--tasks",
        "speaker",
        "--extractors",
        "mfcc-13@layer=2,mfcc-13",
        "--heads",
        "svm",
        "--datasets",
        digits,
    )
    assert done.exit_code == 1
    assert "there is no layer 2; expected @layer=0 to 0, last or mean" in done.stderr


def test_an_observer_is_told_of_every_cell_and_clip(digits: Path, tmp_path: Path):
    class Notes:
        def __init__(self):
            self.clips, self.cells, self.plans, self.times = [], [], [], []

        stopping = False

        def planned(self, plan):
            self.plans.append((plan.to_compute, plan.cached, plan.embeddings[0].cached))

        def expected(self, seconds):
            self.times.append(seconds)

        def embedded(self, dataset, extractor, done, total, speed):
            self.clips.append((dataset, extractor, done, total))
            assert 0 < speed < 1e6

        def finished(self, result, done, total):
            self.cells.append((result.head, result.status, done, total))

    request = runner.Request(
        datasets=(str(digits),), home=tmp_path, tasks=("speaker",), extractors=("mfcc-13",), heads=("svm",)
    )
    store = Store(tmp_path / "out")
    store.open()
    notes = Notes()
    runner.run(runner.plan(request, load()), request, store, Cache(str(tmp_path)), notes)
    assert notes.plans == [(2, 0, 0)]
    assert notes.times[0] is None  # nothing like it was ever done
    assert notes.times[-1] == pytest.approx(0, abs=0.1)
    assert notes.clips == [("digits", "mfcc-13", 48, 48)]
    assert notes.cells == [("svm", Status.OK, 1, 2), ("dummy", Status.OK, 2, 2)]


def test_a_full_cache_stops_the_run_and_keeps_what_is_finished(
    bench, digits: Path, tmp_path: Path, monkeypatch
):
    bench(*RUN, "--datasets", digits, "--out", "out")

    def full(*args: object) -> None:
        raise UsageError("cache: cannot be written (No space left on device)")

    monkeypatch.setattr("bench.embed.cache.Cache.write", full)
    done = bench("run", "--tasks", "speaker", "--extractors", "mfcc", "--datasets", digits, "--out", "out")
    assert done.exit_code == 2
    assert "No space left on device" in done.stderr
    assert len(lines(tmp_path / "out")) == 3


KILLED = """
import os, signal, sys
from bench import cli
from bench.embed.cache import Cache
from bench.store import Store

cls, name = {"embedding": (Cache, "write"), "cells": (Store, "append")}[sys.argv.pop(1)]
write = getattr(cls, name)

def killed(*args, **kwargs):
    write(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(cls, name, killed)
cli.main()
"""


@pytest.mark.no_cover
@pytest.mark.parametrize("moment", ["embedding", "cells"])
def test_a_killed_run_goes_on_where_it_stopped(moment: str, bench, digits: Path, tmp_path: Path):
    call = ["run", "--tasks", "speaker", "--datasets", str(digits), "--extractors", "mfcc,mfcc-13"]
    call += ["--heads", "svm,lda,knn", "--out"]
    process = [sys.executable, "-c", KILLED, moment, *call, "out"]
    killed = subprocess.run(process, cwd=tmp_path, env={**os.environ, "BENCH_CACHE": "cache"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    before = (tmp_path / "out" / "results.jsonl").read_bytes().count(b"\n")
    assert before == (moment == "cells")
    assert bench(*call, "out").exit_code == 0
    after = counters(tmp_path / "out")
    assert (after["cells_reused"], after["cells_computed"]) == (before, 8 - before)
    assert after["clips_decoded"] == 48, "the first extractor's clips are in the cache"
    shutil.rmtree(tmp_path / "cache")
    assert bench(*call, "whole").exit_code == 0
    assert comparable(tmp_path / "out") == comparable(tmp_path / "whole")
    assert len(lines(tmp_path / "out")) == 8


def test_labels_that_do_not_allow_a_task_matter_only_if_it_is_asked(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits, dtype=str)
    table.loc[table["gender"] == "female", "gender"] = ""
    table.to_csv(digits, index=False)
    call = ["run", "--datasets", digits, "--extractors", "mfcc-13", "--heads", "svm"]
    assert bench(*call).exit_code == 0
    status = {(line["task"]["name"], line["status"]) for line in lines(tmp_path / "bench-out")}
    assert status == {("gender", "skipped"), ("speaker", "ok")}
    asked = bench(*call, "--tasks", "gender,speaker")
    assert asked.exit_code == 2
    assert "digits.csv: every clip but 16 without one has the gender 'male'" in asked.stderr


@pytest.mark.no_cover
def test_a_partly_labelled_table_gives_the_scores_of_its_labelled_part(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits, dtype=str)
    table["session"] = table["session"].where(table.index % 3 > 0, "")
    (tmp_path / "part").mkdir()
    table.to_csv(digits, index=False)
    table[table["session"] != ""].to_csv(tmp_path / "part" / "digits.csv", index=False)
    call = [
        "run",
        "--extractors",
        "mfcc-13",
        "--heads",
        "logreg",
        "--task-target",
        "session",
        "--split",
        "cv:4",
    ]
    whole = bench(*call, "--datasets", digits, "--save-models", "--out", tmp_path / "whole")
    part = bench(*call, "--datasets", "part/digits.csv", "--out", tmp_path / "only")
    assert (whole.exit_code, part.exit_code) == (0, 0), whole.stderr
    assert "16 clips without a label for this task are left out" in whole.stdout
    assert "without a label" not in part.stdout
    facts = [
        [
            (
                line["head"],
                line["scores"],
                line["n_train"],
                line["n_test"],
                line["n_classes"],
                line["n_groups"],
            )
            for line in lines(out)
        ]
        for out in (tmp_path / "whole", tmp_path / "only")
    ]
    assert facts[0] == facts[1]
    assert bench("audit", tmp_path / "whole").exit_code == 0


def test_the_same_cell_asked_twice_is_one(bench, digits: Path, tmp_path: Path):
    bench(
        "run",
        "--datasets",
        digits,
        "--tasks",
        "speaker",
        "--extractors",
        "mfcc-13,mfcc-13@pool=mean+std",
    )
    assert len(lines(tmp_path / "bench-out")) == 4
    assert counters(tmp_path / "bench-out")["cells_planned"] == 4


def test_a_result_whose_predictions_are_gone_is_computed_again(bench, digits: Path, tmp_path: Path):
    bench(*RUN, "--datasets", digits, "--out", "out")
    [gone, *_] = (tmp_path / "out" / "predictions").iterdir()
    gone.unlink()
    bench(*RUN, "--datasets", digits, "--out", "out")
    assert counters(tmp_path / "out")["cells_computed"] == 1
    assert gone.is_file()


def test_synthetic_audio_is_marked_in_every_line(bench, home: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("BENCH_CACHE", str(home))
    done = bench("run", "--tasks", "gender", "--extractors", "mfcc-13", "--heads", "svm")
    assert {line["synthetic"] for line in lines(tmp_path / "bench-out")} == {True}
    assert "## gender on demo (synthetic)" in done.stdout


def test_a_slice_is_what_a_plain_group_by_says(bench, digits: Path, tmp_path: Path):
    bench(*RUN, "--datasets", digits, "--out", "out")
    text = bench("report", "out", "--by", "gender,session").stdout
    table = pd.read_csv(digits, dtype=str)
    table.index = pd.Index([Path(path).name for path in table["path"]])
    [svm] = [line for line in lines(tmp_path / "out") if line["head"] == "svm"]
    predictions = Store(tmp_path / "out").predictions(svm["key"]).set_index("clip")
    right = predictions["y_true"] == predictions["y_pred"]
    for column in ("gender", "session"):
        expected = right.groupby(table[column]).mean()
        section = text.split(f"### accuracy by {column}")[1].split("###")[0]
        cells = [
            [cell.strip() for cell in row.strip("|").split("|")] for row in section.splitlines() if "|" in row
        ]
        table_scores = {row[0]: float(row[cells[0].index("mfcc-13 svm")].split()[0]) for row in cells[2:]}
        expected_scores = {**expected.to_dict(), "**worst**": expected.min()}
        assert table_scores == pytest.approx(expected_scores, abs=0.0051), "rounded by their intervals"


def test_a_label_column_of_ones_own_is_a_task(bench, digits: Path, tmp_path: Path):
    renamed = pd.read_csv(digits).rename(columns={"session": "digit", "speaker": "voice"})
    renamed.to_json(tmp_path / "own.jsonl", orient="records", lines=True)
    call = ["run", "--datasets", "own.jsonl", "--extractors", "mfcc-13", "--heads", "svm", "--split", "cv:3"]
    done = bench(*call, "--task-target", "digit", "--task-group", "voice")
    assert done.exit_code == 0
    assert "## digit on own" in done.stdout
    assert "cv:3, grouped by voice (6 groups), 3 tested folds, 4 classes" in done.stdout
    assert "grouped by recording" in bench(*call, "--task-target", "digit").stdout
    clash = bench(*call, "--tasks", "speaker", "--task-target", "speaker")
    assert (clash.exit_code, "--task-target speaker: is also in --tasks" in clash.stderr) == (2, True)
    alone = bench(*call, "--task-group", "voice")
    assert (alone.exit_code, "--task-group voice: needs --task-target" in alone.stderr) == (2, True)


def test_a_random_split_is_marked_in_every_output(bench, digits: Path, tmp_path: Path):
    done = bench(*RUN, "--datasets", digits, "--split", "random", "--out", "out")
    assert "## speaker on digits (leaky split)" in done.stdout
    assert "**Leaky split**" in done.stdout
    markdown = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "Confusion matrix: speaker on digits (leaky split)" in markdown
    split = {"protocol": "random", "group": "session", "leaky": True, "permuted": False, "repeat": 0}
    assert [line["split"] for line in lines(tmp_path / "out")] == [split] * 3


@pytest.mark.no_cover
def test_a_head_that_sees_frames_shares_the_extraction_and_votes(bench, digits: Path, tmp_path: Path):
    call = ["run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--out", "out"]
    bench(*call, "--heads", "svm")
    before = comparable(tmp_path / "out")
    done = bench(*call, "--heads", "svm,logreg-frames")
    assert counters(tmp_path / "out")["clips_decoded"] == 48, "frames were not kept when no head needed them"
    assert bench(*call, "--heads", "svm,logreg-frames,gbdt-frames").exit_code == 0
    assert counters(tmp_path / "out")["clips_decoded"] == 0
    after = comparable(tmp_path / "out")
    assert {key: after[key] for key in before} == before
    assert "accuracy[frame]" in done.stdout
    [line] = [line for line in after.values() if line["head"] == "logreg-frames"]
    assert line["view"] == {"layer": "last", "pool": "none"}
    assert value(line, "accuracy") > value(line, "accuracy", "frame")
    predictions = Store(tmp_path / "out").predictions(line["key"])
    votes = predictions.filter(regex="^votes_")
    assert (votes.columns[votes.to_numpy().argmax(axis=1)] == "votes_" + predictions["y_pred"]).all()


def test_segments_are_reported_beside_their_clips(bench, real: Path, tmp_path: Path):
    path = tmp_path / "speakers"
    for folder in sorted((real / "LibriSpeech" / "test-other").iterdir())[:4]:
        shutil.copytree(folder, path / folder.name, copy_function=os.symlink)
    params = f'path = "{path}"\nsegment = {{ seconds = 1.0 }}\n'
    (tmp_path / "cut.toml").write_text(f'kind = "path"\nversion = "1"\nabout = ""\n[params]\n{params}')
    done = bench(
        "run", "--datasets", "cut.toml", "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "logreg"
    )
    assert done.exit_code == 0
    [line] = [line for line in lines(tmp_path / "bench-out") if line["head"] == "logreg"]
    predictions = Store(tmp_path / "bench-out").predictions(line["key"])
    parent = predictions["clip"].str.partition("#")[0]
    voted = predictions.groupby(parent)["y_pred"].agg(lambda labels: labels.mode()[0])
    truth = predictions.groupby(parent)["y_true"].first()
    assert value(line, "accuracy", "parent-vote") == pytest.approx((voted == truth).mean())
    assert value(line, "accuracy", "parent-mean") >= value(line, "accuracy")


@pytest.mark.figures
def test_names_with_colons_spaces_and_other_scripts_are_names(
    bench, digits: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("BENCH_CACHE", "cache c:1")
    folder = tmp_path / "data d:2 Ω"
    folder.mkdir()
    pd.read_csv(digits, dtype=str).to_parquet(folder / "ziffern é.parquet")
    call = [*RUN, "--datasets", "data d:2 Ω/ziffern é.parquet", "--out", "out o:3"]
    assert bench(*call).exit_code == 0
    assert bench("report", "out o:3", "--by", "session").exit_code == 0
    assert bench(*call).exit_code == 0
    assert counters(tmp_path / "out o:3")["cells_reused"] == 3


def test_the_same_recording_in_two_formats_stays_on_one_side(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits, dtype=str)
    samples, rate = soundfile.read(table["path"][0])
    soundfile.write(tmp_path / "copy.flac", samples, rate)
    copy = {**table.iloc[0], "path": str(tmp_path / "copy.flac"), "speaker": "somebody", "session": "9"}
    pd.concat([table, pd.DataFrame([copy])]).to_csv(tmp_path / "copied.csv", index=False)
    call = [
        "run",
        "--datasets",
        "copied.csv",
        "--tasks",
        "gender",
        "--extractors",
        "mfcc-13",
        "--heads",
        "dummy",
    ]
    assert bench(*call).exit_code == 0
    predictions = Store(tmp_path / "bench-out")
    [key] = {result.key for result in predictions.results().values()}
    folds = predictions.predictions(key).set_index("clip")["fold"]
    assert folds[Path(table["path"][0]).name] == folds["copy.flac"]


def test_steps_and_augmentation_are_part_of_the_key_and_in_the_table(bench, digits: Path, tmp_path: Path):
    call = ["run", "--datasets", digits, "--tasks", "gender", "--extractors", "mfcc-13", "--heads", "svm"]
    plain = bench(*call)
    stepped = bench(*call, "--preprocess", "trim=40,peak")
    changed = bench(*call, "--augment", "stretch,noise=0:20", "--copies", "2")
    for result in (plain, stepped, changed):
        assert result.exit_code == 0, result.stderr
        assert "cells: 2 computed, 0 reused" in result.stderr
    assert "- Preprocessing of mfcc-13: trim=40, peak=-1." in stepped.stdout
    assert "2 copies of each: stretch=0.8:1.25, noise=0:20." in changed.stdout
    assert "Preprocessing" not in plain.stdout + changed.stdout
    results = Store(tmp_path / "bench-out").results().values()
    settings = [(result.preprocess, result.augmentation) for result in results if result.head == "svm"]
    augmentation = Augmentation((Change("stretch", 0.8, 1.25), Change("noise", 0.0, 20.0)), copies=2)
    steps = (Step("trim", 40.0), Step("peak", -1.0))
    assert settings == [((), None), (steps, None), ((), augmentation)]
    assert len({result.scores[0].value for result in results if result.head == "svm"}) > 1
    again = bench(*call, "--augment", "stretch,noise=0:20", "--copies", "2")
    assert "cells: 0 computed, 2 reused" in again.stderr


@pytest.mark.no_cover
def test_an_augmented_copy_is_embedded_once_and_the_same_in_every_run(bench, digits: Path, tmp_path: Path):
    call = ["run", "--datasets", digits, "--tasks", "gender", "--extractors", "mfcc-13", "--heads", "svm"]
    call += ["--augment", "stretch,pitch"]
    bench(*call, "--out", "one")
    bench(*call, "--heads", "svm,logreg", "--out", "two")
    assert json.loads((tmp_path / "one/run.json").read_text())["counters"]["clips_embedded"] == 96
    assert json.loads((tmp_path / "two/run.json").read_text())["counters"]["clips_embedded"] == 0
    shutil.rmtree(tmp_path / "cache")
    bench(*call, "--out", "three")
    one, three = (
        next(r for r in Store(tmp_path / out).results().values() if r.head == "svm")
        for out in ("one", "three")
    )
    first, last = (Store(tmp_path / o).predictions(r.key) for o, r in (("one", one), ("three", three)))
    pd.testing.assert_frame_equal(first, last)


def test_an_extractors_own_steps_are_its_entrys(bench, digits: Path, tmp_path: Path):
    (tmp_path / "registry").mkdir()
    entry = '[trimmed]\nfactory = "bench.extractors.mfcc:Mfcc"\npreprocess = ["trim=30"]\n'
    (tmp_path / "registry" / "extractors.toml").write_text(entry)
    call = ["run", "--datasets", digits, "--tasks", "gender", "--heads", "dummy"]
    result = bench(*call, "--extractors", "trimmed,mfcc")
    assert result.exit_code == 0
    entry = '[scaled]\nfactory = "sklearn.svm:SVC"\npreprocess = ["trim=30"]\n'
    (tmp_path / "registry" / "heads.toml").write_text(entry)
    refused = bench(*call[:-2], "--extractors", "mfcc", "--heads", "scaled")
    assert refused.exit_code == 2
    assert "heads.toml: 'scaled': unknown field 'preprocess'" in refused.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preprocess", "loud"], "step 'loud' is unknown"),
        (["--augment", "echo"], "augmentation 'echo' is unknown"),
        (["--copies", "0"], "0 is not in the range"),
    ],
)
def test_an_unknown_step_exits_with_2_before_any_work(bench, digits: Path, words: list[str], message: str):
    result = bench("run", "--datasets", digits, "--tasks", "gender", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_permuted_labels_stand_beside_the_true_ones(bench, digits: Path, tmp_path: Path):
    bench(*RUN, "--datasets", digits)
    done = bench(*RUN, "--datasets", digits, "--permute-labels", "3")
    assert "cells: 3 computed, 0 reused" in done.stderr
    assert "cells: 0 computed, 3 reused" in bench(*RUN, "--datasets", digits, "--permute-labels=3").stderr
    assert "### Permuted labels: speaker on digits" in done.stdout
    assert "of 4 " in done.stdout
    assert len(re.findall("mfcc-13 +.*knn", done.stdout.split("###")[0])) <= 1
    first, again = lines(tmp_path / "bench-out")[:3], lines(tmp_path / "bench-out")[3:]
    assert [line["scores"] for line in first] == [line["scores"] for line in again]
    assert [len(line["permutations"]["between"]) for line in again] == [3] * 3


@pytest.mark.no_cover
def test_permuted_labels_tell_a_random_split_from_an_honest_one(bench, real: Path, tmp_path: Path):
    rows = [
        {"path": f"{real}/fsdd/{digit}_{speaker}_{take}.wav", "speaker": speaker, "session": str(digit)}
        for speaker in ("george", "jackson", "theo", "lucas")
        for digit in range(5)
        for take in range(4)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "many.csv", index=False)
    call = [*RUN[:-1], "svm", "--datasets", "many.csv", "--permute-labels=10"]
    leaky = bench(*call, "--split", "random").stdout
    assert re.search("[*]Leak[*]*: 1 of 2 rows learn .*: mfcc-13 svm", leaky)
    assert "No leak between groups" in bench(*call).stdout


def test_learning_curves_are_cells_of_fewer_groups(bench, digits: Path, tmp_path: Path):
    call = [*RUN[:-1], "svm", "--datasets", digits]
    bench(*call)
    done = bench(*call, "--train-sizes", "0.4,1")
    assert "cells: 2 computed, 2 reused" in done.stderr, "the whole training side is the cell that it was"
    assert "### accuracy by training size: speaker on digits" in done.stdout
    pairs = [(line["head"], line["train_size"]) for line in lines(tmp_path / "bench-out")]
    assert sorted(pairs) == [("dummy", 0.4), ("dummy", 1.0), ("svm", 0.4), ("svm", 1.0)]


@pytest.mark.parametrize("sizes", ["0", "2", "x", "0.5,", ""])
def test_sizes_that_are_no_shares_are_refused(bench, digits: Path, sizes: str):
    assert bench(*RUN, "--datasets", digits, "--train-sizes", sizes).exit_code == 2


def test_a_task_cannot_rank_by_what_not_every_head_gives(bench, digits: Path, tmp_path: Path):
    path = tmp_path / "registry" / "tasks.toml"
    path.parent.mkdir()
    entry = '[who]\ntarget = "speaker"\ngroups = ["session", "recording"]\nmetrics = {}\n'
    call = ["run", "--datasets", digits, "--tasks", "who", "--extractors", "mfcc-13", "--heads", "svm,logreg"]
    path.write_text(entry.format('["log_loss", "accuracy"]'))
    refused = bench(*call)
    assert (refused.exit_code, "put a metric of labels first" in refused.stderr) == (2, True)
    path.write_text(entry.format('["accuracy", "log_loss"]'))
    assert bench(*call).exit_code == 0
    metrics = {
        line["head"]: {score["metric"] for score in line["scores"]} for line in lines(tmp_path / "bench-out")
    }
    assert ("log_loss" in metrics["svm"], "log_loss" in metrics["logreg"]) == (False, True)


@pytest.mark.no_cover
def test_a_second_run_in_a_folder_keeps_the_rows_of_the_first(bench, digits: Path):
    call = ["run", "--datasets", digits, "--heads", "lda"]
    assert bench(*call, "--tasks", "speaker", "--extractors", "mfcc-13").exit_code == 0
    failing = bench(*call, "--tasks", "speaker,gender", "--extractors", "mfcc@layer=3")
    assert failing.exit_code == 1
    assert "mfcc-13" in failing.stdout
    assert "layer" in failing.stdout
    third = bench(*call, "--tasks", "speaker", "--extractors", "spectral")
    assert third.exit_code == 0
    assert bench("report", "bench-out", "--format", "csv").exit_code == 0
    rows = pd.read_csv("bench-out/leaderboard.csv")
    assert set(rows["extractor"].dropna()) == {"mfcc-13", "spectral"}
    assert "1 of 3 rows are of earlier runs in the same folder." in third.stdout
    assert bench("audit", "bench-out").exit_code == 0


def test_a_second_run_with_another_split_drops_the_rows_of_the_first(bench, digits: Path):
    call = ["run", "--datasets", digits, "--heads", "lda", "--tasks", "speaker"]
    bench(*call, "--extractors", "mfcc-13")
    second = bench(*call, "--extractors", "spectral", "--split", "cv:3")
    assert "mfcc-13" not in second.stdout
