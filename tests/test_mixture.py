"""Segments and mixtures, of real speech and real noise."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from bench import audio, catalog, datasets, display, splits
from bench.datasets.kinds.mixture import Mixing, mix
from bench.datasets.segments import cut
from bench.errors import ClipError, SplitError, UsageError
from bench.types import Clip, Dataset, Noise, Task

NOISE = Task("noise", "noise", ("recording",), ("accuracy",))


@pytest.fixture(scope="module")
def speech(real: Path) -> Dataset:
    return cut(datasets.from_path(real / "LibriSpeech" / "test-other", "class"), seconds=2.0)


@pytest.fixture(scope="module")
def noises(real: Path) -> Dataset:
    return datasets.from_path(real / "noise" / "noise.csv", "class")


@pytest.fixture(scope="module")
def mixture(speech: Dataset, noises: Dataset) -> Dataset:
    return mix(speech, noises, Mixing(noise_label="kind"))


def test_the_active_level_is_that_of_the_talk_and_not_of_the_pauses(real: Path):
    clip = Clip("a", real / "LibriSpeech/test-other/1688/142285/1688-142285-0000.flac", end=4.0)
    talk = audio.read(clip, 16000)
    paused = np.concatenate([talk, np.zeros(8 * 16000, dtype=np.float32)])
    level = audio.active_level(talk, 16000)
    assert audio.active_level(paused, 16000) == pytest.approx(level, abs=0.5)
    assert audio.active_level(0.1 * talk, 16000) == pytest.approx(level - 20, abs=1e-3)
    assert 10 * np.log10(np.mean(talk**2)) <= level + 0.1


@pytest.mark.parametrize("sample_rate", [8000, 16000, 48000])
def test_the_active_level_of_bursts_is_that_of_a_burst_with_its_hangover(sample_rate: int):
    """Half a second of noise each 2 s is active with its hangover of 0.2 s: 10 lg (0.5 / 0.7) below it."""
    rng = np.random.default_rng(0)
    burst = np.concatenate([rng.normal(0, 0.1, sample_rate // 2), np.zeros(3 * sample_rate // 2)])
    level = audio.active_level(np.tile(burst, 5).astype(np.float32), sample_rate)
    assert level == pytest.approx(-20 + 10 * np.log10(0.5 / 0.7), abs=0.6)


def test_silence_has_no_level():
    assert audio.active_level(np.zeros(1000, dtype=np.float32), 16000) == -np.inf
    assert audio.gains(np.zeros(10, dtype=np.float32), np.ones(10, dtype=np.float32), 0, 16000) == (0, 0)
    assert audio.gains(np.ones(10, dtype=np.float32), np.zeros(10, dtype=np.float32), 0, 16000) == (0, 0)


def test_a_hundred_mixtures_have_the_declared_snr(mixture: Dataset):
    noisy = [clip for clip in mixture.clips() if clip.noise]
    for clip in np.random.default_rng(0).choice(np.array(noisy, dtype=object), 100, replace=False):
        mixed = audio.read(clip, 16000)
        clean = audio.read(Clip("clean", clip.path, clip.start, clip.end), 16000)
        raw = audio.read(Clip("noise", clip.noise.path), 16000)
        under = np.resize(np.roll(raw, -round(clip.noise.start * 16000)), clean.size)
        (speech_gain, noise_gain), *_ = np.linalg.lstsq(np.stack([clean, under], axis=1), mixed, rcond=None)
        np.testing.assert_allclose(speech_gain * clean + noise_gain * under, mixed, atol=1e-4)
        noise_db = 10 * np.log10(np.mean((noise_gain * under) ** 2))
        snr_db = audio.active_level(speech_gain * clean, 16000) - noise_db
        assert snr_db == pytest.approx(clip.noise.snr_db, abs=0.1)
        assert np.abs(mixed).max() < 1


def test_a_mixture_read_twice_is_the_same_to_the_bit(mixture: Dataset):
    clip = next(clip for clip in mixture.clips() if clip.noise)
    np.testing.assert_array_equal(audio.read(clip, 16000), audio.read(clip, 16000))


def test_a_loud_mixture_is_turned_down_and_not_clipped(tmp_path: Path):
    rng = np.random.default_rng(0)
    for name in ("speech", "noise"):
        soundfile.write(tmp_path / f"{name}.wav", np.clip(rng.normal(0, 0.4, 16000), -1, 1), 16000)
    noise = Noise(tmp_path / "noise.wav", 0.25, -5.0)
    mixed = audio.read(Clip("a", tmp_path / "speech.wav", noise=noise), 16000)
    assert np.abs(mixed).max() == pytest.approx(1, abs=1e-5)
    assert (np.abs(mixed) > 0.999).sum() <= 2


def test_a_silent_part_makes_no_mixture(tmp_path: Path):
    soundfile.write(tmp_path / "zero.wav", np.zeros(16000), 16000)
    soundfile.write(tmp_path / "loud.wav", np.full(16000, 0.5), 16000)
    for one, other in (("zero", "loud"), ("loud", "zero")):
        clip = Clip("a", tmp_path / f"{one}.wav", noise=Noise(tmp_path / f"{other}.wav", 0.0, 5.0))
        with pytest.raises(ClipError, match=r"zero\.wav: is silent"):
            audio.read(clip, 16000)


def test_the_content_of_a_mixture_is_all_that_it_is_mixed_from(tmp_path: Path):
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.wav").write_text(name)
    path = tmp_path / "a.wav"
    noises = [None, Noise(tmp_path / "b.wav", 0.0, 5.0), Noise(tmp_path / "c.wav", 0.0, 5.0)]
    noises += [Noise(tmp_path / "b.wav", 0.1, 5.0), Noise(tmp_path / "b.wav", 0.0, 6.0)]
    clips = [Clip("a", path, noise=noise) for noise in noises] + [Clip("a", path, seconds=3.0)]
    assert len({audio.content(clip, audio.sha256) for clip in clips}) == 6


def test_neither_speakers_nor_noises_cross_a_fold(mixture: Dataset, speech: Dataset):
    table = mixture.table
    assert len(table) == len(speech.table)
    noisy = table["noise"] == "noisy"
    for column in ("speaker", "parent", "noise_recording"):
        assert not table[noisy].drop_duplicates([column, "fold"])[column].duplicated().any()
    assert noisy.mean() == pytest.approx(0.5, abs=0.02)
    assert set(table.loc[~noisy, ["snr_db", "noise_kind"]].to_numpy().ravel()) == {"none"}
    assert table.loc[noisy, "snr_db"].value_counts(normalize=True).between(0.14, 0.19).all()
    split = splits.make(mixture, NOISE, "")
    assert (split.name, split.group, split.leaky) == ("fixed", "recording", False)
    assert set(split.groups) == {"recording", "parent", "noise_recording"}


def test_a_noise_on_two_sides_is_refused(mixture: Dataset, tmp_path: Path):
    """Split by recordings alone: a noise that is under two of them stands on both sides."""
    recordings = np.unique(mixture.table["recording"])
    tested = mixture.table["recording"].isin(recordings[::2])
    folds = mixture.table[["clip"]].assign(fold=np.where(tested, "test", "train"))
    folds.to_csv(tmp_path / "folds.csv", index=False)
    with pytest.raises(SplitError, match=r"noise_recording .* on both sides"):
        splits.make(mixture, NOISE, str(tmp_path / "folds.csv"))


def test_the_same_parameters_give_the_same_mixture(mixture: Dataset, speech: Dataset, noises: Dataset):
    again = mix(speech, noises, Mixing(noise_label="kind"))
    pd.testing.assert_frame_equal(again.table, mixture.table)
    other = mix(speech, noises, Mixing(noise_label="kind", seed=1))
    assert not other.table["audio.noise_path"].equals(mixture.table["audio.noise_path"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_label": "sort"}, "has no column 'sort' .label columns: kind, recording."),
        ({"folds": 11, "noise_label": "kind"}, "10 values of speaker are fewer than 11 folds"),
        ({"folds": 1}, "expected one SNR or more, 2 folds or more"),
        ({"snrs_db": []}, "expected one SNR or more"),
        ({"clean": 1.0}, "a share from 0 to below 1"),
        ({"snrs_db": 5}, "mixture of snrs_db = 5, folds = 5"),
        ({"snrs_db": ["5"]}, "expected one SNR or more"),
        ({"folds": "5"}, "2 folds or more"),
    ],
)
def test_a_mixture_that_cannot_be_mixed_is_refused(options, message: str, speech: Dataset, noises: Dataset):
    with pytest.raises(UsageError, match=message):
        mix(speech, noises, Mixing(**options))


def manifest(tmp_path: Path, seconds: dict[str, float]) -> Dataset:
    for name, length in seconds.items():
        soundfile.write(tmp_path / name, np.full(round(length * 8000), 0.1), 8000)
    pd.DataFrame({"path": list(seconds), "speaker": "x"}).to_csv(tmp_path / "clips.csv", index=False)
    return datasets.from_path(tmp_path / "clips.csv", "class")


@pytest.mark.parametrize(
    ("options", "windows"),
    [
        ({}, [(0, 1), (1, 2)]),
        ({"hop": 0.5}, [(0, 1), (0.5, 1.5), (1, 2), (1.5, 2.5)]),
        ({"pad": True}, [(0, 1), (1, 2), (2, 2.5)]),
        ({"hop": 2.0, "pad": True}, [(0, 1), (2, 2.5)]),
    ],
)
def test_a_clip_becomes_segments_of_one_length(options, windows, tmp_path: Path):
    segments = cut(manifest(tmp_path, {"a.wav": 2.5}), seconds=1.0, **options)
    clips = segments.clips()
    assert [(clip.start, clip.end) for clip in clips] == windows
    assert set(segments.table["parent"]) == {"a.wav"}
    assert segments.table["clip"].tolist() == [f"a.wav#{i}" for i in range(len(windows))]
    assert {audio.read(clip, 8000).size for clip in clips} == {8000}


def test_short_clips_are_left_out_and_counted_or_padded(tmp_path: Path):
    whole = manifest(tmp_path, {"a.wav": 0.5, "b.wav": 1.0})
    segments = cut(whole, seconds=1.0)
    assert segments.table["parent"].tolist() == ["b.wav"]
    [note] = segments.notes
    assert display.note(note) == "1 clips shorter than a segment of 1 s are left out."
    padded = audio.read(cut(whole, seconds=1.0, pad=True).clips()[0], 8000)
    assert (padded.size, np.count_nonzero(padded)) == (8000, 4000)
    with pytest.raises(UsageError, match=r"segment of 5 s; .*pad = true"):
        cut(whole, seconds=5.0)
    with pytest.raises(UsageError, match=r"segments of 1 s every 0 s; expected lengths from 0.001 to"):
        cut(whole, seconds=1.0, hop=0)


def test_a_clip_that_cannot_be_opened_stays_in_to_be_listed(tmp_path: Path):
    whole = manifest(tmp_path, {"a.wav": 1.0, "b.wav": 1.0})
    (tmp_path / "a.wav").write_text("hello")
    assert cut(whole, seconds=1.0).table["clip"].tolist() == ["a.wav", "b.wav#0"]


def card(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text('kind = "mixture"\nversion = "3"\nabout = "x"\n[params]\n' + text)
    return path


def test_the_mixture_of_the_docs_is_a_dataset_with_its_scores_by_snr(bench, real: Path, tmp_path: Path):
    page = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    [text] = re.findall(r'^```toml\n(kind = "mixture".*?)^```', page, re.MULTILINE | re.DOTALL)
    (tmp_path / "noisy.toml").write_text(text)
    for name in ("LibriSpeech", "noise"):
        (tmp_path / name).symlink_to(real / name)
    call = ["run", "--datasets", "noisy.toml", "--tasks", "noise", "--extractors", "mfcc", "--heads", "svm"]
    done = bench(*call, "--near-copies", "off")
    assert done.exit_code == 0
    assert "SNR over active speech (ITU-T P.56)" in done.stdout
    assert "[clip vote]" not in done.stdout
    assert "Kept apart in every fold: speaker, session, recording, parent, noise_recording." in done.stdout
    sliced = bench("report", "bench-out", "--by", "snr_db").stdout.split("### accuracy by snr_db")[1]
    lines = [[cell.strip() for cell in line.split("|")] for line in sliced.splitlines()]
    by_snr = {
        line[1]: float(line[3]) for line in lines if len(line) > 3 and line[1] in {"-5", "0", "15", "20"}
    }
    assert np.mean([by_snr["-5"], by_snr["0"]]) > np.mean([by_snr["15"], by_snr["20"]]) + 0.1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('speech = "a"\n', "mine.toml: params: 'noise' .*speech, noise, segment"),
        ('speech = "none"\nnoise = "none"\n', "none: does not exist"),
        (
            'speech = "none"\nnoise = "none"\nsnr = 3\n',
            "mine.toml: params: 'snr' .*speech, noise, segment, snrs_db",
        ),
    ],
)
def test_a_bad_card_of_a_mixture_names_what_is_wrong(text: str, message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        datasets.from_card(catalog.card(card(tmp_path, text)), tmp_path)


def test_a_card_of_a_path_cuts_it(tmp_path: Path):
    manifest(tmp_path, {"a.wav": 2.0})
    path = tmp_path / "cut.toml"
    path.write_text(
        'kind = "path"\nversion = "1"\nabout = ""\n[params]\npath = "clips.csv"\nsegment = { seconds = 1 }\n'
    )
    segments = datasets.from_card(catalog.card(path), tmp_path)
    assert (segments.name, len(segments.table)) == ("cut", 2)
    path.write_text(path.read_text().replace("seconds", "second"))
    with pytest.raises(UsageError, match=r"cut.toml: params: segment: 'second' .*seconds, hop, pad"):
        datasets.from_card(catalog.card(path), tmp_path)


def test_a_card_that_is_not_there_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match=r"none\.toml: no such file"):
        catalog.card(tmp_path / "none.toml")
