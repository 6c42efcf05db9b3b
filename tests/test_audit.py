"""`bench audit` finds what was tampered with, and `bench rerun` computes the same again."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from bench.embed import batches, decoding
from bench.embed.cache import Cache
from bench.store import Store

pytestmark = pytest.mark.xdist_group("audit")  # they share a run

AGAIN = "cached embeddings computed again"

WORDS = ["run", "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "svm,kmeans", "--out", "out"]


@pytest.fixture
def done(bench, digits: Path, tmp_path: Path, fill):
    """Return a run over copies of the recordings, split by a file."""

    def run() -> None:
        table = pd.read_csv(digits, dtype=str)
        for number, path in enumerate(table["path"]):
            shutil.copy(path, tmp_path / f"{number}.wav")
        table.assign(path=[f"{number}.wav" for number in range(len(table))]).to_csv("clips.csv", index=False)
        folds = pd.DataFrame({"session": list("0123"), "fold": list("0011")})
        folds.to_csv("folds.csv", index=False)
        made = bench(*WORDS, "--datasets", "clips.csv", "--split", "folds.csv")
        assert made.exit_code == 0, made.stderr

    fill(tmp_path, run)
    return Store(tmp_path / "out")


def said(bench) -> list[str]:
    result = bench("audit", "out")
    assert result.exit_code == (0 if "verified" in result.stdout else 1)
    return result.stdout.splitlines()


def key_of(store: Store, head: str) -> str:
    return next(result.key for result in store.results().values() if result.head == head)


@pytest.mark.no_cover
@pytest.mark.verb("audit")
def test_an_untouched_run_is_verified_from_any_folder(bench, done, tmp_path: Path, monkeypatch):
    assert said(bench) == [f"out: verified; 20 of 48 {AGAIN}"]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert bench("audit", tmp_path / "out").exit_code == 0


@pytest.mark.no_cover
def test_one_changed_prediction_is_found(bench, done):
    path = done.predictions_path(key_of(done, "svm"))
    predictions = pd.read_parquet(path)
    row = predictions.index[predictions["y_pred"] == predictions["y_true"]][0]
    predictions.loc[row, "y_pred"] = next(n for n in predictions["y_true"] if n != predictions["y_true"][row])
    predictions.to_parquet(path, index=False)
    first, *_, last = said(bench)
    assert "svm: predictions differ from the scored ones" in first
    assert any("svm: accuracy at clip is" in line and "predictions give" in line for line in said(bench))
    assert last == f"out: 6 differences; 20 of 48 {AGAIN}"


def test_a_changed_error_that_leaves_every_score_is_found(bench, done):
    path = done.predictions_path(key_of(done, "svm"))
    predictions = pd.read_parquet(path)
    predictions.loc[0, "score_theo"] += 1e-9
    predictions.to_parquet(path, index=False)
    first, *_, last = said(bench)
    assert "svm: predictions differ from the scored ones" in first
    assert last.startswith("out: 3 differences")


def test_predictions_that_are_gone_are_found(bench, done):
    done.predictions_path(key_of(done, "svm")).unlink()
    assert "svm: predictions are missing" in said(bench)[0]


@pytest.mark.no_cover
def test_a_swapped_split_file_is_found(bench, done):
    pd.DataFrame({"session": list("0123"), "fold": list("0101")}).to_csv("folds.csv", index=False)
    found = said(bench)
    assert found[0].startswith("speaker on clips: fold of 24 clips changed: ")
    assert len(found) == 2


def test_a_stored_split_that_leaks_is_found(bench, done):
    split = done.split("clips", "speaker")
    split.loc[split.index[split["fold"] == "0"][0], "fold"] = "1"
    done.write_split("clips", "speaker", split)
    found = "\n".join(said(bench))
    assert "the stored split differs from the one in run.json" in found
    assert "on both sides of fold" in found
    assert "fold of the predictions differs from the split" in found


@pytest.mark.no_cover
def test_a_changed_audio_file_is_found(bench, done):
    samples, rate = soundfile.read("7.wav")
    soundfile.write("7.wav", samples * 0.5, rate)
    assert said(bench)[0] == "speaker on clips: content of 1 clips changed: 7.wav"


def test_clips_that_are_gone_or_new_are_found(bench, done):
    table = pd.read_csv("clips.csv", dtype=str)
    pd.concat([table.iloc[1:], table.iloc[:1].assign(path="new.wav")]).to_csv("clips.csv", index=False)
    Path("0.wav").rename("new.wav")
    assert said(bench)[:2] == [
        "speaker on clips: 1 clips removed: 0.wav",
        "speaker on clips: 1 clips added: new.wav",
    ]


def test_a_result_line_edited_by_hand_is_found(bench, done):
    lines = done.results_path.read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if '"head": "svm"' in line)
    line = json.loads(lines[number])
    line["scores"][0]["value"] = 0.999
    lines[number] = json.dumps(line)
    done.results_path.write_text("\n".join(lines) + "\n")
    found = said(bench)
    assert found[0].endswith(f"results.jsonl:{number + 1}: its seal does not match")
    assert "accuracy at clip is 0.999000" in found[1]


def test_a_line_that_is_none_any_more_is_named(bench, done):
    done.results_path.write_text(done.results_path.read_text().replace('"scores"', "scores", 1))
    refused = bench("audit", "out")
    assert (refused.exit_code, "results.jsonl:1: not a result" in refused.stderr) == (2, True)


def test_data_that_are_gone_are_said(bench, done):
    Path("clips.csv").unlink()
    assert said(bench)[0].startswith("the run cannot be planned again: ")


def test_a_changed_plugin_is_found(bench, digits: Path, tmp_path: Path):
    (tmp_path / "registry").mkdir()
    entry = '[mine]\nfactory = "sklearn.neighbors:KNeighborsClassifier"\nparams = {{ n_neighbors = {} }}\n'
    (tmp_path / "registry" / "heads.toml").write_text(entry.format(3))
    bench("run", "--tasks", "speaker", "--datasets", digits, "--extractors", "mfcc-13", "--heads", "mine")
    (tmp_path / "registry" / "heads.toml").write_text(entry.format(5))
    assert bench("audit", "bench-out").stdout.splitlines()[0] == "mine: changed params"


@pytest.mark.no_cover
def test_another_version_is_found(bench, done, monkeypatch):
    record = done.run()
    done.write_run(replace(record, env={**record.env, "numpy": "1.0"}))
    assert said(bench)[0].startswith("numpy 1.0 -> ")


def test_an_embedding_that_is_not_that_of_the_audio_is_found(bench, done, tmp_path: Path):
    """Nothing but the audio shows it: the checksums are those of what was written."""
    cache = Cache(str(tmp_path / "cache"))
    [entry] = cache.entries()
    embeddings = dict(cache.read(entry.digest, cache.contents(entry.digest)))
    first, second, *_ = embeddings
    embeddings[first] = embeddings[second]
    cache.remove(entry.digest)
    cache.write(entry.digest, embeddings)
    assert "1 differences; 48 of 48" in bench("audit", "out", "--deep").stdout
    [line, _] = bench("audit", "out", "--deep").stdout.splitlines()
    assert line.startswith("mfcc-13 on clips: embeddings of 1 of 48 clips are not those of the audio: ")


def test_damage_of_a_cached_file_is_found(bench, done, tmp_path: Path):
    [path] = (tmp_path / "cache").glob("embeddings-*/*/*.batch")
    data = path.read_bytes()
    path.write_bytes(data[:-50] + bytes(50))
    assert said(bench)[0] == "mfcc-13 on clips: 20 of 20 cached embeddings are in damaged files"
    assert said(bench) == [f"out: verified; 0 of 0 {AGAIN}"]


CANARY = "from pathlib import Path\nPath({!r}).open('a').write(__name__)\ndef run(**_): 1 / 0\n"


@pytest.fixture
def hostile(bench, done, tmp_path: Path) -> Path:
    """Return the folder of a run whose record names code that the folder brings, and of a canary's code."""
    theirs = tmp_path / "theirs"
    (theirs / "package").mkdir(parents=True)
    (theirs / "registry").mkdir()
    (theirs / "datasets").mkdir()
    for path in [Path("out"), Path("folds.csv"), Path("clips.csv"), *Path().glob("*.wav")]:
        path.rename(theirs / path)
    for name in (
        "evil",
        "sitecustomize",
        "package/__init__",
        "package/part",
        "codecarbon",
        "openvino",
        "torch",
    ):
        (theirs / f"{name}.py").write_text(CANARY.format(str(tmp_path / "canary")))
    entry = '[{}]\nfactory = "evil:run"\n'
    (theirs / "registry" / "heads.toml").write_text(entry.format("mine"))
    (theirs / "registry" / "extractors.toml").write_text(entry.format("crossings"))
    record = json.loads((theirs / "out" / "run.json").read_text())
    code = ["./evil.py:run", "evil:run", "package.part:run"]
    record["request"]["extractors"] += [*code, "hear:evil", "crossings", "evil:run@layer=all"]
    record["request"]["heads"] += [*code, "mine", "pca+evil:run"]
    record["folder"] = str(theirs)
    (theirs / "out" / "run.json").write_text(json.dumps(record))
    return theirs


@pytest.mark.payload
def test_a_folder_runs_no_code(bench, hostile: Path, tmp_path: Path):
    audit = subprocess.run(
        [sys.executable, "-m", "bench", "audit", "theirs/out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bench("report", "theirs/out").exit_code == 0
    assert bench("compare", "theirs/out", "theirs/out").exit_code == 0
    assert not (tmp_path / "canary").exists()
    *unchecked, last = audit.stdout.splitlines()
    assert last == f"theirs/out: 10 not checked; 20 of 48 {AGAIN}", audit.stderr
    assert unchecked[0] == (
        "./evil.py:run: not checked, since it is neither installed nor in the registry here; "
        "--trust FOLDER, the run's working folder, runs its code"
    )
    assert audit.returncode == 1


@pytest.mark.payload
def test_a_card_that_calls_a_function_is_not_opened(bench, hostile: Path, tmp_path: Path):
    (hostile / "card.toml").write_text(
        'kind = "function"\nversion = "1"\nabout = "A."\nparams = { factory = "evil:run" }\n'
    )
    record = json.loads((hostile / "out" / "run.json").read_text())
    record["request"]["datasets"] = ["card.toml"]
    (hostile / "out" / "run.json").write_text(json.dumps(record))
    audit = bench("audit", "theirs/out")
    assert audit.exit_code == 1
    assert "the run cannot be planned again: " in audit.stdout
    assert not (tmp_path / "canary").exists()


@pytest.mark.no_cover
def test_a_trusted_folder_is_audited_with_its_registry_and_its_plugins(bench, digits: Path, tmp_path: Path):
    (tmp_path / "theirs" / "registry").mkdir(parents=True)
    os.chdir("theirs")
    plugin = "from sklearn.neighbors import KNeighborsClassifier as Near\n"
    Path("plugin.py").write_text(plugin)
    Path("registry/heads.toml").write_text('[mine]\nfactory = "plugin:Near"\n')
    made = bench(*WORDS[:5], "--heads", "mine,./plugin.py:Near", "--out", "out", "--datasets", digits)
    assert made.exit_code == 0, made.stderr
    os.chdir("..")
    assert bench("audit", "theirs/out").stdout.endswith(f"out: 2 not checked; 20 of 48 {AGAIN}\n")
    trusted = bench("audit", "theirs/out", "--trust", "theirs")
    assert trusted.stdout == f"theirs/out: verified; 20 of 48 {AGAIN}\n"
    Path("theirs/plugin.py").write_text(f"{plugin}# edited\n")
    changed = bench("audit", "theirs/out", "--trust", "theirs").stdout.splitlines()
    assert changed[:2] == ["mine: changed code", "./plugin.py:Near: changed code"]


@pytest.mark.verb("rerun")
def test_a_run_is_computed_again_and_is_the_same(bench, done, tmp_path: Path):
    again = bench("rerun", "out/run.json", "--jobs", "2")
    assert again.exit_code == 0
    assert again.stdout.endswith("out-rerun: the same, bit for bit\n")
    assert Store(tmp_path / "out-rerun").results().keys() == done.results().keys()
    refused = bench("rerun", "out", "--out", "out")
    assert (refused.exit_code, "expected another folder" in refused.stderr) == (2, True)


def test_what_moved_is_said(bench, done):
    samples, rate = soundfile.read("7.wav")
    soundfile.write("7.wav", samples[: len(samples) // 2], rate)
    again = bench("rerun", "out/run.json", "--out", "new")
    assert again.exit_code == 1
    assert any("svm: predictions differ" in line for line in again.stdout.splitlines())


def lines(out: Path) -> list[dict]:
    found = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "cost"} for line in found]


@pytest.mark.no_cover
def test_batches_and_threads_change_nothing_but_cost(bench, done, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(batches, "BATCH_CLIPS", 5)
    monkeypatch.setattr(decoding, "READERS", 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "2" if os.environ.get("OMP_NUM_THREADS") == "1" else "1")
    monkeypatch.setenv("BENCH_CACHE", str(tmp_path / "other cache"))
    bench("rerun", "out/run.json", "--out", "new")
    assert lines(tmp_path / "new") == lines(tmp_path / "out")
