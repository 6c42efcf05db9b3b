from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from bench import audio
from bench.errors import UsageError
from bench.exploration import coefficients, components, normalisation
from bench.extractors.mfcc import Mfcc
from bench.report.figures import Bars, fonts, png
from bench.types import Clip, Frames

RNG = np.random.default_rng(0)
SPEAKERS = ["ben", "anna", "ben", "", "anna", "ben"]
FRAMES = [
    (RNG.standard_t(4, size=(n_frames, 5)) * [1, 20, 0.1, 3, 300] + [0, -9, 4, 100, -250]).astype(np.float32)
    for n_frames in (40, 5, 300, 61, 120, 2)
]
STACKED = pd.DataFrame(np.concatenate(FRAMES).astype(float))


def by_z(frames: pd.DataFrame) -> pd.DataFrame:
    """Return the outliers as pandas has them: its deviation is that of n - 1."""
    return ((frames - frames.mean()) / frames.std()).abs() > 3


def by_iqr(frames: pd.DataFrame) -> pd.DataFrame:
    """Return the outliers as pandas has them."""
    low, high = frames.quantile(0.25), frames.quantile(0.75)
    return (frames < low - 1.5 * (high - low)) | (frames > high + 1.5 * (high - low))


def assert_as_pandas(counts: coefficients.Outliers, stacked: pd.DataFrame, groups: np.ndarray) -> None:
    for outliers, numbers, n_any in (
        (by_z(stacked), counts.by_z, counts.n_any_by_z),
        (by_iqr(stacked), counts.by_iqr, counts.n_any_by_iqr),
    ):
        expected = outliers.groupby(groups).sum()
        assert counts.groups == tuple(expected.index)
        np.testing.assert_array_equal(numbers, expected)
        assert 0 < n_any == outliers.any(axis=1).sum()


@pytest.mark.parametrize("memory", [1, 10_000, coefficients.MOST_BYTES])
def test_outliers_are_those_of_pandas_in_any_memory(memory: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(coefficients, "MOST_BYTES", memory)
    counts = coefficients.outliers(FRAMES, SPEAKERS)
    assert_as_pandas(counts, STACKED, np.repeat(SPEAKERS, list(map(len, FRAMES))))
    np.testing.assert_allclose(counts.mean, STACKED.mean())
    np.testing.assert_allclose(counts.deviation, STACKED.std())
    np.testing.assert_allclose([counts.low_quartile, counts.high_quartile], STACKED.quantile([0.25, 0.75]))


def test_without_groups_all_clips_are_one():
    counts = coefficients.outliers(FRAMES)
    assert_as_pandas(counts, STACKED, np.repeat("", len(STACKED)))
    assert coefficients.table(counts)["group"].tolist() == [""] * 5


def test_a_constant_coefficient_has_no_outliers():
    counts = coefficients.outliers([np.full((9, 2), 0.1, np.float32), np.full((9, 2), 0.1, np.float32)])
    assert not counts.by_z.any()
    assert not counts.by_iqr.any()


def test_the_table_has_a_row_per_group_and_coefficient():
    table = coefficients.table(coefficients.outliers(FRAMES, SPEAKERS), ["a", "b", "c", "d", "e"])
    assert table["group"].tolist() == [""] * 5 + ["anna"] * 5 + ["ben"] * 5
    assert table["coefficient"].tolist() == ["a", "b", "c", "d", "e"] * 3
    assert table["frames"].tolist() == [61] * 5 + [125] * 5 + [342] * 5
    sums = table.groupby("coefficient")[["z_score", "iqr"]].sum()
    assert sums["z_score"].tolist() == by_z(STACKED).sum().tolist()
    assert sums["iqr"].tolist() == by_iqr(STACKED).sum().tolist()
    assert table["iqr_share"].tolist() == (table["iqr"] / table["frames"]).tolist()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([FRAMES[0][:1]], "1 frames; expected at least 2"),
        ([FRAMES[0], FRAMES[1][:, :3]], r"dims \[3, 5\]; expected clips with one dim"),
        ([], r"0 clips with dims \[\]"),
    ],
)
def test_frames_without_a_distribution_are_refused(frames: list[Frames], message: str):
    with pytest.raises(UsageError, match=message):
        coefficients.outliers(frames)


def scaled_pca(frames: np.ndarray) -> np.ndarray:
    """Return the cumulative share of the variance of scikit-learn's components."""
    return PCA().fit(StandardScaler().fit_transform(frames)).explained_variance_ratio_.cumsum()


@pytest.mark.parametrize("share", [0.3, 0.85, 0.999])
@pytest.mark.parametrize("shape", [(200, 8), (8, 200), (30, 30)])
def test_components_are_those_of_scikit_learn(share: float, shape: tuple[int, int]):
    vectors = RNG.normal(size=shape) @ np.diag(RNG.uniform(0.1, 9, shape[1]))
    vectors = vectors + 3 * vectors[:, :1]
    expected = int(np.argmax(scaled_pca(vectors) >= share)) + 1
    assert components.of_vectors(vectors, share) == expected


def test_a_clip_has_components_of_its_frames():
    constant = np.full((30, 5), 0.1, np.float32)
    numbers = components.of_clips([*FRAMES, constant, FRAMES[0][0]], 0.85)
    expected = [int(np.argmax(scaled_pca(frames.astype(float)) >= 0.85)) + 1 for frames in FRAMES]
    assert numbers.of_clip.tolist() == [*expected, 0, 0]
    assert numbers.n_frames.tolist() == [40, 5, 300, 61, 120, 2, 30, 1]
    assert (numbers.mean, numbers.dim) == (np.mean(expected), 5)


@pytest.mark.parametrize("share", [0, 1.1, -1, float("nan")])
def test_a_share_of_the_variance_is_above_0_and_at_most_1(share: float):
    with pytest.raises(UsageError, match="expected above 0, at most 1"):
        components.of_clips(FRAMES, share)


@pytest.mark.parametrize(("low", "high", "n_bins"), [(3, 3, 1), (12, 17, 6), (23, 118, 20), (1, 21, 11)])
def test_a_histogram_counts_every_clip_once(low: int, high: int, n_bins: int):
    of_clip = np.array([low, high, 0, low, high, high])
    numbers = components.Components(share=0.85, dim=200, n_frames=np.full(6, 300), of_clip=of_clip)
    [bars] = components.figure(numbers).bars.values()
    assert len(bars) == n_bins
    assert sum(bars.values()) == 5
    assert n_bins == 1 or [*bars.values()][:: n_bins - 1] == [2, 3]


def moments(frames: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and variance of every array of frames."""
    return np.stack([part.mean(axis=0) for part in frames]), np.stack([part.var(axis=0) for part in frames])


def test_moments_before_are_those_of_numpy():
    checked = normalisation.check(FRAMES, {"speaker": SPEAKERS})
    frames = [clip.astype(float) for clip in FRAMES]
    of_speakers = [
        np.concatenate([clip for clip, name in zip(frames, SPEAKERS, strict=True) if name == speaker])
        for speaker in ("", "anna", "ben")
    ]
    expected = {"clip": frames, "speaker": of_speakers, "all": [np.concatenate(frames)]}
    for name, parts in expected.items():
        before = checked.before[name]
        np.testing.assert_allclose((before.mean, before.variance), moments(parts), rtol=1e-9)
        assert before.n_frames.tolist() == [len(part) for part in parts]
    assert checked.before["speaker"].units == ("", "anna", "ben")


@pytest.mark.parametrize("by", ["clip", "speaker", "all"])
def test_what_is_normalised_over_has_mean_0_and_variance_1(by: str):
    checked = normalisation.check(FRAMES, {"speaker": SPEAKERS}, by)
    assert checked.before[by].largest_mean > 100
    units = ["clip", "speaker", "all"]
    for name, after in checked.after.items():
        exact = units.index(name) >= units.index(by)  # clips of mean 0 and variance 1 have these together too
        assert (after.largest_mean < 1e-6) == exact
        assert (after.largest_variance < 1e-5) == exact


@pytest.mark.parametrize("by", ["clip", "speaker", "all"])
def test_a_constant_coefficient_is_no_deviation_from_variance_1(by: str):
    frames = [np.hstack([clip, np.full((len(clip), 1), 0.1, np.float32)]) for clip in FRAMES]
    after = normalisation.check(frames, {"speaker": SPEAKERS}, by).after[by]
    assert after.largest_variance < 1e-5
    assert after.varied.all(axis=0).tolist() == [True] * 5 + [False]
    assert (after.mean[:, 5] == 0).all()
    assert (after.variance[:, 5] == 0).all()


def test_single_frames_do_not_vary():
    single = normalisation.check([clip[0] for clip in FRAMES], {}, "clip").after["clip"]
    assert np.isnan(single.largest_variance)


def test_what_cannot_be_normalised_over_is_refused():
    with pytest.raises(UsageError, match="there is no such column; expected clip, all, speaker"):
        normalisation.check(FRAMES, {"speaker": SPEAKERS}, "session")


def speech(real: Path, n_speakers: int = 10) -> tuple[list[np.ndarray], list[str]]:
    """Return the audio of a clip of every speaker of test-other, and the speakers."""
    folders = sorted((real / "LibriSpeech" / "test-other").iterdir())[:n_speakers]
    paths = [sorted(folder.rglob("*.flac"))[0] for folder in folders]
    return [audio.read(Clip(path.stem, path), 16_000) for path in paths], [folder.name for folder in folders]


def test_outliers_and_components_of_speech_are_those_of_pandas_and_scikit_learn(real: Path):
    clips, speakers = speech(real)
    frames = list(Mfcc(13).embed(clips))
    counts = coefficients.outliers(frames, speakers)
    stacked = pd.DataFrame(np.concatenate(frames).astype(float))
    assert_as_pandas(counts, stacked, np.repeat(speakers, list(map(len, frames))))
    numbers = components.of_clips(frames, 0.85)
    expected = [int(np.argmax(scaled_pca(clip.astype(float)) >= 0.85)) + 1 for clip in frames]
    assert numbers.of_clip.tolist() == expected


def test_mfcc_cmvn_normalises_as_the_check_does(real: Path):
    clips, _ = speech(real, 3)
    plain, cmvn = (normalisation.check(Mfcc(13, cmvn=cmvn).embed(clips), {}) for cmvn in (False, True))
    assert plain.before["clip"].largest_mean > 100
    assert cmvn.before["clip"].largest_mean < 1e-4
    assert cmvn.before["clip"].largest_variance < 1e-4


@pytest.mark.figures
def test_bars_can_be_drawn_and_name_what_no_font_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counts = coefficients.outliers(FRAMES)
    figures = [coefficients.figure(counts), components.figure(components.of_clips(FRAMES, 0.85))]
    for number, figure in enumerate(figures):
        png.write(figure, tmp_path / f"{number}.png")
        assert png.is_whole(tmp_path / f"{number}.png")
    monkeypatch.setattr(fonts, "_others", dict)
    drawable = png._drawable(coefficients.figure(counts, ["猫", "b", "c", "d", "e"]))
    assert isinstance(drawable, Bars)
    assert list(drawable.bars["1.5 IQR"]) == ["[1]", "b", "c", "d", "e"]
