import dataclasses
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import display, splits
from bench.errors import LabelError, SplitError, UsageError
from bench.types import Split, Task

GENDER = Task("gender", "gender", ("speaker",), ("accuracy",))
SPEAKER = Task("speaker", "speaker", ("session", "recording"), ("accuracy",))


def rows(sizes: Mapping[tuple[str, str], int]) -> list[dict[str, str]]:
    """Return rows of (gender, speaker) -> number of clips."""
    return [{"gender": gender, "speaker": name} for (gender, name), n in sizes.items() for _ in range(n)]


def voices(n_speakers: int = 10, n_clips: int = 3) -> list[dict[str, str]]:
    return rows({("fm"[i % 2], f"s{i}"): n_clips for i in range(n_speakers)})


structures = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 30), st.integers(0, 60)),
    min_size=6,
    max_size=60,
)


@given(structures, st.sampled_from(["cv:2", "cv:3", "cv:5", "loso", "holdout:0.2", "holdout:0.35"]))
def test_no_group_and_no_audio_ever_crosses_a_fold_and_every_clip_is_tested_once(dataset_of, clips, how: str):
    """Draw label, session, recording and audio of every clip at random: groups nest, cross and chain."""
    rows = [{"speaker": f"s{s}", "session": f"n{n}", "recording": f"r{r}"} for s, n, r, _ in clips]
    fingerprints = [f"a{audio}" for *_, audio in clips]
    dataset = dataset_of(rows)
    try:
        split = splits.make(dataset, SPEAKER, how, fingerprints)
    except (SplitError, LabelError):
        return
    names = ["session", "recording"] if split.group == "session" else ["recording"]
    columns = [dataset.table[name].to_numpy() for name in names] + [np.array(fingerprints)]
    tested = np.zeros(len(clips), dtype=int)
    for _, train, test in split.rounds():
        for column in columns:
            assert not set(column[train]) & set(column[test])
        assert len(set(train) | set(test)) == len(clips)
        tested[test] += 1
    assert (tested == 1).all() or how.startswith("holdout")


nested = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 6)), min_size=6, max_size=40)


def note(split: Split) -> str:
    return "; ".join(map(display.obstacle, split.obstacles))


@given(nested, st.integers(2, 5))
def test_there_is_a_split_wherever_every_class_has_as_many_groups_as_folds(dataset_of, groups, n_folds: int):
    dataset = dataset_of(rows({(f"g{label}", f"s{i}"): n for i, (label, n) in enumerate(groups)}))
    labels = [label for label, _ in groups]
    if len(set(labels)) > 1 and min(map(labels.count, labels)) >= n_folds:
        assert len(set(splits.make(dataset, GENDER, f"cv:{n_folds}").fold)) == n_folds


def test_folds_hold_about_the_same_share_of_every_class(dataset_of):
    dataset = dataset_of(voices(40))
    split = splits.make(dataset, GENDER, "cv:5")
    gender = dataset.table["gender"].to_numpy()
    assert [(gender[test] == "f").mean() for _, _, test in split.rounds()] == [0.5] * 5
    assert (split.name, split.group, split.leaky) == ("cv:5", "speaker", False)
    assert split.obstacles == ()


def test_the_split_is_the_same_every_time(dataset_of):
    dataset = dataset_of(voices())
    one, other = (splits.make(dataset, GENDER, "cv:5") for _ in range(2))
    np.testing.assert_array_equal(one.fold, other.fold)


def test_the_strictest_group_that_the_data_can_satisfy_is_used(dataset_of):
    clips = [
        {"speaker": f"s{i}", "session": f"s{i}-{j}"} for i in range(4) for j in range(3) for _ in range(2)
    ]
    split = splits.make(dataset_of(clips), SPEAKER, "cv:3")
    assert (split.group, split.obstacles) == ("session", ())
    assert list(split.groups) == ["session", "recording"]


def test_a_lenient_group_says_why_no_stricter_one_was_possible(dataset_of):
    clips = [{"speaker": f"s{i}", "session": f"chapter {i}"} for i in range(4) for _ in range(5)]
    split = splits.make(dataset_of(clips), SPEAKER, "cv:2")
    assert (split.name, split.group, split.leaky) == ("cv:2", "recording", False)
    assert note(split) == "session: 4 of 4 classes have a single session (s0, s1, s2, s3)"
    without = splits.make(dataset_of([{"speaker": row["speaker"]} for row in clips]), SPEAKER, "cv:2")
    assert note(without) == "session: there is no such column"


@pytest.mark.parametrize("n_groups", [2, 3, 4])
def test_fewer_folds_come_before_weaker_groups(dataset_of, n_groups: int):
    clips = [
        {"speaker": f"s{i}", "session": f"day {j}"}
        for i in range(3)
        for j in range(n_groups)
        for _ in "abcde"
    ]
    split = splits.make(dataset_of(clips), SPEAKER, "")
    assert (split.name, split.group, split.obstacles) == (f"cv:{n_groups}", "session", ())
    assert display.reason(split.fewer_folds) == f"{n_groups} groups are fewer than 5 folds"
    explicit = splits.make(dataset_of(clips), SPEAKER, "cv:5")
    assert (explicit.name, explicit.group, explicit.fewer_folds) == ("cv:5", "recording", None)


def test_five_folds_stay_where_they_are_possible_or_no_number_is(dataset_of):
    clips = [{"speaker": f"s{i}", "session": f"{j}"} for i in range(2) for j in range(5) for _ in "ab"]
    assert splits.make(dataset_of(clips), SPEAKER, "").name == "cv:5"
    single = splits.make(dataset_of([{**row, "session": row["speaker"]} for row in clips]), SPEAKER, "")
    assert (single.name, single.group, single.fewer_folds) == ("cv:5", "recording", None)
    assert note(single) == "session: 2 of 2 classes have a single session (s0, s1)"


def test_a_class_of_few_clips_takes_fewer_folds(dataset_of):
    split = splits.make(dataset_of(rows({(g, f"{g}{i}"): 1 for g in "fm" for i in range(3)})), GENDER, "")
    assert (split.name, split.group) == ("cv:3", "speaker")
    assert display.reason(split.fewer_folds) == "no class has more than 3 clips, fewer than 5 folds"


@pytest.mark.parametrize(
    ("clips", "how", "message"),
    [
        (voices(4), "cv:5", "speaker: 4 groups are fewer than 5 folds"),
        (
            rows({("f", "a"): 9, ("f", "b"): 9, ("m", "c"): 9}),
            "cv:3",
            r"1 of 2 classes have a single speaker \(m\)",
        ),
        (
            rows({("f", f"a{i}"): 1 for i in range(3)} | {("m", "b"): 1}),
            "cv:2",
            r"have a single speaker \(m\)",
        ),
        (
            rows({(g, f"{g}{i}"): 1 for g in "fmxyz" for i in range(2)}),
            "cv:5",
            "no class has more than 2 clips",
        ),
        ([{"gender": g} for g in "fmfm"], "cv:2", "speaker: there is no such column"),
    ],
)
def test_an_impossible_split_names_what_prevents_it(dataset_of, clips, how: str, message: str):
    with pytest.raises(SplitError, match=f"task 'gender' cannot be split on made.csv by {how}: .*{message}"):
        splits.make(dataset_of(clips), GENDER, how)


def with_folds(clips: list[dict[str, str]], folds: str) -> list[dict[str, str]]:
    names = {"r": "train", "t": "test", "d": "validation"}
    return [{**row, "fold": names.get(fold, fold)} for row, fold in zip(clips, folds, strict=True)]


FOUR = rows({("f", "a"): 2, ("m", "b"): 2, ("f", "c"): 1, ("m", "d"): 1, ("f", "e"): 1})


def test_a_fold_column_is_the_default_split(dataset_of):
    dataset = dataset_of(with_folds(FOUR, "rrrrttd"))
    split = splits.make(dataset, GENDER, "")
    assert (split.name, split.group, split.leaky) == ("fixed", "speaker", False)
    [(name, train, test)] = split.rounds()
    assert (name, len(train), len(test)) == ("test", 4, 2)
    assert splits.make(dataset, GENDER, "cv:2").name == "cv:2"


def test_a_fold_column_may_name_cross_validation_folds(dataset_of):
    split = splits.make(dataset_of(with_folds(FOUR, "1111222")), GENDER, "fixed")
    assert [(name, len(train)) for name, train, _ in split.rounds()] == [("1", 3), ("2", 4)]


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (
            "rtrrttd",
            "split 'fixed' leaks: speaker a on both sides of fold 'test'; put every speaker into one fold",
        ),
        ("1212212", "split 'fixed' leaks: speaker .* on both sides"),
        ("rrrrddd", "split 'fixed' tests no clip; expected the folds train and test"),
        ("ttttttt", "split 'fixed' tests classes in fold 'test' that it never trains on: f, m"),
        ("rrttrtr", "split 'fixed' tests classes in fold 'test' that it never trains on: m"),
    ],
)
def test_a_fixed_split_that_leaks_or_cannot_be_learnt_is_refused(dataset_of, folds: str, message: str):
    with pytest.raises(SplitError, match=message):
        splits.make(dataset_of(with_folds(FOUR, folds)), GENDER, "fixed")


def test_a_more_lenient_group_must_not_cross_either(dataset_of):
    clips = [{"speaker": f"s{i % 2}", "session": f"{i}", "recording": f"r{i // 2 % 3}"} for i in range(12)]
    with pytest.raises(SplitError, match=r"recording .* on both sides"):
        splits.make(dataset_of(with_folds(clips, "rrrrrrtttttt")), SPEAKER, "fixed")


def test_folds_may_come_from_a_table(dataset_of, tmp_path: Path):
    path = tmp_path / "folds.csv"
    path.write_text("clip,fold\n" + "".join(f"c{i},{'train' if i < 4 else 'test'}\n" for i in range(7)))
    split = splits.make(dataset_of(FOUR), GENDER, str(path))
    assert (split.name, split.group, split.leaky) == ("folds.csv", "speaker", False)
    assert (split.fold == "train").sum() == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,part\nc0,train\n", "folds.csv: has the columns clip, part; expected clip, fold"),
        (
            "clip,fold\nc0,train\n",
            r"folds.csv: expected every clip of made.csv once; 0 .*, 6 .* \(c1",
        ),
        ("clip,fold\nc9,train\nc9,test\n", r"once; 1 .*, 7 .* 1 .* \(c9\)"),
    ],
)
def test_a_table_of_folds_lists_every_clip_once(dataset_of, tmp_path: Path, text: str, message: str):
    path = tmp_path / "folds.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        splits.make(dataset_of(FOUR), GENDER, str(path))


@pytest.mark.parametrize(
    ("how", "protocol"),
    [
        ("cv:7", splits.CrossValidation(7)),
        ("holdout:.35", splits.HoldOut(Fraction(7, 20))),
        ("loso", splits.LeaveOneGroupOut()),
        ("random", splits.RandomFolds(5)),
    ],
)
def test_every_option_has_its_protocol(dataset_of, how: str, protocol: splits.SplitProtocol):
    assert splits.parse(how, dataset_of(FOUR), GENDER) == protocol


@pytest.mark.parametrize("how", ["cv:1", "cv:x", "cv", "loo", "5", "holdout:0.9", "holdout:x"])
def test_an_unknown_split_names_the_options(dataset_of, how: str):
    with pytest.raises(UsageError, match=f"--split {how}: expected fixed, cv:K with K >= 2, loso, holdout:F"):
        splits.make(dataset_of(FOUR), GENDER, how)


def test_fixed_needs_a_fold_column(dataset_of):
    with pytest.raises(UsageError, match=r"--split fixed: made.csv has no column 'fold'"):
        splits.make(dataset_of(FOUR), GENDER, "fixed")


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (
            [{"sex": "f"}],
            r"made.csv: has no column 'gender', .* 'gender' \(label columns: sex, rec",
        ),
        (
            [{"gender": "f"}, {"gender": "f"}],
            "made.csv: every clip has the gender 'f'; expected two classes or more",
        ),
        (
            [{"gender": "f"}, {"gender": ""}, {"gender": "f"}],
            "made.csv: every clip but 1 without one has the gender 'f'; expected two classes or more",
        ),
        ([{"gender": ""}], "made.csv: no clip has a gender; expected two classes or more"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused(dataset_of, clips, message: str):
    with pytest.raises(LabelError, match=message):
        splits.target(dataset_of(clips), GENDER)


def test_an_empty_group_is_refused_where_it_stands(dataset_of):
    clips = [*voices(), {"gender": "f", "speaker": ""}]
    with pytest.raises(UsageError, match=r"made.csv: c30: column 'speaker' is empty; expected one of s0, s1"):
        splits.make(dataset_of(clips), GENDER, "cv:2")


def test_the_check_is_made_at_the_moment_of_use():
    fold = np.array(["0", "0", "1", "1"])
    leaky = Split("cv:2", fold, {"speaker": np.array(["a", "b", "b", "c"])})
    with pytest.raises(SplitError, match="split 'cv:2' leaks: speaker b on both sides of fold '0'"):
        splits.check(leaky, np.array(["f", "m", "f", "m"]))


def test_a_fixed_split_falls_back_to_the_group_that_the_data_can_satisfy(dataset_of):
    clips = [{"speaker": f"s{i}", "session": f"chapter {i}"} for i in range(2) for _ in range(3)]
    split = splits.make(dataset_of(with_folds(clips, "rrtrrt")), SPEAKER, "fixed")
    assert (split.name, split.group, split.leaky) == ("fixed", "recording", False)
    assert note(split).startswith("session: 2 of 2 classes have a single session")


def test_a_fixed_split_that_no_group_allows_is_refused(dataset_of):
    clips = [{"speaker": "a", "recording": "one"}] * 2 + [{"speaker": "b", "recording": "two"}] * 2
    with pytest.raises(SplitError, match=r"recording: 2 of 2 classes have a single recording \(a, b\)"):
        splits.make(dataset_of(with_folds(clips, "rtrt")), SPEAKER, "fixed")


def test_sessions_that_share_a_recording_stay_together(dataset_of):
    clips = [{"speaker": f"s{i % 2}", "session": f"{i}", "recording": f"r{i // 4}"} for i in range(24)]
    split = splits.make(dataset_of(clips), SPEAKER, "cv:3")
    assert (split.group, split.obstacles) == ("session", ())
    recording = np.array([row["recording"] for row in clips])
    assert all(len(set(split.fold[recording == name])) == 1 for name in set(recording))


def test_leaving_one_group_out_tests_every_group_alone(dataset_of):
    dataset = dataset_of(voices(6))
    split = splits.make(dataset, GENDER, "loso")
    speaker = dataset.table["speaker"].to_numpy()
    assert [set(speaker[test]) for _, _, test in split.rounds()] == [{f"s{i}"} for i in range(6)]
    assert (split.name, split.group, split.leaky) == ("loso", "speaker", False)


def test_a_group_called_train_is_tested_too(dataset_of):
    clips = rows({("f", "train"): 2, ("f", "test"): 2, ("m", "dev"): 2, ("m", "b"): 2})
    assert len(list(splits.make(dataset_of(clips), GENDER, "loso").rounds())) == 4


@pytest.mark.parametrize(
    ("how", "share"), [("holdout:0.2", 0.2), ("holdout:0.25", 0.25), ("holdout:.3", 0.3)]
)
def test_a_holdout_tests_about_its_share_of_every_class_once(dataset_of, how: str, share: float):
    dataset = dataset_of(voices(40))
    split = splits.make(dataset, GENDER, how)
    [(name, train, test)] = split.rounds()
    assert (name, len(train) + len(test)) == ("test", 120)
    assert len(test) / 120 == pytest.approx(share, abs=0.05)
    assert (dataset.table["gender"].to_numpy()[test] == "f").mean() == pytest.approx(0.5, abs=0.1)


def test_a_random_split_leaks_and_says_so(dataset_of):
    dataset = dataset_of(voices(4, n_clips=20))
    split = splits.make(dataset, GENDER, "random")
    assert (split.name, split.group, split.leaky) == ("random", "speaker", True)
    speaker = dataset.table["speaker"].to_numpy()
    assert all(set(speaker[train]) & set(speaker[test]) for _, train, test in split.rounds())
    splits.check(split, dataset.table["gender"].to_numpy())


def test_random_folds_need_a_class_with_as_many_clips(dataset_of):
    with pytest.raises(SplitError, match=r"made.csv by random: .* 2 clips, fewer than 5 folds"):
        splits.make(dataset_of(rows({("f", "a"): 2, ("m", "b"): 2})), GENDER, "random")


def test_the_same_audio_on_two_sides_is_a_leak(dataset_of):
    clips = with_folds(FOUR, "rrrrttd")
    fingerprints = ["a", "b", "c", "d", "e", "a", ""]
    with pytest.raises(SplitError, match="split 'fixed' leaks: audio c0 on both sides of fold 'test'"):
        splits.make(dataset_of(clips), GENDER, "fixed", fingerprints)
    assert (
        splits.make(dataset_of(clips), GENDER, "fixed", ["", "b", "c", "d", "e", "", ""]).group == "speaker"
    )


def test_folds_may_be_listed_by_a_label_instead_of_the_clips(dataset_of, tmp_path: Path):
    dataset = dataset_of(voices(4))
    path = tmp_path / "mine.csv"
    path.write_text("speaker,fold\ns0,train\ns1,train\ns2,test\ns3,test\ns9,train\n")
    split = splits.make(dataset, GENDER, str(path))
    assert split.fold.tolist() == ["train"] * 6 + ["test"] * 6
    path.write_text("speaker,fold\ns0,train\ns1,train\ns2,test\n")
    with pytest.raises(UsageError, match=r"expected every speaker .* 1 .* \(s3\), 0 "):
        splits.make(dataset, GENDER, str(path))


def test_a_task_may_have_a_fixed_split_of_its_own(dataset_of, tmp_path: Path):
    path = tmp_path / "gender.csv"
    path.write_text("speaker,fold\ns0,0\ns1,0\ns2,1\ns3,1\n")
    dataset = dataclasses.replace(dataset_of(voices(4)), fold_lists={"gender": path})
    split = splits.make(dataset, GENDER, "")
    assert (split.name, split.group, split.leaky) == ("fixed", "speaker", False)
    assert split.fold.tolist() == ["0"] * 6 + ["1"] * 6
    with pytest.raises(UsageError, match=r"no column 'fold', and no fixed split of task 'speaker'"):
        splits.make(dataset, SPEAKER, "fixed")


@pytest.mark.parametrize(("column", "n_lines"), [("clip", 30), ("speaker", 10)])
def test_a_listing_of_a_split_gives_the_same_split(dataset_of, tmp_path: Path, column: str, n_lines: int):
    dataset, path = dataset_of(voices()), tmp_path / "mine.csv"
    split = splits.make(dataset, GENDER, "cv:5")
    table = splits.listing(split, dataset, column)
    assert len(table) == n_lines
    table.to_csv(path, index=False)
    assert splits.make(dataset, GENDER, str(path)).fold.tolist() == split.fold.tolist()


@pytest.mark.parametrize(
    ("column", "message"), [("mood", "has no column 'mood'"), ("gender", "gender f, m is in several folds")]
)
def test_a_split_cannot_be_listed_by_every_column(dataset_of, column: str, message: str):
    dataset = dataset_of(voices())
    with pytest.raises(UsageError, match=message):
        splits.listing(splits.make(dataset, GENDER, "cv:5"), dataset, column)


def test_groups_exchange_their_labels_whole():
    group = np.repeat([f"g{number}" for number in range(40)], 3)
    y = np.where(np.repeat(np.arange(40), 3) % 4 == 0, "a", "b")
    split = Split("cv:5", np.tile(list("01234"), 24), {"speaker": group})
    exchanged = splits.permute_labels(y, split)
    assert sorted(exchanged[::3]) == sorted(y[::3]), "as many groups have each label as before"
    assert all(len(set(exchanged[group == name])) == 1 for name in set(group))
    assert (exchanged != y).any()
    np.testing.assert_array_equal(exchanged, splits.permute_labels(y, split))


def test_labels_within_a_group_are_exchanged_set_by_set():
    group = np.repeat(list("stu"), 8)
    y = np.tile(np.repeat(list("abcd"), 2), 3)
    exchanged = splits.permute_labels(y, Split("cv:3", group, {"session": group}))
    sets = pd.DataFrame({"group": group, "y": y, "new": exchanged}).groupby(["group", "y"])["new"]
    assert sets.agg(lambda labels: len(set(labels)) == 1).all()
    assert sorted(sets.first()) == sorted(list("abcd") * 3)


LETTERS = {"train": "r", "test": "t", "dev": "d", **{f"group s{i}": "abcdefghijkl"[i] for i in range(12)}}


@pytest.fixture
def table(dataset_of, tmp_path: Path):
    """Return 36 clips of 12 speakers, in crossed sessions and recordings; lists of folds lie beside it."""
    dataset = dataset_of(
        [
            {
                "gender": "mf"[i // 3 % 2],
                "speaker": f"s{i // 3 * 5 % 12}",
                "session": f"n{i * 7 % 24 // 2}",
                "recording": f"r{i * 5 % 18}",
                "fold": ("train", "train", "test", "validation")[i // 3 % 4],
            }
            for i in range(36)
        ]
    )
    by_clip = dataset.table[["clip"]].assign(fold=[str(i // 3 % 3) for i in range(36)])
    by_clip.to_csv(tmp_path / "clips.csv", index=False)
    by_speaker = pd.DataFrame({"speaker": [f"s{i}" for i in range(12)], "fold": list("012301230123")})
    by_speaker.to_csv(tmp_path / "speakers.csv", index=False)
    return dataset


@pytest.mark.parametrize(
    ("task", "how", "same_audio", "folds"),
    [
        (GENDER, "cv:2", False, "111111111000000000000111000111111000"),
        (GENDER, "cv:2", True, "000000000000111000111111111111000000"),
        (GENDER, "cv:5", False, "000222444111333000111444000111222333"),
        (GENDER, "cv:5", True, "000111222444111000333222444333000000"),
        (GENDER, "loso", False, "aaafffkkkdddiiibbbgggllleeejjjccchhh"),
        (GENDER, "loso", True, "aaafffkkkdddiiibbbgggllleeejjjcccaaa"),
        (GENDER, "holdout:0.1", False, "rrrrrrrrrtttrrrrrrrrrrrrtttrrrrrrrrr"),
        (GENDER, "holdout:0.1", True, "tttrrrrrrrrrrrrrrrrrrrrrrrrrrrtttttt"),
        (GENDER, "holdout:0.2", False, "tttrrrrrrrrrrrrtttrrrrrrtttrrrrrrrrr"),
        (GENDER, "holdout:0.2", True, "tttrrrrrrrrrrrrtttrrrrrrrrrrrrtttttt"),
        (GENDER, "random", False, "012333231044044001213321200424143210"),
        (GENDER, "random", True, "012333231044044001213321200424143210"),
        (GENDER, "fixed", False, "rrrrrrtttdddrrrrrrtttdddrrrrrrtttddd"),
        (GENDER, "fixed", True, "rrrrrrtttdddrrrrrrtttdddrrrrrrtttddd"),
        (GENDER, "clips.csv", False, "000111222000111222000111222000111222"),
        (GENDER, "speakers.csv", False, "000111222333000111222333000111222333"),
        (SPEAKER, "cv:2", False, "101010011010110100101010011010110100"),
        (SPEAKER, "cv:2", True, "110011110011110011110011110011110011"),
    ],
)
def test_every_protocol_gives_the_folds_of_earlier_releases(
    table, tmp_path: Path, task: Task, how: str, same_audio: bool, folds: str
):
    fingerprints = ["same" if same_audio and i in {1, 34} else "" for i in range(36)]
    how = str(tmp_path / how) if how.endswith(".csv") else how
    split = splits.make(table, task, how, fingerprints)
    assert "".join(LETTERS.get(fold, fold) for fold in split.fold) == folds


def test_permuted_labels_are_those_of_earlier_releases(table):
    split = splits.make(table, GENDER, "cv:5")
    exchanged = splits.permute_labels(splits.target(table, GENDER), split)
    assert "".join(exchanged) == "ffffffffffffmmmmmmmmmmmmmmmffffffmmm"
