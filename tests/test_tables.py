"""What a table or a folder means: split words, spellings, separators, and what is beside the clips."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench import datasets, display, splits
from bench.datasets.columns import LABELS, PATHS
from bench.datasets.folds import SIDES
from bench.errors import UsageError
from bench.types import Card, Dataset, Task

GENDER = Task("gender", "gender", ("speaker",), ("accuracy",))


def written(folder: Path, text: str, name: str = "clips.csv") -> Dataset:
    (folder / name).write_text(text)
    return datasets.from_path(folder / name, "class")


def voices(words: list[str], column: str = "fold") -> str:
    """Return a table of one clip per word, each of another speaker, of two genders in turn."""
    rows = [f"{number}.wav,s{number},{'fm'[number // 2 % 2]},{word}" for number, word in enumerate(words)]
    return "\n".join([f"path,speaker,gender,{column}", *rows])


@pytest.mark.parametrize("train", ["train", "Training", "TRAIN"])
@pytest.mark.parametrize(("test", "dev"), [("test", "val"), ("Testing", "devel"), ("eval", "Validation")])
@pytest.mark.parametrize("column", ["fold", "split", "Fold", "SPLIT"])
def test_words_for_the_sides_of_a_split_mean_the_same(
    train: str, test: str, dev: str, column: str, tmp_path: Path
):
    clips = written(tmp_path, voices([train, test, train, test, dev], column))
    split = splits.make(clips, GENDER, "")
    assert (split.name, split.fold.tolist()) == ("fixed", ["train", "test", "train", "test", "dev"])


def test_other_folds_keep_their_names(tmp_path: Path):
    clips = written(tmp_path, voices(["a", "b", "a", "b"]))
    assert splits.make(clips, GENDER, "").fold.tolist() == ["a", "b", "a", "b"]


@pytest.mark.parametrize("words", [["train", "3", "train", "3"], ["training", "foo", "training", "foo"]])
@pytest.mark.parametrize("column", ["fold", "split"])
def test_words_that_do_not_go_together_are_refused(words: list[str], column: str, tmp_path: Path):
    message = (
        rf"clips\.csv: column 'fold': the folds {words[0]} and {words[1]} do not go together; expected train"
    )
    with pytest.raises(UsageError, match=message) as caught:
        splits.make(written(tmp_path, voices(words, column)), GENDER, "")
    assert "\n" not in str(caught.value)


def test_folds_with_names_may_have_clips_that_are_not_used(tmp_path: Path):
    clips = written(tmp_path, voices(["1", "2", "1", "2", "Validation"]))
    assert splits.make(clips, GENDER, "").fold.tolist() == ["1", "2", "1", "2", "dev"]


def test_a_split_of_a_partly_labelled_table_is_written_and_read(tmp_path: Path):
    rows = [f"{n}.wav,s{n},{('f', 'm', '')[n % 3]}" for n in range(12)]
    clips = written(tmp_path, "\n".join(["path,speaker,gender", *rows]))
    split = splits.make(clips, GENDER, "cv:2")
    splits.listing(split, clips, "clip").to_csv(tmp_path / "folds.csv", index=False)
    assert (splits.make(clips, GENDER, str(tmp_path / "folds.csv")).fold == split.fold).all()


def test_a_list_of_folds_has_the_same_words(tmp_path: Path):
    clips = written(tmp_path, voices(["1", "2", "1", "2"]))
    listing = tmp_path / "folds.csv"
    listing.write_text("clip,fold\n0.wav,Training\n1.wav,eval\n2.wav,Training\n3.wav,eval\n")
    assert splits.make(clips, GENDER, str(listing)).fold.tolist() == ["train", "test", "train", "test"]
    listing.write_text("clip,Split\n0.wav,Training\n1.wav,eval\n2.wav,4\n3.wav,eval\n")
    with pytest.raises(UsageError, match=r"folds\.csv: the folds Training, eval and 4 do not go together"):
        splits.make(clips, GENDER, str(listing))


def test_two_columns_of_folds_must_agree(tmp_path: Path):
    text = "path,gender,speaker,fold,split\na.wav,f,a,train,Training\nb.wav,m,b,test,{}\n"
    assert written(tmp_path, text.format("eval")).notes == ()
    with pytest.raises(
        UsageError, match=r"clips\.csv:3: column 'fold' is 'test' and column 'split' is 'val'"
    ):
        written(tmp_path, text.format("val"))
    assert "fold" not in written(tmp_path, "path,split\na.wav,train\nb.wav,train\n").labels


@pytest.mark.parametrize(
    "beside", ["__MACOSX/train/zero/._0.wav", "models/net.pt", "csv/train.csv", "empty/"]
)
@pytest.mark.parametrize(
    "parts", [("train", "test"), ("Training", "eval"), ("fold1", "fold2"), ("Fold 1", "fold-02")]
)
def test_folders_without_audio_beside_splits_and_folds_do_not_count(
    parts: tuple[str, str], beside: str, tone: Callable[..., Path], tmp_path: Path
):
    for part in parts:
        for name in ("zero", "one"):
            tone(f"tree/{part}/{name}/0.wav", seconds=0.01)
    place = tmp_path / "tree" / beside
    (place if beside.endswith("/") else place.parent).mkdir(parents=True)
    if not beside.endswith("/"):
        place.write_text("")
    table = datasets.from_path(tmp_path / "tree", "class").table
    assert table["class"].tolist() == ["one", "zero", "one", "zero"] or set(table["class"]) == {"one", "zero"}
    assert set(table["fold"]) == ({"1", "2"} if "old" in parts[0] else {"train", "test"})


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("train", "test", "extra"),
            "holds test, train and extra, all with audio; expected folders of splits or",
        ),
        (("fold1", "fold2", "noise"), "holds fold1, fold2 and noise"),
        (("train", "test", "fold1"), "holds test, train and fold1"),
    ],
)
def test_folders_of_which_some_are_no_splits_are_refused(
    names: tuple[str, ...], message: str, tone: Callable[..., Path], tmp_path: Path
):
    for name in names:
        tone(f"tree/{name}/zero/0.wav", seconds=0.01)
    with pytest.raises(UsageError, match=message) as caught:
        datasets.from_path(tmp_path / "tree", "class")
    assert "list the clips in a CSV" in str(caught.value)


def test_a_split_without_audio_that_is_read_is_named(tone: Callable[..., Path], tmp_path: Path):
    for name in ("train/zero/0.wav", "train/one/0.wav", "test/zero/0.wav"):
        tone(f"tree/{name}", seconds=0.01)
    for name in ("train/two", "test/one"):
        (tmp_path / "tree" / name).mkdir()
        (tmp_path / "tree" / name / "0.xyz").touch()
    notes = list(map(display.note, datasets.from_path(tmp_path / "tree", "class").notes))
    assert [note.rpartition(": ")[2] for note in notes] == ["1 .xyz.", "1 .xyz."]
    assert [note.partition(":")[0] for note in notes] == ["test", "train"]
    (tmp_path / "tree" / "test" / "zero" / "0.wav").unlink()
    with pytest.raises(UsageError, match="test: holds no audio; expected"):
        datasets.from_path(tmp_path / "tree", "class")


@pytest.mark.parametrize("names", [("train", "bus", "car"), ("fold1", "crease"), ("test", "dog")])
def test_a_class_may_be_called_as_a_split_is(
    names: tuple[str, ...], tone: Callable[..., Path], tmp_path: Path
):
    for name in names:
        tone(f"tree/{name}/0.wav", seconds=0.01)
    dataset = datasets.from_path(tmp_path / "tree", "class")
    assert sorted(dataset.table["class"]) == sorted(names)
    assert "fold" not in dataset.labels


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("path,label", {"class": "x"}),
        ("filename,class_name", {"class": "x"}),
        ("Path,Category", {"class": "x"}),
        ("file_name,target", {"class": "x"}),
        ("audio,Class", {"class": "x"}),
        ("File,Speaker", {"speaker": "x"}),
        ("wav,client_id", {"speaker": "x"}),
        ("file path,Subject ID", {"speaker": "x"}),
        ("path,session-id", {"session": "x"}),
        ("path,Recording", {"recording": "x"}),
        ("path,Sex", {"gender": "x"}),
    ],
)
def test_other_spellings_of_columns_are_read_and_noted(header: str, columns: dict[str, str], tmp_path: Path):
    dataset = written(tmp_path, f"{header}\na.wav,x\nb.wav,x\n")
    [(name, value)] = columns.items()
    assert dataset.table[name].tolist() == [value, value]
    column = header.split(",")[1]
    assert column in dataset.labels
    if name != "recording":
        [note] = dataset.notes
        assert display.note(note) == f"Columns also read under another name: {column} as {name}."


def test_a_declared_name_goes_before_its_other_spellings(tmp_path: Path):
    dataset = written(tmp_path, "path,file,class,label,category\na.wav,z,1,2,3\n")
    assert dataset.table["class"].tolist() == ["1"]
    assert dataset.notes == ()


def test_near_misses_are_named(tmp_path: Path):
    [note] = written(tmp_path, "path,speakr,gender\na.wav,x,f\n").notes
    assert display.note(note) == "Column 'speakr' is a label; rename it if it is the speaker."
    for header in ("pathh,gender", "sound,gender"):
        name = header.split(",")[0]
        with pytest.raises(
            UsageError, match=rf"has no column 'path' \(columns: {header[:5]}.*; rename '{name}' to"
        ):
            written(tmp_path, f"{header}\na.wav,f\n")


TABLES = {
    "semicolon.csv": b"path;start;end;gender\na.wav;0,5;1,25;f\n",
    "tab.csv": b"path\tstart\tend\tgender\na.wav\t0.5\t1.25\tf\n",
    "tab.tsv": b"path\tstart\tend\tgender\na.wav\t0,5\t1,25\tf\n",
    "quoted.tsv": b'"path"\t"start"\t"end"\t"gender"\n"a.wav"\t"0.5"\t"1.25"\t"f"\n',
    "bom.csv": b"\xef\xbb\xbfpath,start,end,gender\r\na.wav,0.5,1.25,f\r\n",
    "comma.csv": b'path,start,end,gender\na.wav,"0,5","1,25",f\n',
    "utf16.tsv": "path\tstart\tend\tgender\na.wav\t0,5\t1,25\tf\n".encode("utf-16"),
}


@pytest.mark.parametrize("name", TABLES)
def test_separators_decimal_commas_and_marks_are_read(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(TABLES[name])
    dataset = datasets.from_path(tmp_path / name, "class")
    [clip] = dataset.clips()
    assert (clip.path, clip.start, clip.end) == (tmp_path / "a.wav", 0.5, 1.25)
    assert dataset.table["gender"].tolist() == ["f"]


def test_paths_of_windows_are_paths(tone: Callable[..., Path], tmp_path: Path):
    tone("sub/a.wav", seconds=0.01)
    tone("b\\c.wav", seconds=0.01)
    dataset = written(tmp_path, "path,gender\nsub\\a.wav,f\nb\\c.wav,m\n")
    assert all(clip.path.is_file() for clip in dataset.clips())
    assert dataset.table["clip"].tolist() == ["b\\c.wav", "sub/a.wav"]


def test_a_card_renames_the_column_of_the_files_before_it_is_looked_for(tmp_path: Path):
    (tmp_path / "clips.csv").write_text("sound,who,from\na.wav,x,0.5\n")
    params = {"path": "clips.csv", "rename": {"sound": "path", "who": "speaker", "from": "start"}}
    dataset = datasets.from_card(
        Card("m", "path", "1", "", source=str(tmp_path / "m.toml"), params=params), tmp_path
    )
    [clip] = dataset.clips()
    assert (clip.path, clip.start) == (tmp_path / "a.wav", 0.5)
    assert dataset.labels == ["speaker", "recording"]


def test_the_tables_of_a_card_may_have_their_audio_elsewhere(tone: Callable[..., Path], tmp_path: Path):
    for name in ("a", "b", "n"):
        tone(f"far/{name}.wav", seconds=0.1, pitch=200.0 + ord(name))
    (tmp_path / "clips.csv").write_text("path,speaker\na.wav,x\nb.wav,y\n")
    (tmp_path / "noise.csv").write_text("path,class\nn.wav,x\na.wav,y\n")
    params = {
        "path": {"path": "clips.csv"},
        "mixture": {"speech": "clips.csv", "noise": "noise.csv", "folds": 2},
    }
    for kind, fields in params.items():
        card = Card("m", kind, "1", "", source=str(tmp_path / "m.toml"), params=fields)
        dataset = datasets.from_card(card, tmp_path, tmp_path / "far")
        assert all(file.is_file() for clip in dataset.clips() for file in clip.files)


def test_only_declared_columns_change_the_audio(tmp_path: Path):
    dataset = written(tmp_path, "path,seconds,noise_path,noise_start,mix_db\na.wav,3.5,n.wav,0,-5\n")
    [clip] = dataset.clips()
    assert (clip.seconds, clip.noise) == (None, None)
    assert {"seconds", "noise_path", "noise_start", "mix_db"} < set(dataset.labels)
    header = "path,audio.seconds,audio.noise_path,audio.noise_start,audio.snr_db"
    one, other = written(tmp_path, f'{header}\na.wav,"3,5",n.wav,0,-5\nb.wav,,,,\n').clips()
    assert (one.seconds, one.noise.path, one.noise.snr_db) == (3.5, tmp_path / "n.wav", -5.0)
    assert (other.seconds, other.noise) == (None, None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,audio.noise_path\na.wav,n.wav\n",
            r"has no column audio\.noise_start, audio\.snr_db; expected",
        ),
        (
            "path,audio.noise_path,audio.noise_start,audio.snr_db\na.wav,n.wav,,3\n",
            r"clips\.csv:2: has no audio\.noise_start or no audio\.snr_db",
        ),
        ("path,audio.seconds\na.wav,long\n", r"clips\.csv:2: column 'audio\.seconds' is not a number"),
    ],
)
def test_a_column_that_changes_the_audio_is_checked(text: str, message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        written(tmp_path, text)


def test_clips_without_a_label_are_left_out_of_the_task(tmp_path: Path):
    rows = [f"{n:02}.wav,s{n},{('f', 'm', '')[n % 3]},{n % 2}" for n in range(30)]
    clips = written(tmp_path, "\n".join(["path,speaker,gender,class", *rows]))
    y = splits.target(clips, GENDER)
    split = splits.make(clips, GENDER, "cv:5", [""] * 30)
    assert set(split.fold[y == ""]) == {"dev"}
    used = sorted(row for _, _, test in split.rounds() for row in test)
    assert used == [row for row in range(30) if row % 3 != 2]
    without = splits.make(
        written(tmp_path, "\n".join(["path,speaker,gender,class", *rows[:2], *rows[3:5]])), GENDER, "cv:2"
    )
    assert set(without.fold) == {"0", "1"}
    permuted = splits.permute_labels(y, split)
    assert ((permuted == "") == (y == "")).all()
    assert pd.Series(permuted).value_counts().to_dict() == pd.Series(y).value_counts().to_dict()


def test_a_task_with_too_few_labels_says_how_many_clips_have_none(tmp_path: Path):
    rows = [f"{n}.wav,s{n},{'fm'[n % 2] if n < 4 else ''}" for n in range(30)]
    clips = written(tmp_path, "\n".join(["path,speaker,gender", *rows]))
    with pytest.raises(
        Exception, match=r"4 groups are fewer than 5 folds.*\(26 of 30 clips have no gender\)"
    ):
        splits.make(clips, GENDER, "cv:5")


def test_the_words_and_spellings_are_those_of_the_manual():
    text = (Path(__file__).parent.parent / "docs" / "data.md").read_text()
    table = dict(re.findall(r"^\| `?(\w+)`?[^|]* \| (`[^|]*) \|$", text, re.MULTILINE))
    words = {name: re.findall(r"`(\w+)`", table[name]) for name in table}
    for side in ("train", "dev", "test"):
        assert words[side] == [word for word, its_side in SIDES.items() if its_side == side]
    spellings = {"path": PATHS[1:], **{name: others for name, others in LABELS.items() if others}}
    assert {name: tuple(words[name]) for name in spellings} == spellings


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b.csv", ["a,b"]),
        ('"a,b.csv",c.csv', ["a,b", "c"]),
        ("c.csv, d.csv", ["c", "d"]),
    ],
)
def test_a_path_may_have_a_comma(text: str, names: list[str], bench, digits: Path, tmp_path: Path):
    for name in ("a,b", "c", "d"):
        (tmp_path / f"{name}.csv").write_text(digits.read_text())
    call = ["--tasks", "gender", "--extractors", "mfcc-13", "--heads", "logreg", "--dry-run"]
    done = bench("run", "--datasets", text, *call)
    assert done.exit_code == 0, done.stderr
    assert re.findall(r"^([a-d,]+) ", done.stdout, re.MULTILINE) == names
    (tmp_path / "suite.toml").write_text('[datasets]\nnames = ["a,b.csv", "c.csv"]\n')
    assert "\na,b " in bench("run", "--suite", "suite.toml", *call).stdout


def test_the_message_of_a_table_without_a_task_names_the_option(bench, digits: Path):
    pd.read_csv(digits).rename(columns={"gender": "moods"})[["path", "moods"]].to_csv("mood.csv", index=False)
    done = bench("run", "--datasets", "mood.csv")
    assert "mood.csv has moods, recording; predict a column so: --task-target moods" in done.stderr
    done = bench("run", "--datasets", "mood.csv", "--task-target", "mood")
    assert (
        "no column 'mood'; mood.csv has moods, recording; predict a column so: --task-target moods"
        in done.stderr
    )


@pytest.mark.parametrize("text", ['"a.csv', '"a"b', "a,,b"])
def test_a_list_that_cannot_be_read_is_refused(text: str, bench):
    done = bench("run", "--datasets", text)
    assert done.exit_code == 2
    assert text in done.stderr


def test_an_option_gives_the_folder_of_the_audio(bench, digits: Path, tmp_path: Path):
    table = pd.read_csv(digits)
    (tmp_path / "files").mkdir()
    for path in table["path"]:
        (tmp_path / "files" / Path(path).name).symlink_to(path)
    for name in ("away", "other"):
        table.assign(path=table["path"].map(lambda path: Path(path).name)).to_csv(f"{name}.csv", index=False)
    call = ["--tasks", "gender", "--extractors", "mfcc-13", "--heads", "logreg", "--dry-run"]
    for text in ("files", "away=files,other=files", "away=files,files"):
        assert bench("run", "--datasets", "away.csv,other.csv", "--audio", text, *call).exit_code == 0
    assert bench("data", "check", "away.csv", "--audio", "files").exit_code == 0
    refusals = {
        ".": "away.csv: none of its files is there, such as",
        "none": "--audio none: is no folder; expected FOLDER or NAME=FOLDER",
        "third=files": "--audio third=...: is no data set of this run (away)",
        "away=files,away=.": "--audio away=.: files is for the same data",
    }
    for text, message in refusals.items():
        done = bench("run", "--datasets", "away.csv", "--audio", text, *call)
        assert done.exit_code == 2
        assert message in done.stderr
