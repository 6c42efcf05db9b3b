"""Duplicates among clips: their groups, embeddings and labels, and the side of a split that they are on."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from scipy.spatial.distance import cosine

from bench import audio, catalog
from bench.datasets.index import Source, sources_of
from bench.errors import UsageError
from bench.exploration.duplicates import duplicate_table, duplicates, write_duplicates
from bench.request import Request
from bench.types import Clip, Dataset

RNG = np.random.default_rng(0)

Change = Callable[[np.ndarray, int], tuple[np.ndarray, int]]

SOURCES = {"fsdd": "fsdd/*.wav", "speech": "LibriSpeech/test-other/**/*.flac", "noise": "noise/*.wav"}


def _mp3(samples: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """Return samples after MP3 at 64 kbit/s; it has 8 to 64 at 8 kHz, and up to 160 at 16 kHz."""
    least, most = 8, {8000: 64, 16000: 160}[rate]
    level = (most - 64) / (most - least)
    return _coded(samples, rate, format="MP3", bitrate_mode="CONSTANT", compression_level=level)


def _coded(samples: np.ndarray, rate: int, **form: object) -> tuple[np.ndarray, int]:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **form)
    file.seek(0)
    return soundfile.read(file, dtype="float32")


def _silence(rate: int, seconds: float) -> np.ndarray:
    return np.zeros(round(rate * seconds), dtype=np.float32)


CHANGES: dict[str, Change] = {
    "mp3": _mp3,
    "ogg": lambda samples, rate: _coded(samples, rate, format="OGG", subtype="VORBIS"),
    "quieter": lambda samples, rate: (samples * 0.25, rate),
    "louder": lambda samples, rate: (samples * 0.99 / np.abs(samples).max(), rate),
    "a sample later": lambda samples, rate: (np.append([0.0], samples[:-1]), rate),
    "0.3 s later": lambda samples, rate: (np.append(_silence(rate, 0.3), samples), rate),
    "8 kHz": lambda samples, rate: (soxr.resample(soxr.resample(samples, rate, 8000), 8000, 16_000), 16_000),
    "silence": lambda samples, rate: (
        np.concatenate([_silence(rate, 0.5), samples, _silence(rate, 0.5)]),
        rate,
    ),
}


def source_of(dataset: Dataset, fingerprints: Sequence[str], samples: Sequence[str], near: bool) -> Source:
    n_clips = len(fingerprints)
    return Source(
        dataset,
        [f"content {row}" for row in range(n_clips)],
        fingerprints,
        [1.0] * n_clips,
        {},
        n_near=2 if near else None,
        samples=samples,
    )


@pytest.fixture
def source(dataset_of) -> Source:
    """Return six clips: 0 and 3 near, of which 3 and 4 hold the same samples; 1 and 5 hold the same."""
    rows = [
        ("cat", "train"),
        ("dog", "train"),
        ("cat", "test"),
        ("cat", "test"),
        ("", "dev"),
        ("cow", "train"),
    ]
    dataset = dataset_of([{"class": label, "fold": fold, "recording": f"r{fold}"} for label, fold in rows])
    return source_of(dataset, ["n", "x", "", "n", "n", "x"], ["", "x", "", "y", "y", "x"], near=True)


def test_a_group_has_its_clips_kinds_labels_and_sides(source: Source):
    vectors = RNG.normal(size=(6, 4)).astype(np.float32)
    result = duplicates(source, vectors)
    assert result.clip.tolist() == [0, 3, 4, 1, 5]
    assert result.group.tolist() == [0, 0, 0, 1, 1]
    assert result.kind.tolist() == ["near", "identical", "identical", "identical", "identical"]
    first, second = result.groups
    assert first.labels == {"class": {"": 1, "cat": 2}}
    assert (first.folds, first.is_leak, first.contradictions) == ({"dev": 1, "test": 1, "train": 1}, True, ())
    assert (second.folds, second.is_leak, second.contradictions) == ({"train": 2}, False, ("class",))
    assert result.is_near_searched


def test_distances_are_those_of_scipy(source: Source):
    vectors = RNG.normal(size=(6, 40)).astype(np.float32)
    result = duplicates(source, vectors)
    pairs = ((0, 0), (3, 0), (4, 0), (1, 1), (5, 1))
    expected = [cosine(vectors[one], vectors[first]) for one, first in pairs]
    np.testing.assert_allclose(result.distance, expected, rtol=1e-6, atol=1e-7)
    others = [cosine(vectors[one], vectors[two]) for one in range(6) for two in range(one)]
    assert min(others) <= result.pair_distance <= max(others)
    assert duplicates(source, np.ones((6, 4), dtype=np.float32)).distance.max() == 0


def test_a_vector_of_zeros_is_at_distance_one(source: Source):
    vectors = np.zeros((6, 4), dtype=np.float32)
    assert duplicates(source, vectors).distance.tolist() == [1.0] * 5


def test_folds_of_a_cross_validation_leak_where_they_differ(source: Source):
    vectors = RNG.normal(size=(6, 4)).astype(np.float32)
    groups = duplicates(source, vectors, folds=["1", "2", "3", "1", "1", "3"]).groups
    assert [group.is_leak for group in groups] == [False, True]


def test_rows_say_which_clips_of_the_source_have_vectors(source: Source):
    rows = np.array([5, 3, 2, 0])
    vectors = RNG.normal(size=(4, 4)).astype(np.float32)
    result = duplicates(source, vectors, rows=rows)
    assert result.clip.tolist() == [1, 3]
    assert result.kind.tolist() == ["near", "near"]
    assert duplicate_table(result, source, rows)["clip"].tolist() == ["c3", "c0"]


@pytest.mark.parametrize("n_clips", [1, 3])
def test_clips_without_duplicates_have_no_groups(n_clips: int, dataset_of):
    dataset = dataset_of([{"class": "a"}] * n_clips)
    source = source_of(dataset, [""] * n_clips, [""] * n_clips, near=False)
    result = duplicates(source, RNG.normal(size=(n_clips, 4)).astype(np.float32))
    assert (len(result.clip), result.groups, result.is_near_searched) == (0, (), False)
    assert (result.pair_distance is None) == (n_clips == 1)
    assert duplicate_table(result, source).empty


@pytest.mark.parametrize(
    ("n_vectors", "folds", "message"), [(5, None, "5 vectors of 6 clips"), (6, ["1"], "1 folds of 6 clips")]
)
def test_vectors_and_folds_of_other_clips_are_refused(n_vectors: int, folds, message: str, source: Source):
    with pytest.raises(UsageError, match=message):
        duplicates(source, np.ones((n_vectors, 2), dtype=np.float32), folds=folds)


def test_the_table_of_duplicates_is_written(source: Source, tmp_path: Path):
    vectors = np.eye(6, dtype=np.float32)
    write_duplicates(tmp_path / "duplicates.csv", duplicates(source, vectors), source)
    table = pd.read_csv(tmp_path / "duplicates.csv", keep_default_na=False)
    columns = ["group", "clip", "path", "kind", "distance", "is_leak", "class", "fold", "recording"]
    assert table.columns.tolist() == columns
    assert table["clip"].tolist() == ["c0", "c3", "c4", "c1", "c5"]
    assert table["distance"].tolist() == [0, 1, 1, 0, 1]
    assert table["is_leak"].tolist() == [True, True, True, False, False]


@pytest.fixture
def leaky(digits: Path, tmp_path: Path) -> Path:
    """Return a manifest of digits with folds, and two copies on the other side: one as Ogg, one as FLAC."""
    table = pd.read_csv(digits, dtype=str).assign(
        fold=lambda clips: np.where(clips.index < 24, "train", "test")
    )
    for row, name in ((0, "near.ogg"), (1, "same.flac")):
        samples, rate = soundfile.read(table["path"][row], dtype="int16")
        soundfile.write(tmp_path / name, samples, rate)
        table.loc[24 + row, "path"] = str(tmp_path / name)
    table["clip"] = [f"c{row}" for row in range(len(table))]
    table.to_csv(tmp_path / "leaky.csv", index=False)
    return tmp_path / "leaky.csv"


def test_a_check_warns_of_copies_on_both_sides_of_a_split(leaky: Path, bench):
    near, plain = (bench("data", "check", leaky, "--json", *words) for words in (["--near"], []))
    assert json.loads(near.stdout)["leaks"] == [["c0", "c24"], ["c1", "c25"]]
    assert json.loads(plain.stdout)["leaks"] == [["c1", "c25"]]
    [warning] = near.stderr.strip().splitlines()
    assert warning == (
        "warning: 2 groups of copies are on both sides of the column fold, such as c0 ~ c24; put the clips "
        "of a group into one fold"
    )
    assert json.loads(near.stdout)["near_copies"] == [["c0", "c24"]]


def test_a_source_tells_identical_samples_from_near_copies(leaky: Path, tmp_path: Path):
    [source] = sources_of(Request(datasets=(str(leaky),), home=tmp_path / "home"), catalog.load()).values()
    result = duplicates(source, RNG.normal(size=(48, 4)).astype(np.float32))
    names = source.dataset.table["clip"].to_numpy()[result.clip].tolist()
    assert dict(zip(names, result.kind.tolist(), strict=True)) == {
        "c0": "near",
        "c24": "near",
        "c1": "identical",
        "c25": "identical",
    }
    assert all(group.is_leak for group in result.groups)


@pytest.fixture(scope="module")
def originals(real: Path) -> list[Path]:
    """Return 20 digits, 20 sentences and 20 noises."""
    rng = np.random.default_rng(0)
    paths = [sorted(real.glob(pattern)) for pattern in SOURCES.values()]
    return [files[row] for files in paths for row in rng.choice(len(files), 20, replace=False)]


def copies(paths: Sequence[Path], change: Change, folder: Path) -> list[Clip]:
    """Return clips and a copy of each; the noises at 20 kHz are copied at 16 kHz, a rate of MP3."""
    clips = [Clip(str(path), path) for path in paths]
    for number, path in enumerate(paths):
        samples, rate = soundfile.read(path, dtype="float32")
        if rate == 20_000:
            samples, rate = soxr.resample(samples, rate, 16_000), 16_000
        copy = folder / f"{number}.wav"
        soundfile.write(copy, *change(samples, rate), subtype="FLOAT")
        clips.append(Clip(str(copy), copy))
    return clips


def groups_of(clips: Sequence[Clip]) -> list[str]:
    fingerprints = audio.duplicate_fingerprints(clips)
    near = audio.near_copies(clips, fingerprints)
    return [name or fingerprint for name, fingerprint in zip(near, fingerprints, strict=True)]


def check_copies(paths: Sequence[Path], change: Change, folder: Path) -> None:
    """Hold recall and precision: every group is a clip and its copy, for 95 % of the clips or more."""
    names = groups_of(copies(paths, change, folder))
    n_clips = len(paths)
    pairs = {
        (one, two)
        for one in range(2 * n_clips)
        for two in range(one + 1, 2 * n_clips)
        if names[one] and names[one] == names[two]
    }
    planted = {(row, row + n_clips) for row in range(n_clips)}
    assert pairs <= planted
    assert len(pairs) >= 0.95 * n_clips


@pytest.mark.parametrize("kind", ["mp3", "0.3 s later"])
def test_copies_of_a_few_recordings_are_one_group_each(kind: str, originals: list[Path], tmp_path: Path):
    check_copies(originals[::10], CHANGES[kind], tmp_path)


@pytest.mark.parametrize("kind", ["0.3 s later", "silence"])
def test_a_noise_that_repeats_is_joined_with_its_later_copy(kind: str, real: Path, tmp_path: Path):
    """These are like themselves at so many lags that the right one is not among the first four."""
    check_copies([real / "noise" / f"n{number}.wav" for number in (35, 59, 96)], CHANGES[kind], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", CHANGES)
def test_copies_are_one_group_each(kind: str, originals: list[Path], tmp_path: Path):
    check_copies(originals, CHANGES[kind], tmp_path)
