import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from bench import datasets, display
from bench.datasets.kinds import demo
from bench.errors import UsageError, shortlist
from bench.types import Card, Dataset


def open_(path: Path, label: str = "class"):
    return datasets.from_path(path, label).with_leftovers()


def notes(dataset: Dataset) -> tuple[str, ...]:
    return tuple(map(display.note, dataset.notes))


def test_a_folders_classes_are_its_label_at_any_depth(tone, tmp_path: Path):
    for name in ("voices/dog/a.wav", "voices/dog/deep/b.WAV", "voices/cat/a.wav", "voices/loose.wav"):
        tone(name)
    for name in ("cat/notes.txt", "cat/README", "dog/a.m4a", "dog/._a.wav", "dog/.hidden/a.wav"):
        (tmp_path / "voices" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "voices" / name).write_text("no audio")
    dataset = open_(tmp_path / "voices", "animal")
    assert dataset.table["clip"].tolist() == ["cat/a.wav", "dog/a.wav", "dog/deep/b.WAV"]
    assert dataset.table["animal"].tolist() == ["cat", "dog", "dog"]
    assert dataset.name == "voices"
    assert notes(dataset) == (
        "Files left out that are not audio: 1 .txt, 1 README.",
        "Audio files left out: 1 .m4a, 1 .wav, 1 .wav hidden.",
    )


def test_audio_that_is_not_in_a_data_set_is_counted_in_every_layout(tone, tmp_path: Path):
    root = tmp_path / "tree"
    for side in ("train", "test"):
        for name in ("zero/a.wav", "one/b.wav", ".c.wav"):
            tone(f"tree/{side}/{name}")
    (root / "train" / "two").mkdir()
    (root / "train" / "two" / "d.ra").write_bytes(b"x")
    (root / "test" / "two" / "deep").mkdir(parents=True)
    (root / "test" / "two" / "deep" / "d.ra").write_bytes(b"x")
    line = "Audio files left out: 2 .ra, 2 .wav hidden; no clip is in test/two, train/two."
    assert notes(open_(root)) == (line,)
    (root / "clips.csv").write_text("path,class\ntrain/zero/a.wav,zero\ntest/one/b.wav,one\n")
    line = (
        "Audio files left out: 2 .ra, 2 .wav, 2 .wav hidden; no clip is in test/two, test/zero, train/one, "
    )
    assert notes(open_(root / "clips.csv")) == (f"{line}train/two.",)
    (tmp_path / "apart.csv").write_text("path,class\ntree/../tree/train/zero/a.wav,zero\n")
    assert notes(open_(tmp_path / "apart.csv"))[0].startswith("Audio files left out: 2 .ra, 3 .wav,")
    (root / "metadata.csv").write_text("file_name,kind\ntrain/zero/a.wav,x\n")
    assert notes(open_(root))[0].startswith("Audio files left out: 2 .ra, 3 .wav, 2 .wav hidden; no clip")
    card = Card(
        "m", "files", "1", "", source=str(tmp_path / "m.toml"), params={"path": "tree", "pattern": PATTERN}
    )
    assert notes(datasets.from_card(card, tmp_path).with_leftovers()) == (
        "Audio files left out: 2 .ra, 2 .wav hidden; no clip is in test/two, train/two.",
    )


PATTERN = r"\w+/(?P<kind>zero|one)/\w\.wav"


def test_a_table_elsewhere_counts_what_lies_beside_its_files(tone, tmp_path: Path):
    for name in ("audio/a.wav", "audio/b.wav", "audio/deep/c.wav"):
        tone(name)
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "clips.csv").write_text("path,kind\n../audio/a.wav,x\n")
    assert notes(open_(tmp_path / "lists" / "clips.csv")) == ("Audio files left out: 1 .wav.",)


def test_a_folder_of_no_classes_is_embedded_whole(tone, bench, tmp_path: Path):
    for name in ("flat/a.wav", "flat/b.flac", "flat/deep/c.wav", "flat/.d.wav"):
        tone(name)
    done = bench("embed", tmp_path / "flat", "--extractors", "mfcc-13", "--out", tmp_path / "x.parquet")
    assert done.exit_code == 0, done.output
    assert pd.read_parquet(tmp_path / "x.parquet")["clip"].tolist() == ["a.wav", "b.flac", "deep/c.wav"]


def test_a_folder_without_audio_says_what_is_expected(tmp_path: Path):
    (tmp_path / "voices").mkdir()
    with pytest.raises(
        UsageError, match=r"voices: holds no audio; expected files \(\.wav, .* in a folder per class"
    ):
        open_(tmp_path / "voices")


def test_an_audio_folder_has_its_splits_as_folds(tone, tmp_path: Path):
    for name in ("train/dog/a.wav", "train/cat/a.wav", "validation/dog/b.wav", "test/cat/c.wav"):
        tone(f"pets/{name}")
    table = open_(tmp_path / "pets").table.set_index("clip")
    assert table["class"].to_dict() == {
        "test/cat/c.wav": "cat",
        "train/cat/a.wav": "cat",
        "train/dog/a.wav": "dog",
        "validation/dog/b.wav": "dog",
    }
    assert table["fold"].tolist() == ["test", "train", "train", "dev"]


def test_an_audio_folder_without_a_test_split_tests_dev(tone, tmp_path: Path):
    for name in ("train/dog/a.wav", "train/cat/a.wav", "valid/dog/b.wav"):
        tone(f"pets/{name}")
    assert open_(tmp_path / "pets").table["fold"].tolist() == ["train", "train", "test"]


@pytest.mark.parametrize("folders", [["train", "test"], ["data"]])
def test_an_audio_folder_has_the_labels_of_its_metadata(folders: list[str], tone, tmp_path: Path):
    for number, folder in enumerate(folders):
        tone(f"pets/{folder}/a.wav")
        row = {"file_name": "a.wav", "animal": "cat", "age": number}
        (tmp_path / "pets" / folder / "metadata.jsonl").write_text(json.dumps(row))
    table = open_(tmp_path / "pets").table
    assert sorted(table["clip"]) == sorted(f"{folder}/a.wav" for folder in folders)
    assert set(table["animal"]) == {"cat"}
    assert ("fold" in table) == (len(folders) > 1)


def test_a_folder_of_classes_may_hold_another_metadata_file(tone, tmp_path: Path):
    for name in ("dog/a.wav", "cat/a.wav"):
        tone(f"pets/{name}")
    (tmp_path / "pets" / "metadata.csv").write_text("who,when\nme,today\n")
    (tmp_path / "pets" / "dog" / "metadata.jsonl").write_text("{no json")
    assert open_(tmp_path / "pets").table["class"].tolist() == ["cat", "dog"]


def test_tables_of_audformat_are_manifests_and_can_be_joined(take, tmp_path: Path):
    names = [take("theo", 0, 0), take("lucas", 1, 0)]
    (tmp_path / "db.digit.csv").write_text(
        f"file,start,end,digit\n{names[0]},0 days 00:00:00.1,0 days 00:00:00.2,0\n{names[1]},0 days,,1\n"
    )
    (tmp_path / "db.files.csv").write_text(f"file,speaker\n{names[1]},lucas\n{names[0]},theo\n")
    (tmp_path / "db.speaker.csv").write_text("speaker,gender\ntheo,m\nlucas,m\njackson,m\n")
    dataset = open_(tmp_path / "db.digit.csv")
    assert [(clip.start, clip.end) for clip in dataset.clips()] == [(0.1, 0.2), (0.0, None)]
    params = {
        "path": "db.digit.csv",
        "tables": [
            {"file": "db.files.csv", "on": "path", "key": "file"},
            {"file": "db.speaker.csv", "on": "speaker"},
        ],
        "values": {"gender": {"m": "male"}},
    }
    card = Card("mine", "path", "1", "", source=str(tmp_path / "mine.toml"), params=params)
    table = datasets.from_card(card, tmp_path).table
    assert table["speaker"].tolist() == ["theo", "lucas"]
    assert table["gender"].tolist() == ["male", "male"]
    (tmp_path / "db.yaml").touch()
    with pytest.raises(UsageError, match=r"is an audformat database with no tables"):
        open_(tmp_path)


@pytest.mark.parametrize(
    ("table", "more", "message"),
    [
        ("x,y\na,1\n", {}, "no 'speaker' in the data or no 'speaker' in the columns x, y"),
        ("speaker,digit\ntheo,1\n", {}, "the data have digit already"),
        ("speaker,y\ntheo,1\ntheo,2\n", {}, "speaker 'theo' is a duplicate"),
        ("speaker,y\nlucas,1\n", {}, "does not list speaker 'theo'"),
        ("speaker,y\ntheo,1\n", {"values": {"z": {}}}, "params: there is no column 'z'"),
        (
            "speaker;y\ntheo;1\n",
            {"sep": ";"},
            "params: tables: 'sep' .*file, on, key, columns, separator, rename",
        ),
    ],
)
def test_a_table_that_cannot_be_joined_is_named(table: str, more: dict, message: str, take, tmp_path: Path):
    (tmp_path / "clips.csv").write_text(f"path,digit,speaker\n{take('theo', 0, 0)},0,theo\n")
    (tmp_path / "more.csv").write_text(table)
    values = {"values": more.pop("values")} if "values" in more else {}
    params = {"path": "clips.csv", "tables": [{"file": "more.csv", "on": "speaker", **more}], **values}
    card = Card("mine", "path", "1", "", source=str(tmp_path / "mine.toml"), params=params)
    with pytest.raises(UsageError, match=message):
        datasets.from_card(card, tmp_path)


def test_a_card_may_rename_columns_and_leave_out_labels(take, tmp_path: Path):
    rows = [f"{take('theo', n, 0)},{kind}" for n, kind in enumerate(("wind", "rain", "crowd"))]
    (tmp_path / "clips.csv").write_text("\n".join(["path,kind", *rows]))
    changes = {"rename": {"kind": "noise_kind"}, "drop": {"noise_kind": ["rain", "wind"]}}
    card = Card(
        "m", "path", "1", "", source=str(tmp_path / "m.toml"), params={"path": "clips.csv", **changes}
    )
    dataset = datasets.from_card(card, tmp_path)
    assert dataset.table["noise_kind"].tolist() == ["crowd"]
    assert dataset.location(0).endswith("clips.csv:4")
    assert notes(dataset)[-1] == "Clips left out: 2 with the noise_kind rain, wind."


def test_nothing_there_says_what_is_expected(tmp_path: Path):
    with pytest.raises(UsageError, match="nowhere: does not exist; expected a folder"):
        open_(tmp_path / "nowhere")
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(UsageError, match=r"text.txt: is no folder and no manifest"):
        open_(tmp_path / "text.txt")


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "clips.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_manifest_keeps_labels_as_they_are_written(tmp_path: Path):
    text = "\ufeffpath, speaker,start,end,note\na.wav ,007 ,,,NA\n\nb.wav,1e3,0.5,2,None\nsub/b.wav,nan,1,,\n"
    dataset = open_(write(tmp_path, text))
    assert dataset.table["speaker"].tolist() == ["007", "1e3", "nan"]
    assert dataset.table["note"].tolist() == ["NA", "None", ""]
    assert dataset.table["clip"].tolist() == ["a.wav", "b.wav#0.5-2", "sub/b.wav#1"]
    assert [(clip.start, clip.end) for clip in dataset.clips()] == [(None, None), (0.5, 2.0), (1.0, None)]
    assert dataset.clips()[2].path == tmp_path / "sub/b.wav"
    assert dataset.location(1).endswith("clips.csv:4")


def test_a_parquet_manifest_is_read_as_a_csv_is(tmp_path: Path):
    table = pd.DataFrame(
        {"path": ["a.wav", "b.wav"], "speaker": [7, 8], "end": [1.5, None], "kind": ["x", None]}
    )
    table.to_parquet(tmp_path / "clips.parquet")
    dataset = open_(tmp_path / "clips.parquet")
    assert dataset.table["speaker"].tolist() == ["7", "8"]
    assert dataset.table["kind"].tolist() == ["x", ""]
    assert [clip.end for clip in dataset.clips()] == [1.5, None]


def test_windows_of_a_file_are_one_recording(tmp_path: Path):
    dataset = open_(write(tmp_path, "path,start,end,speaker\na.wav,0,1,x\na.wav,1,2,x\nb.wav,0,1,y\n"))
    assert dataset.table["recording"].nunique() == 2


def test_recordings_are_called_alike_wherever_they_lie(tmp_path: Path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    text = "path,speaker\na/1.wav,x\na/2.wav,x\nb/1.wav,y\n"
    here, there = (open_(write(tmp_path / name, text)) for name in ("here", "there"))
    assert here.table["recording"].tolist() == ["a/1.wav", "a/2.wav", "b/1.wav"]
    assert there.table["recording"].tolist() == here.table["recording"].tolist()


def test_windows_late_in_a_long_file_have_names_of_their_own(tmp_path: Path):
    dataset = open_(write(tmp_path, "path,start\na.wav,36000.25\na.wav,36000.26\n"))
    assert dataset.table["clip"].tolist() == ["a.wav#36000.25", "a.wav#36000.26"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sound,gender\na.wav,f\n", r"clips.csv: has no column 'path' .columns: sound, gender."),
        ("path,gender\n", "clips.csv: holds no clips"),
        ("path,gender\na.wav,f\n,m\n", "clips.csv:3: has no path"),
        (
            "path,gender\na.wav,f\n./a.wav,m\n",
            r"clips.csv:3: path '.*a.wav' .*clips.csv:2",
        ),
        ("clip,path\nx,a.wav\nx,b.wav\n", r"clips.csv:3: clip 'x' .*clips.csv:2"),
        ("path,start\na.wav,soon\n", "clips.csv:2: column 'start' .*expected seconds"),
        ("path,start\na.wav,0\nb.wav,-1\n", "clips.csv:3: column 'start' is -1; expected seconds from 0 up"),
        ("path,end\na.wav,inf\n", "clips.csv:2: column 'end' is inf; expected seconds from 0 up"),
        ("path,gender\na.wav,f,too,many\n", "clips.csv: cannot be read as a table"),
        ('path,gender\n"a.wav,f\n', "clips.csv: cannot be read as a table"),
        ("", "clips.csv: cannot be read as a table"),
    ],
)
def test_a_bad_manifest_names_its_line(text: str, message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message) as caught:
        open_(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_manifest_that_is_not_there_or_not_parquet_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"none.csv: no such file"):
        open_(tmp_path / "none.csv")
    (tmp_path / "a.parquet").write_text("no parquet")
    with pytest.raises(UsageError, match=r"a.parquet: cannot be read as a table"):
        open_(tmp_path / "a.parquet")


def test_librispeech_is_recognised_from_a_subset_and_from_its_root(real: Path):
    subset = open_(real / "LibriSpeech" / "train-clean-100")
    assert (subset.name, len(subset.table), subset.table["speaker"].nunique()) == (
        "train-clean-100",
        251,
        251,
    )
    assert subset.table["gender"].value_counts().to_dict() == {"male": 126, "female": 125}
    root = open_(real / "LibriSpeech")
    assert (root.name, len(root.table)) == ("LibriSpeech", 351)
    assert set(root.table["subset"]) == {"train-clean-100", "test-other"}
    assert set(subset.table["clip"]) < set(root.table["clip"])
    row = root.table.set_index("clip").loc["1688-142285-0000"]
    assert (row["speaker"], row["session"], row["gender"]) == ("1688", "142285", "male")


def test_librispeech_without_speakers_has_no_gender(tmp_path: Path):
    path = tmp_path / "dev-clean/84/121123/84-121123-0000.flac"
    path.parent.mkdir(parents=True)
    path.touch()
    assert "gender" not in open_(tmp_path / "dev-clean").labels
    (tmp_path / "SPEAKERS.TXT").write_text("; comment\n14 | F | train | 25.03 | Someone\n")
    with pytest.raises(UsageError, match=r"SPEAKERS.TXT: does not list speaker 84"):
        open_(tmp_path / "dev-clean")


@pytest.fixture(scope="module")
def corpus(home: Path):
    return demo.load(home, "1")


def test_the_demo_corpus_is_as_promised(corpus):
    table = corpus.table
    assert len(table) == 240
    assert table.groupby("gender")["speaker"].nunique().to_dict() == {"female": 10, "male": 10}
    assert (table.groupby("speaker")["session"].nunique() == 3).all()
    assert table["noise"].value_counts().to_dict() == {"clean": 120, "noisy": 120}
    assert set(table["noise_kind"]) == {"none", "white", "pink", "hum", "babble", "engine", "clicks"}
    assert set(table["snr_db"]) == {"none", "0", "5", "10", "15", "20"}
    assert {"phrase"} < set(corpus.labels)
    seconds = [soundfile.info(path).duration for path in table["path"]]
    assert 1.5 < min(seconds) < max(seconds) < 3.5
    # No label gives another one away.
    for label in ("gender", "speaker", "phrase"):
        assert (pd.crosstab(table[label], table["noise"], normalize="index") == 0.5).all(axis=None)


def test_the_demo_corpus_is_the_same_wherever_it_is_made(corpus, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(demo, "N_SPEAKERS", 2)
    again = demo.load(tmp_path, "1").table
    assert len(again) == 24
    for one, other in zip(corpus.table["path"], again["path"], strict=False):
        assert Path(one).read_bytes() == Path(other).read_bytes()


def test_the_demo_corpus_is_made_once(corpus, home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(demo, "make", lambda folder: pytest.fail("made again"))
    assert demo.load(home, "1").table.equals(corpus.table)


def test_a_corpus_whose_making_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(folder: Path) -> None:
        (folder / "half.wav").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "make", fail)
    with pytest.raises(KeyboardInterrupt):
        demo.load(tmp_path, "1")
    assert list(tmp_path.iterdir()) == []


def test_two_processes_may_make_the_corpus_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def overtaken(folder: Path) -> None:
        for copy in (folder, tmp_path / "demo-1"):
            copy.mkdir(exist_ok=True)
            (copy / "clips.csv").write_text("path,speaker\na.wav,x\n")

    monkeypatch.setattr(demo, "make", overtaken)
    assert len(demo.load(tmp_path, "1").table) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["demo-1"]


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.5])
def test_a_mixture_has_the_declared_snr(snr_db: float):
    rng = np.random.default_rng(0)
    speech, noise = rng.normal(size=8000), 7 * rng.normal(size=8000)
    added = demo.mix(speech, noise, snr_db) - speech
    assert 10 * np.log10(np.mean(speech**2) / np.mean(added**2)) == pytest.approx(snr_db)


def test_women_of_the_demo_corpus_have_higher_voices(corpus):
    import librosa

    rows = corpus.table[corpus.table["noise"] == "clean"].groupby("speaker").head(1)
    pitch = {"female": [], "male": []}
    for path, gender in zip(rows["path"], rows["gender"], strict=True):
        samples, rate = soundfile.read(path)
        f0 = librosa.yin(samples, fmin=60, fmax=400, sr=rate)
        pitch[gender].append(np.median(f0))
    assert np.median(pitch["female"]) > 1.3 * np.median(pitch["male"])


def card(**fields: object) -> Card:
    return Card(
        **{"name": "mine", "kind": "demo", "version": "1", "about": "", "source": "mine.toml", **fields}
    )


def test_a_card_gives_its_name_version_and_mark(home: Path, corpus):
    dataset = datasets.from_card(card(synthetic=True), home)
    assert (dataset.name, dataset.version, dataset.synthetic) == ("mine", "1", True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "dmo"}, "mine.toml: kind 'dmo' is unknown; expected one of demo"),
        ({"params": {"n": 1}}, "mine.toml: params: 'n' is unknown; expected no params"),
    ],
)
def test_a_bad_card_is_refused(fields: dict[str, object], message: str, home: Path):
    with pytest.raises(UsageError, match=message):
        datasets.from_card(card(**fields), home)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, r"mine\.toml: params: 'path' is missing; expected path"),
        ({"path": ".", "renames": {}}, r"params: 'renames' .*path, tables, rename, values, drop, segment"),
        ({"path": ".", "where": "x"}, r"params: 'where' is unknown"),
        ({"path": ".", "card": "x"}, r"params: 'card' is unknown"),
    ],
)
def test_a_param_that_a_kind_does_not_take_names_the_ones_it_takes(params: dict, message: str, home: Path):
    with pytest.raises(UsageError, match=message):
        datasets.from_card(card(kind="path", params=params), home)


def test_a_home_that_cannot_be_written_says_how_to_choose_another(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file: cannot be written .*set BENCH_CACHE"):
        datasets.from_card(card(), tmp_path / "file")


def test_long_lists_are_cut():
    assert shortlist([]) == ""
    assert shortlist(["b", "a"]) == "a, b"
    assert shortlist(set("gfedcba")) == "a, b, c, d, e and 2 more"
