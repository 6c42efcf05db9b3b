"""Near copies: joined in a split, while different clips are not; ids and windows that belong together."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr

from bench import audio, catalog, datasets, display, splits
from bench.audio.alignment import similarity, whitened
from bench.datasets import index, spelling
from bench.datasets.grouping import overlapping_windows
from bench.datasets.kinds.mixture import Mixing, mix
from bench.datasets.tables import dataset
from bench.request import Request
from bench.store import Store
from bench.types import Clip, Task

Change = Callable[[np.ndarray, int], tuple[np.ndarray, int]]

FAST = ("--extractors", "mfcc-13", "--heads", "knn", "--plain")

SOURCES = {"fsdd": "fsdd/*.wav", "speech": "LibriSpeech/test-other/**/*.flac", "noise": "noise/*.wav"}


def _coded(**form: str) -> Change:
    def change(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
        file = io.BytesIO()
        soundfile.write(file, samples, rate, **form)
        file.seek(0)
        return soundfile.read(file, dtype="float32")

    return change


COPIES: dict[str, Change] = {
    "ogg": _coded(format="OGG", subtype="VORBIS"),
    "mp3": _coded(format="MP3"),
    "mu-law": _coded(format="WAV", subtype="ULAW"),
    "gain": lambda samples, rate: (samples * 0.25, rate),
    "inversion": lambda samples, rate: (-samples, rate),
    "one sample later": lambda samples, rate: (np.append([0.0], samples[:-1]), rate),
    "trimmed": lambda samples, rate: (samples[len(samples) // 10 : -len(samples) // 10], rate),
    "resampled": lambda samples, rate: (soxr.resample(samples, rate, 11025), 11025),
    "dithered": lambda samples, rate: (
        samples + np.random.default_rng(0).normal(0, 2**-14, len(samples)),
        rate,
    ),
    "silence appended": lambda samples, rate: (np.append(samples, np.zeros(rate // 2)), rate),
    "speed": lambda samples, rate: (soxr.resample(samples, 1.01 * rate, rate), rate),
}


@pytest.fixture(scope="module")
def originals(real: Path) -> list[Clip]:
    """Return ten digits, five sentences and five noises."""
    rng = np.random.default_rng(5)
    paths = {name: sorted(real.glob(pattern)) for name, pattern in SOURCES.items()}
    return [
        Clip(str(paths[name][row]), paths[name][row])
        for name, number in (("fsdd", 10), ("speech", 5), ("noise", 5))
        for row in rng.choice(len(paths[name]), number, replace=False)
    ]


@pytest.mark.parametrize("kind", COPIES)
def test_a_near_copy_of_a_digit_a_sentence_or_a_noise_is_joined(kind: str, originals, tmp_path: Path):
    clips = list(originals)
    for number, clip in enumerate(originals):
        samples, rate = soundfile.read(clip.path, dtype="float32")
        if rate == 20_000:  # no rate of MP3
            samples, rate = soxr.resample(samples, rate, 16_000), 16_000
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, *COPIES[kind](samples, rate), subtype="FLOAT")
        clips.append(Clip(str(path), path))
    names = audio.near_copies(clips, [""] * len(clips))
    assert names[:20] == names[20:]
    assert "" not in names
    assert len(set(names)) == 20


def test_takes_of_one_digit_by_one_speaker_are_no_copies(real: Path):
    """50 takes are 1,225 pairs, and the hardest there are."""
    clips = [Clip(str(path), path) for path in sorted((real / "fsdd").glob("7_nicolas_*.wav"))]
    assert audio.near_copies(clips, [""] * len(clips)) == [""] * 50


def test_noises_silence_and_steady_tones_are_no_copies(tmp_path: Path):
    rng = np.random.default_rng(0)
    time = np.arange(8000) / 8000
    sounds = [
        *(0.1 * rng.normal(size=8000) for _ in range(4)),
        *(2**-15 * rng.integers(-1, 2, 8000) for _ in range(4)),
        *(0.1 * np.sin(2 * np.pi * 440 * time + phase) + 0.001 * rng.normal(size=8000) for phase in range(4)),
        *(0.5 * np.sin(np.arange(8000) * 0.05 + 0.001 * number) for number in range(4)),
        np.zeros(8000),
        np.zeros(100),
    ]
    clips = []
    for number, sound in enumerate(sounds):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, sound, 8000, subtype="FLOAT")
        clips.append(Clip(str(path), path))
    clips.append(Clip("absent", tmp_path / "absent.wav"))
    assert audio.near_copies(clips, [""] * len(clips)) == [""] * len(clips)


def test_similarity_is_that_of_numpy_where_clips_are_aligned():
    rng = np.random.default_rng(1)
    one = whitened(rng.normal(size=4000).astype(np.float32))
    other = one + 0.3 * whitened(rng.normal(size=4000).astype(np.float32))
    expected = abs(np.corrcoef(one, other)[0, 1])
    assert similarity(one, -other, (2000, 2000)) == pytest.approx(expected, abs=0.01)


def test_the_planted_copies_of_a_speaker_are_joined_and_the_table_counts_them(
    digits: Path, bench, tmp_path: Path
):
    table = pd.read_csv(digits, dtype=str)
    copies = table[table["speaker"] == "george"].copy()
    for path in copies["path"]:
        samples, rate = soundfile.read(digits.parent / path)
        soundfile.write(tmp_path / f"{Path(path).stem}.mp3", samples, rate)
    copies["path"] = [str(tmp_path / f"{Path(path).stem}.mp3") for path in copies["path"]]
    copies["speaker"] = "nobody"
    table["path"] = [str(digits.parent / path) for path in table["path"]]
    for column in {"clip", "recording"} & {*table.columns}:
        copies[column] += " copy"
    pd.concat([table, copies]).to_csv(tmp_path / "planted.csv", index=False)
    options = ("--task-target", "session", "--task-group", "speaker", *FAST, "--out", "out")
    run = bench("run", "--datasets", "planted.csv", *options)
    assert run.exit_code == 0, run.output
    store = Store(tmp_path / "out")
    [protocol] = store.run().tables
    assert protocol.n_near_copies == 2 * len(copies)
    assert f"{2 * len(copies)} clips are near copies of others" in run.stdout
    folds = store.split("planted", "session").groupby("group speaker")["fold"].unique()
    assert folds["george"].tolist() == folds["nobody"].tolist()
    rows = [f"{speaker},{'test' if speaker == 'nobody' else 'train'}" for speaker in folds.index]
    Path("folds.csv").write_text("\n".join(["speaker,fold", *rows]))
    words = ("run", "--datasets", "planted.csv", *options, "--split", "folds.csv", "--dry-run")
    fix = f"or, if the {2 * len(copies)} clips that count as near copies are none: --near-copies off"
    assert fix in bench(*words).stdout
    assert "leaks: audio" not in bench(*words, "--near-copies", "off").stdout


def test_a_second_run_reads_near_copies_from_the_index(digits: Path, tmp_path: Path, monkeypatch):
    request = Request(datasets=(str(digits),), home=tmp_path / "home")
    first = index.sources_of(request, catalog.load())
    monkeypatch.setattr(audio, "near_copies", None)
    again = index.sources_of(request, catalog.load())
    name = next(iter(first))
    assert again[name].fingerprints == first[name].fingerprints
    assert again[name].n_near == first[name].n_near == 0


def test_an_index_that_holds_near_copies_changes_no_run_that_does_not_look_for_them(
    digits: Path, tmp_path: Path, monkeypatch
):
    """Else a split would depend on what else was run on this machine."""
    request = Request(datasets=(str(digits),), home=tmp_path / "home", near_copies="on")
    monkeypatch.setattr(audio, "near_copies", lambda clips, _: ["near 0"] * len(clips))
    monkeypatch.setattr(index, "NEAR_CLIPS", 1)
    [searched] = index.sources_of(request, catalog.load()).values()
    [default] = index.sources_of(replace(request, near_copies="auto"), catalog.load()).values()
    assert (searched.n_near, default.n_near) == (len(searched.contents), None)
    assert set(default.fingerprints) == {""}


def test_outer_spaces_and_composed_letters_make_no_other_id(dataset_of):
    ids = ("Zo\u00eb", "Zoe\u0308", " Zo\u00eb", "Zo\u00eb\u00a0")
    assert set(dataset_of([{"speaker": one} for one in ids]).table["speaker"]) == {"Zo\u00eb"}


@pytest.mark.parametrize(
    ("one", "other"), [("Anna", "anna"), ("1", "01"), ("1", "1.0"), ("s-1", "s\u20131"), ("spk7", "spk007")]
)
def test_ids_that_are_probably_the_same_are_named_and_never_merged(dataset_of, one: str, other: str):
    table = dataset_of([{"speaker": one}, {"speaker": other}, {"speaker": "10"}])
    assert set(table.table["speaker"]) == {one, other, "10"}
    assert spelling.variants(table, "speaker") == [{one: 1, other: 1}]
    [line] = map(display.note, spelling.remarks(table, ["speaker"]))
    assert repr(one) in line


def test_overlapping_windows_of_a_file_are_one_group():
    table = pd.DataFrame(
        [
            ("a", "x.wav", 0.0, 2.0),
            ("b", "x.wav", 1.0, 3.0),
            ("c", "x.wav", 2.97, 4.0),  # 0.03 s are rounding
            ("d", "y.wav", 0.0, 2.0),
            ("e", "y.wav", np.nan, np.nan),
        ],
        columns=["clip", "path", "start", "end"],
    )
    assert overlapping_windows(table).tolist() == ["a", "a", "c", "d", "d"]


@pytest.mark.parametrize(("start", "is_joined"), [(0.5, True), (1.0, False)])
def test_overlapping_windows_under_other_speakers_are_kept_together(start: float, is_joined: bool):
    rows = [
        {
            "clip": f"c{number:02}",
            "path": f"{number // 2}.wav",
            "start": number % 2 * start,
            "end": number % 2 * start + 1.0,
            "speaker": f"s{number}",
            "class": "ab"[number // 2 % 2],
        }
        for number in range(24)
    ]
    table = dataset(pd.DataFrame(rows), name="windows", source="windows.csv")
    split = splits.make(table, Task("class", "class", ("speaker",), ("accuracy",)), "cv:3")
    assert ("window" in split.groups) == is_joined
    assert not is_joined or (split.fold[::2] == split.fold[1::2]).all()


def test_a_noise_under_two_names_is_on_one_side_of_a_mixture(real: Path, tmp_path: Path):
    speech = datasets.from_path(real / "LibriSpeech" / "test-other", "class")
    rows = []
    for number, path in enumerate(sorted((real / "noise").glob("n1?.wav"))):
        for name in (f"a{number}.wav", f"b{9 - number}.wav"):
            (tmp_path / name).write_bytes(path.read_bytes())
            rows.append({"path": name, "kind": "noise", "number": str(number)})
    pd.DataFrame(rows).to_csv(tmp_path / "noise.csv", index=False)
    noises = datasets.from_path(tmp_path / "noise.csv", "class")
    table = mix(speech, noises, Mixing(noise_label="number", folds=5, clean=0.2)).table
    noisy = table[table["noise"] == "noisy"]
    assert noisy.groupby("noise_kind")[["fold", "noise_recording"]].nunique().to_numpy().max() == 1
