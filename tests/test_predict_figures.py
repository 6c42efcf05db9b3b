from pathlib import Path

import librosa
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from bench import audio
from bench.errors import ClipError
from bench.inference import figures, mel, segments
from bench.inference.answers import Answer, Measurement, Prediction, Unfamiliarity, Window
from bench.types import Clip

FAR, NEAR = Unfamiliarity(score=1.83, flag=True), Unfamiliarity(score=0.4, flag=False)


@pytest.fixture
def drawings(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Return the figures that are drawn from here on; no file is written."""
    figures_: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: figures_.append(figure))
    return figures_


def prediction(probabilities: dict[str, float], unfamiliar=None, members: tuple[str, ...] = ()) -> Prediction:
    ranked = dict(sorted(probabilities.items(), key=lambda item: -item[1]))
    label = next(iter(ranked), "none")
    return Prediction(
        predicted_label=label,
        confidence=ranked.get(label),
        probabilities=ranked,
        set=members,
        unfamiliar=unfamiliar,
    )


def answer(labels: str, seconds: float = 1.0, far: str = "", file: str = "talk.wav") -> Answer:
    """Return an answer with a window of some seconds per letter; those in `far` are unfamiliar."""
    windows = tuple(
        Window(
            start=number * seconds,
            end=(number + 1) * seconds,
            prediction=prediction({label: 0.9, "?": 0.1}, FAR if label in far else NEAR),
        )
        for number, label in enumerate(labels)
    )
    return Answer(
        file=file,
        model="m",
        task="t",
        duration=len(labels) * seconds,
        prediction=windows[0].prediction,
        calibrated=True,
        measured=Measurement(metric="accuracy", value=0.9),
        windows=windows,
        segments=segments.merge(windows),
    )


def names(plot) -> list[str]:
    return [label.get_text() for label in plot.get_yticklabels()]


def hatches(plot) -> set[str | None]:
    return {artist.get_hatch() for artist in [*plot.patches, *plot.collections]}


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
@pytest.mark.parametrize("size", [100, 8000, 33_333])
def test_mel_power_is_that_of_librosa(rate: int, size: int):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, size).astype(np.float32)
    n_fft = max(round(0.064 * rate), 512)
    hop, length = rate // 100, round(0.025 * rate)
    padded = np.pad(samples, n_fft // 2)  # librosa's own padding warns of short samples
    options = {"n_fft": n_fft, "hop_length": hop, "win_length": length, "n_mels": 80, "center": False}
    expected = librosa.feature.melspectrogram(y=padded, sr=rate, **options)
    np.testing.assert_allclose(mel.power([samples], size, rate), expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        mel.power(np.array_split(samples, 7), size, rate), expected, rtol=1e-4, atol=1e-7
    )


def test_a_long_recording_has_few_columns_and_the_power_of_all_frames(monkeypatch: pytest.MonkeyPatch):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 8000 * 4).astype(np.float32)
    every = mel.power([samples], samples.size, 8000)
    monkeypatch.setattr(mel, "MOST_COLUMNS", 40)
    few = mel.power([samples], samples.size, 8000)
    assert few.shape == (80, 40)
    sizes = np.bincount(np.arange(401) * 40 // 401)
    np.testing.assert_allclose((few * sizes).sum(axis=1), every.sum(axis=1), rtol=1e-6)


def test_silence_is_dark(drawings: list[Figure]):
    figures.spectrogram([np.zeros(800, dtype=np.float32)], 800, 8000, Path("a.png"))
    image = drawings[0].axes[0].images[0]
    assert image.get_array().max() <= image.get_clim()[0] == -80


def test_a_tone_is_loudest_in_the_row_of_its_frequency(drawings: list[Figure]):
    centres = librosa.mel_frequencies(82, fmax=4000)[1:-1]
    tone = np.sin(2 * np.pi * centres[40] * np.arange(8000) / 8000).astype(np.float32)
    figures.spectrogram([tone], len(tone), 8000, Path("a.png"))
    plot = drawings[0].axes[0]
    assert plot.images[0].get_array()[:, 50].argmax() == 40  # the row from 40 to 41
    frequencies = [int(name.replace(",", "")) for name in names(plot)]
    np.testing.assert_allclose(np.interp(frequencies, centres, np.arange(80) + 0.5), plot.get_yticks())
    assert frequencies == [125, 250, 500, 1000, 2000, 4000]
    assert plot.get_xlim() == (0, 1)


def test_the_spectrogram_of_a_file_is_that_of_its_samples(tone, drawings: list[Figure]):
    path = tone("a.wav", 1.5, rate=16_000)
    figures.spectrogram_of_file(Clip("a", path), Path("a.png"))
    samples = next(iter(audio.read_windows(figures.windows.blocks(Clip("a", path)), 16_000)))
    figures.spectrogram([samples], len(samples), 16_000, Path("b.png"))
    one, other = (drawing.axes[0].images[0].get_array() for drawing in drawings)
    np.testing.assert_array_equal(one, other)


def test_the_spectrogram_of_no_audio_is_a_clip_error(tmp_path: Path):
    (tmp_path / "a.wav").write_text("no audio")
    with pytest.raises(ClipError, match="not decodable"):
        figures.spectrogram_of_file(Clip("a", tmp_path / "a.wav"), tmp_path / "a.png")


def test_bars_show_the_label_the_set_and_the_unfamiliar(drawings: list[Figure]):
    probabilities = {"a": 0.6, "b": 0.3, "c": 0.1}
    for unfamiliar in (FAR, NEAR):
        figures.confidence(prediction(probabilities, unfamiliar, ("a", "b")), Path("a.png"))
    far, near = (drawing.axes[0] for drawing in drawings)
    assert names(far) == ["a", "b", "c"]
    assert [bar.get_width() for bar in far.patches] == [0.6, 0.3, 0.1]
    assert len({bar.get_facecolor() for bar in far.patches}) == 3
    assert (hatches(far), hatches(near)) == ({"////"}, {None})
    assert far.get_title() == "a, confidence 0.60; unfamiliar, 1.8 x the limit"
    assert near.get_title() == "a, confidence 0.60"
    labels = [text.get_text() for text in far.get_legend().get_texts()]
    assert labels == ["label", "in the set", "not in the set", "unfamiliar"]


def test_classes_beyond_the_largest_number_share_a_bar(drawings: list[Figure]):
    probabilities = {f"class {i}": (100 - i) / 5050 for i in range(100)}
    figures.confidence(prediction(probabilities), Path("a.png"))
    plot = drawings[0].axes[0]
    assert len(plot.patches) == 26
    assert names(plot)[-1] == "75 other classes"
    assert sum(bar.get_width() for bar in plot.patches) == pytest.approx(1)


def test_names_that_are_alike_when_they_are_cut_have_numbers(drawings: list[Figure]):
    long = "a very long name of a class "
    probabilities = {f"{long}one {long}": 0.5, f"{long}two {long}": 0.3, "b\n c": 0.2}
    figures.confidence(prediction(probabilities), Path("a.png"))
    first, second, third = names(drawings[0].axes[0])
    assert first.startswith("1: a very")
    assert second.startswith("2: a very")
    assert len(first) <= 43
    assert third == "b c"


def test_a_model_without_probabilities_says_so(drawings: list[Figure]):
    figures.confidence(prediction({}), Path("a.png"))
    assert [text.get_text() for text in drawings[0].axes[0].texts] == ["the model gives no probabilities"]


def test_a_timeline_has_a_row_per_label_and_hatches_the_unfamiliar(drawings: list[Figure]):
    figures.timeline(answer("aabbca", far="c", file="folder/talk.wav"), Path("a.png"))
    rows, line = drawings[0].axes
    assert rows.get_title() == "talk.wav"
    assert names(rows) == ["a", "b", "c"]
    spans = [[path.get_extents().intervalx.tolist() for path in c.get_paths()] for c in rows.collections]
    assert spans == [[[0, 2], [5, 6]], [[2, 4]], [[4, 5]]]
    assert [collection.get_hatch() for collection in rows.collections] == [None, None, "////"]
    np.testing.assert_allclose(line.lines[0].get_xydata(), [[i + 0.5, 0.9] for i in range(6)])


def test_a_long_timeline_has_times_on_a_clock_and_few_points(drawings: list[Figure]):
    figures.timeline(answer("ab" * 1800, seconds=1.0), Path("a.png"))
    line = drawings[0].axes[1]
    assert len(line.lines[0].get_xydata()) == 1000
    axis = line.xaxis
    times = axis.get_major_formatter().format_ticks(axis.get_major_locator().tick_values(0, 3600))
    assert {"0:00", "10:00", "50:00", "1:00:00"} < set(times)


def test_labels_beyond_the_largest_number_share_the_last_row(drawings: list[Figure]):
    figures.timeline(answer("".join(map(chr, range(100, 130)))), Path("a.png"))
    assert names(drawings[0].axes[0])[-1] == "5 other labels"
    assert len(names(drawings[0].axes[0])) == 26


@pytest.mark.figures
def test_figures_are_pictures_and_the_same_bytes_again(tmp_path: Path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 1600).astype(np.float32)
    for name in ("a", "b"):
        figures.spectrogram([samples], len(samples), 16_000, tmp_path / f"{name} spectrogram.png")
        figures.confidence(prediction({"$a": 0.6, "日本": 0.4}, FAR), tmp_path / f"{name} confidence.png")
        figures.timeline(answer("aab", far="b"), tmp_path / f"{name} timeline.png")
    for kind in ("spectrogram", "confidence", "timeline"):
        one, other = (tmp_path / f"{name} {kind}.png" for name in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()
        with Image.open(one) as image:
            assert len(image.convert("L").getcolors()) > 10
