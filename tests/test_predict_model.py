"""`bench export`, `bench predict` and `bench.load_model`: what a model says, writes, loads and refuses."""

import errno
import json
import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner, Result
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import bench as package
from bench import audio, catalog, cli
from bench.errors import ClipError, UsageError
from bench.files import sha256
from bench.inference import watching, writing
from bench.inference.answers import Failure
from bench.types import Clip

pytestmark = pytest.mark.xdist_group("model")  # they share a model

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

Run = Callable[..., Result]


def words(*text: object) -> Result:
    """Return the outcome of a command."""
    result = CliRunner().invoke(cli.main, [str(word) for word in text])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, take) -> Path:
    """Return a folder with a run on 48 digits, `out`, and the model of its best row, `model`."""
    folder = tmp_path_factory.mktemp("model")
    rows = [
        {"path": str(take(speaker, digit, number)), "speaker": speaker, "session": str(digit)}
        for speaker in SPEAKERS
        for digit in range(4)
        for number in range(2)
    ]
    pd.DataFrame(rows).to_csv(folder / "digits.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("BENCH_CACHE", str(folder / "cache"))
        run = ("--datasets", "digits.csv", "--extractors", "mfcc-13", "--heads", "logreg,svm,kmeans")
        assert words("run", *run, "--tasks", "speaker", "--plain", "--out", "out").exit_code == 0
        done = words("export", "out", "--row", "mfcc-13,logreg", "--to", "model")
        assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def bench(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return the command line in an empty folder, with the cache of the run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_CACHE", str(folder / "cache"))
    return words


def scripted(paths: list[str], labels: list[str]) -> np.ndarray:
    """Return the probabilities of a plain script for the clips that it is fitted to."""
    extractor = catalog.build(catalog.load().extractors["mfcc-13"])
    frames = extractor.embed([audio.read(Clip(path, Path(path)), extractor.sample_rate) for path in paths])
    X = np.array([np.concatenate([part.mean(axis=0), part.std(axis=0)]) for part in frames])
    head = catalog.build(catalog.load().heads["logreg"], 0)
    assert isinstance(head, LogisticRegression)
    return np.asarray(make_pipeline(StandardScaler(), head).fit(X, labels).predict_proba(X))


def test_a_model_predicts_its_training_clips_as_a_plain_script_does(folder: Path, bench: Run):
    table = pd.read_csv(folder / "digits.csv")
    model = package.load_model(folder / "model")
    answers = model.predict_many(table["path"].tolist())
    expected = scripted(table["path"].tolist(), table["speaker"].tolist())
    assert [answer.predicted_label for answer in answers] == [
        SPEAKERS[row] for row in expected.argmax(axis=1)
    ]
    # Calibration by a temperature: the logarithms differ by one factor.
    logits = np.log([[answer.probabilities[name] for name in SPEAKERS] for answer in answers])
    before, after = (np.subtract(part[:, 1:], part[:, :1]) for part in (np.log(expected), logits))
    np.testing.assert_allclose(after, before * model.card.calibration.calibrator.slope, rtol=1e-3, atol=1e-3)


@pytest.mark.verb("export")
@pytest.mark.verb("predict")
def test_an_answer_has_the_fields_of_the_schema_whatever_its_form(folder: Path, bench: Run, take):
    path = take("theo", 1, 0)
    answer = json.loads(bench("predict", folder / "model", path).stdout)
    jsonschema.validate(answer, writing.json_schema())
    assert (answer["file"], answer["predicted_label"], answer["task"]) == (str(path), "theo", "speaker")
    assert answer["confidence"] == answer["probabilities"]["theo"] == max(answer["probabilities"].values())
    assert answer["calibrated"]
    assert "theo" in answer["set"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert {"metric", "value", "low", "high"} == answer["measured"].keys()
    assert answer["duration"] == pytest.approx(soundfile.info(path).duration, abs=1e-3)
    lines = bench("predict", folder / "model", path, "no.wav", "--format", "jsonl", "--top", "2").stdout
    first, second = map(json.loads, lines.splitlines())
    jsonschema.validate(second, writing.json_schema())
    assert len(first["probabilities"]) == 2
    assert second == {"file": "no.wav", "error": "no.wav: no such file"}
    assert bench("predict", folder / "model", path, "--format", "csv").stdout.startswith(
        "file,predicted_label,"
    )
    assert "theo" in bench("predict", folder / "model", path, "--format", "table").stdout


def test_samples_are_predicted_as_their_file_is(folder: Path, bench: Run, take):
    path = take("lucas", 2, 1)
    model = package.load_model(folder / "model")
    samples, rate = soundfile.read(path, dtype="float32")
    of_file, of_array = model.predict(path), model.predict(samples, rate)
    assert of_array.probabilities == pytest.approx(of_file.probabilities, abs=1e-9)
    of_stereo = model.predict(np.column_stack([samples, samples]), rate)
    assert of_stereo.probabilities == pytest.approx(of_file.probabilities, abs=1e-6)
    with pytest.raises(UsageError, match="samples without a rate"):
        model.predict(samples)
    with pytest.raises(UsageError, match=r"samples have the shape \(2, \d+\); expected \(n_samples,\)"):
        model.predict(np.stack([samples, samples]), rate)
    with pytest.raises(ClipError, match="samples reach"):
        model.predict((samples * 32767).astype(np.int16), rate)
    with pytest.raises(ClipError, match="NaN"):
        model.predict(np.full(8000, np.nan), 8000)
    with pytest.raises(ClipError, match="silent"):
        model.predict(np.zeros(8000), 8000)


def bad_files(folder: Path, tone) -> Mapping[str, str]:
    """Write files that cannot be predicted; return name -> a part of the reason."""
    tone("silence.wav", pitch=0)
    (folder / "text.wav").write_text("no audio")
    (folder / "empty.wav").touch()
    nan = np.full(8000, np.nan, dtype=np.float32)
    soundfile.write(folder / "nan.wav", nan, 8000, subtype="FLOAT")
    return {
        "silence.wav": "silent",
        "text.wav": "not decodable",
        "empty.wav": "empty",
        "nan.wav": "NaN",
        "absent.wav": "no such file",
    }


def test_a_bad_recording_is_listed_and_the_others_go_on(folder: Path, bench: Run, take, tone, tmp_path: Path):
    reasons = bad_files(tmp_path, tone)
    good = take("theo", 0, 0)
    done = bench("predict", folder / "model", *reasons, good, "--format", "jsonl")
    answers = {line["file"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert done.exit_code == 1
    assert f"{len(reasons)} of {len(reasons) + 1} recordings without an answer" in done.stderr
    for name, reason in reasons.items():
        assert reason in answers[name]["error"], name
        assert "\n" not in answers[name]["error"]
    assert answers[str(good)]["predicted_label"] == "theo"


def test_a_folder_without_audio_is_listed_and_the_others_go_on(
    folder: Path, bench: Run, take, tmp_path: Path
):
    (tmp_path / "empty").mkdir()
    good = take("theo", 0, 0)
    done = bench("predict", folder / "model", "empty", good, "--format", "jsonl")
    first, second = map(json.loads, done.stdout.splitlines())
    assert done.exit_code == 1
    assert (first["file"], "holds no audio" in first["error"]) == ("empty", True)
    assert second["file"] == str(good)


def test_clipped_audio_and_audio_of_six_channels_are_answered(folder: Path, bench: Run, tmp_path: Path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "six.wav", 0.1 * rng.standard_normal((48_000, 6)), 48_000)
    soundfile.write(tmp_path / "loud.wav", np.clip(3 * rng.standard_normal(16_000), -1, 1), 16_000)
    model = package.load_model(folder / "model")
    assert model.predict("six.wav").remarks == ()
    assert model.predict("loud.wav").remarks == ("clipped",)


def test_a_folder_of_answers_is_resumed_and_never_mixed(folder: Path, bench: Run, take, tmp_path: Path):
    files = [take(speaker, 0, 0) for speaker in SPEAKERS]
    call = ("predict", folder / "model", *files, "--out", "answers")
    assert bench(*call[:-3], "--out", "answers").exit_code == 0
    lines = (tmp_path / "answers" / "predictions.jsonl").read_text().splitlines()
    (tmp_path / "answers" / "predictions.jsonl").write_text("\n".join([*lines[:2], lines[2][:40]]))
    assert "add --resume" in bench(*call).stderr
    assert bench(*call, "--resume").exit_code == 0
    again = [
        json.loads(line) for line in (tmp_path / "answers" / "predictions.jsonl").read_text().splitlines()
    ]
    assert [line["file"] for line in again] == list(map(str, files))
    assert len(pd.read_csv(tmp_path / "answers" / "predictions.csv")) == len(files)
    one = json.loads((tmp_path / "answers" / f"{files[0].stem}.json").read_text())
    assert {**one, "seconds": 0} == {**again[0], "seconds": 0}
    other = bench(*call, "--resume", "--coverage", "0.8")
    assert other.exit_code == 2
    assert "other options" in other.stderr


@pytest.mark.slow
def test_the_same_recordings_give_the_same_answers_in_two_processes(folder: Path, bench: Run, take):
    files = [take(speaker, 0, 0) for speaker in SPEAKERS[:4]]

    one = json.loads(bench("predict", folder / "model", *files).stdout)
    two = json.loads(bench("predict", folder / "model", *files, "--jobs", "2").stdout)
    for first, second in zip(one, two, strict=True):
        assert first["file"] == second["file"]
        assert first["probabilities"] == pytest.approx(second["probabilities"], abs=1e-6)


def test_windows_of_a_recording_have_labels_and_segments(folder: Path, bench: Run, take, tmp_path: Path):
    parts = [soundfile.read(take(speaker, 1, 0))[0] for speaker in ("theo", "jackson")]
    soundfile.write(tmp_path / "both.wav", np.concatenate(parts), 8000)
    done = bench("predict", folder / "model", "both.wav", "--segments", "0.3:0.1", "--out", "answers")
    assert done.exit_code == 0, done.output
    answer = json.loads((tmp_path / "answers" / "both.json").read_text())
    jsonschema.validate(answer, writing.json_schema())
    assert len(answer["windows"]) > len(answer["segments"]) > 1
    assert answer["segments"][-1]["end"] == pytest.approx(answer["duration"], abs=1e-3)
    names = {path.name for path in (tmp_path / "answers").iterdir()}
    assert {"both_segments.csv", "both_audacity.txt", "both.rttm"} <= names
    short = json.loads(bench("predict", folder / "model", "both.wav", "--segments", "0.1").stdout)
    assert short["remarks"] == ["short"]
    assert {window["unfamiliar"] for window in short["windows"]} == {None}


@pytest.mark.parametrize(
    ("words_", "line"),
    [
        (("export", "{}/out", "--task", "gender", "--to", "m"), "--task gender: the run has no such row"),
        (("export", "{}/out", "--row", "mfcc-13,cnn", "--to", "m"), "--row mfcc-13,cnn: no such row"),
        (("export", "{}/out", "--row", "mfcc-13,dummy", "--to", "m"), "is no model of its own"),
        (("export", "{}/out", "--to", "{}/out"), "holds something else than a model"),
        (("export", "nowhere", "--to", "m"), "holds no run.json"),
        (("predict", "nowhere", "a.wav"), "holds no model.json"),
        (("predict", "{}/model"), "FILES: expected one of FILES, --record and --watch"),
        (("predict", "{}/model", "a.wav", "--segments", "0"), "--segments"),
        (("predict", "{}/model", "a.wav", "--figures"), "needs a folder"),
    ],
)
def test_what_cannot_be_done_is_one_line(words_: tuple[str, ...], line: str, folder: Path, bench: Run):
    done = bench(*(word.format(folder) for word in words_))
    assert (done.exit_code, done.stdout) == (2, "")
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_model_replaces_nothing_but_a_model(folder: Path, bench: Run, tmp_path: Path):
    shutil.copytree(folder / "model", tmp_path / "mine")
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    call = ("export", folder / "out", "--row", "mfcc-13,logreg", "--to")
    assert "holds something else than a model" in bench(*call, "mine").stderr
    (tmp_path / "mine" / "notes.txt").unlink()
    assert bench(*call, "mine").exit_code == 0


def test_every_file_of_a_model_has_the_rights_of_the_others(folder: Path):
    rights = {path.name: path.stat().st_mode for path in (folder / "model").iterdir()}
    assert len(set(rights.values())) == 1, rights


def test_a_run_whose_folder_is_gone_is_one_line(folder: Path, bench: Run, tmp_path: Path):
    shutil.copytree(folder / "out", tmp_path / "out")
    record = tmp_path / "out" / "run.json"
    record.write_text(record.read_text().replace(f'"folder": "{folder}"', '"folder": "/gone"'))
    assert '"/gone"' in record.read_text()
    assert "/gone, which is not here" in bench("export", "out", "--to", "m").stderr


def test_a_changed_file_of_a_model_is_refused(folder: Path, bench: Run, tmp_path: Path):
    for name in ("all.skops", "card.json", "familiarity.safetensors"):
        shutil.copytree(folder / "model", tmp_path / name)
        data = (tmp_path / name / name).read_bytes()
        (tmp_path / name / name).write_bytes(data[:-9] + b"0" + data[-8:])
        done = bench("predict", name, "a.wav")
        assert (done.exit_code, f"{name}: was changed" in done.stderr) == (2, True)
    shutil.copytree(folder / "model", tmp_path / "later")
    card = json.loads((tmp_path / "later" / "model.json").read_text())
    (tmp_path / "later" / "model.json").write_text(json.dumps({**card, "schema": 99}))
    assert "schema 99; expected 1; upgrade" in bench("predict", "later", "a.wav").stderr


@pytest.mark.parametrize("name", ["model/evil.py:Evil", "model.evil:Evil", "hear:model.evil"])
def test_a_model_that_brings_code_is_refused_before_it_runs(
    name: str, folder: Path, bench: Run, tmp_path: Path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    model = shutil.copytree(folder / "model", tmp_path / "model")
    (model / "evil.py").write_text("open('ran', 'w').close()\n")
    bundle, card = (json.loads((model / file).read_text()) for file in ("card.json", "model.json"))
    bundle["cell"]["extractor"]["name"] = name
    (model / "card.json").write_text(json.dumps(bundle))
    card["files"]["card.json"] = sha256(model / "card.json")
    (model / "model.json").write_text(json.dumps(card))
    refused = bench("predict", "model", "a.wav")
    assert (refused.exit_code, "its card names the code" in refused.stderr) == (2, True)
    assert not (tmp_path / "ran").exists()


def test_a_model_refuses_another_extractor(folder: Path, bench: Run, tmp_path: Path, monkeypatch):
    real = catalog.load()
    other = {**real.extractors, "mfcc-13": real.extractors["mfcc"]}
    monkeypatch.setattr(catalog, "load", lambda: type(real)(**{**vars_of(real), "extractors": other}))
    done = bench("predict", folder / "model", "a.wav")
    assert done.exit_code == 2
    assert "extractor 'mfcc' here differs from the one it was fitted with in params" in done.stderr


def vars_of(registry: catalog.Registry) -> dict[str, Any]:
    return {name: getattr(registry, name) for name in registry.__dataclass_fields__}


def test_a_head_without_scores_has_labels_alone(folder: Path, bench: Run, take, tmp_path: Path):
    row = ("--row", "mfcc-13,kmeans")
    assert bench("export", folder / "out", *row, "--to", "labels").exit_code == 0
    answer = json.loads(bench("predict", "labels", take("theo", 1, 0)).stdout)
    assert (answer["confidence"], answer["probabilities"], answer["calibrated"]) == (None, {}, False)
    assert answer["predicted_label"] in SPEAKERS


def test_data_that_changed_after_the_run_is_refused(folder: Path, bench: Run, monkeypatch):
    table = (folder / "digits.csv").read_text()
    (folder / "digits.csv").write_text(table.replace(",theo,", ",leo,"))
    done = bench("export", folder / "out", "--to", "m")
    (folder / "digits.csv").write_text(table)
    assert done.exit_code == 2
    assert "cannot be fitted again" in done.stderr


def test_predict_many_lists_a_failure(folder: Path, bench: Run, take):
    model = package.load_model(folder / "model")
    first, second = model.predict_many(["absent.wav", take("theo", 1, 0)])
    assert first == Failure(file="absent.wav", error="absent.wav: no such file")
    assert second.predicted_label == "theo"


def test_a_full_disk_keeps_the_answers_before_it(folder: Path, bench: Run, take, tmp_path: Path, monkeypatch):
    files = [take(speaker, 0, 0) for speaker in SPEAKERS[:3]]
    write = Path.write_text

    def full(path: Path, text: str, **options: Any) -> int:
        if path.name == f"{files[2].stem}.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, text, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        done = bench("predict", folder / "model", *files, "--out", "answers")
    assert done.exit_code == 2
    assert "No space left on device" in done.stderr
    assert "--resume goes on" in done.stderr
    assert bench("predict", folder / "model", *files, "--out", "answers", "--resume").exit_code == 0
    lines = (tmp_path / "answers" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == list(map(str, files))


def test_names_that_differ_by_folder_or_suffix_alone_keep_their_answers(
    folder: Path, bench: Run, take, tmp_path: Path
):
    samples, rate = soundfile.read(take("theo", 0, 0))
    for name in ("a/x.wav", "b/x.wav", "b/x.flac", 'b/Zo\u00eb, "1".wav'):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "in" / name, samples, rate)
    assert bench("predict", folder / "model", "in", "--out", "answers").exit_code == 0
    names = {
        path.relative_to(tmp_path / "answers").as_posix() for path in (tmp_path / "answers").rglob("*/*.json")
    }
    assert names == {"a/x.json", "b/x.json", "b/x.wav.json", 'b/Zo\u00eb, "1".json'}
    table = pd.read_csv(tmp_path / "answers" / "predictions.csv")
    assert sorted(table["file"]) == sorted(
        f"in/{name}" for name in ("a/x.wav", "b/x.wav", "b/x.flac", 'b/Zo\u00eb, "1".wav')
    )


def test_an_explanation_that_does_not_fit_the_head_is_one_line(folder: Path, bench: Run, take):
    call = ("predict", folder / "model", take("theo", 0, 0), "--explain", "gradcam", "--out", "answers")
    done = bench(*call)
    assert done.exit_code == 2
    assert "--explain saliency or occlusion" in done.stderr


def test_what_arrives_in_a_folder_is_answered(folder: Path, bench: Run, take, tmp_path: Path, monkeypatch):
    (tmp_path / "in").mkdir()
    shutil.copy(take("theo", 1, 0), tmp_path / "in")
    looks = iter([None, KeyboardInterrupt])

    def wait(seconds: float) -> None:
        if error := next(looks):
            raise error

    monkeypatch.setattr(watching, "files", partial(watching.files, wait=wait))
    done = bench("predict", folder / "model", "--watch", "in")
    assert done.exit_code == 0
    [line] = done.stdout.splitlines()
    assert json.loads(line)["predicted_label"] == "theo"


def test_a_microphone_records_what_is_then_predicted(folder: Path, bench: Run, tmp_path: Path):
    pytest.importorskip("miniaudio", reason="needs miniaudio")
    done = bench("predict", folder / "model", "--record", "0.2", "--mic", "null", "--out", "answers")
    [path] = (tmp_path / "answers").glob("recording-*.wav")
    assert soundfile.info(path).frames == 3200
    assert (done.exit_code, "silent" in done.stdout) == (1, True)  # the null device hears nothing


def test_a_resumed_folder_has_the_names_of_files_that_it_had(folder: Path, bench: Run, take, tmp_path: Path):
    samples, rate = soundfile.read(take("theo", 0, 0))
    names = ("b/x.flac", "b/x.wav", "c/x.wav", "c/predictions.wav")
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / "in" / name, samples, rate)
    call = ("predict", folder / "model", "in", "--out", "answers")
    assert bench(*call).exit_code == 0
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "answers").rglob("*.json")}
    assert len(files) == len(names) + 1
    lines = tmp_path / "answers" / "predictions.jsonl"
    rest = [line for line in lines.read_text().splitlines() if "b/x.wav" not in line]
    lines.write_text("\n".join(rest) + "\n")
    assert bench(*call, "--resume").exit_code == 0
    after = {path: path.stat().st_mtime_ns for path in (tmp_path / "answers").rglob("*.json")}
    assert after.keys() == files.keys()
    assert [path.name for path in files if after[path] != files[path]] == ["x.wav.json"]


def test_a_folder_of_other_files_gets_no_answers(folder: Path, bench: Run, take, tmp_path: Path):
    (tmp_path / "0_theo_0.txt").write_text("zero")
    refused = bench("predict", folder / "model", take("theo", 0, 0), "--out", ".")
    assert (refused.exit_code, "holds other files" in refused.stderr) == (2, True)


def test_pictures_that_an_end_in_the_middle_left_out_are_drawn_by_resume(
    folder: Path, bench: Run, take, tmp_path: Path, monkeypatch
):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    call = ("predict", folder / "model", take("theo", 0, 0), "--figures", "--out", "answers")
    with monkeypatch.context() as patch:
        patch.setattr("bench.inference.pictures.draw", stop)
        assert bench(*call).exit_code == 1
    assert bench(*call, "--resume").exit_code == 0
    assert len(list((tmp_path / "answers").glob("*.png"))) == 2
