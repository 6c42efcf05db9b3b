"""Figures of an answer: what was heard, how sure the model is, and its labels over time."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

import librosa
import numpy as np
from matplotlib import figure as plots
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MultipleLocator

from bench import audio
from bench.errors import ClipError
from bench.inference import mel, timelines, windows
from bench.inference.answers import Answer, Prediction, Segment, Window
from bench.metrics import Floats
from bench.report.figures import fonts, png
from bench.report.figures.palette import COLOURS, GREY
from bench.types import Audio, Clip

RATE = 16_000
"""Rate of the spectrogram of a file, in Hz."""

RANGE_DB = 80.0
"""Distance of the lightest and the darkest colour, in dB."""

QUIETEST = 1e-8
"""Power that is the lightest colour at least, so that noise of the last bit is dark."""

TICKS_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16_000)

MOST_CLASSES = 25
"""Largest number of classes with a bar, and of labels with a line; the others share one."""

MOST_POINTS = 1000
"""Largest number of points of a line of confidences."""

LONGEST_NAME = 40
"""Largest number of characters of a name on an axis."""

CLOCK_S = 120
"""Length from which times are written as on a clock, in s."""

STEPS_S, MOST_TICKS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600), 9
"""Distances of times on an axis, in s, and the largest number of distances."""

HATCH = "////"
"""What marks the unfamiliar."""


def spectrogram_of_file(recording: Clip, path: Path) -> None:
    """Draw the mel spectrogram of a file of any length, of which a minute at a time is in memory.

    Raises
    ------
    ClipError
        If the file cannot be read.
    """
    clips = windows.blocks(recording)

    def blocks() -> Iterator[Audio]:
        for block in audio.read_windows(clips, RATE):
            if isinstance(block, ClipError):
                raise block
            yield block

    seconds = (clips[-1].end or 0.0) - (clips[0].start or 0.0)
    spectrogram(blocks(), round(seconds * RATE), RATE, path)


def spectrogram(blocks: Iterable[Audio], n_samples: int, sample_rate: int, path: Path) -> None:
    """Draw the mel spectrogram of samples that come in blocks, in dB below the loudest, over s and Hz.

    Parameters
    ----------
    blocks : Iterable[Audio]
        Samples in [-1, 1], one block after the other.
    n_samples : int
        Number of samples of all blocks.
    sample_rate : int
        In Hz.
    path : Path
        Of the PNG file.
    """
    power = mel.power(blocks, n_samples, sample_rate)
    reference = max(float(power.max()), QUIETEST)
    levels = librosa.power_to_db(power, ref=reference, amin=1e-20, top_db=None)

    def draw() -> plots.Figure:
        drawing = png.canvas(9, 4)
        drawing.set_layout_engine("none")  # the texts are always the same: no layout needs to be computed
        plot = drawing.add_axes((0.085, 0.125, 0.785, 0.85))
        extent = (0.0, n_samples / sample_rate, 0.0, mel.N_MELS)
        colours: dict[str, Any] = {"cmap": "magma", "vmin": -RANGE_DB, "vmax": 0.0}
        image = plot.imshow(levels, origin="lower", aspect="auto", extent=extent, **colours)
        scale = drawing.add_axes((0.89, 0.125, 0.02, 0.85))
        drawing.colorbar(image, cax=scale, label="level in dB below the loudest")
        ticks = [tick for tick in TICKS_HZ if tick <= sample_rate / 2]
        centres = librosa.mel_frequencies(mel.N_MELS + 2, fmax=sample_rate / 2)[1:-1]
        rows = np.interp(ticks, centres, np.arange(mel.N_MELS) + 0.5)
        plot.set_yticks(rows, [f"{tick:,}" for tick in ticks])
        plot.set_ylabel("frequency in Hz (mel scale)")
        _time_axis(plot, n_samples / sample_rate)
        return drawing

    png.save(draw, [], path)


def confidence(prediction: Prediction, path: Path) -> None:
    """Draw the probabilities of the classes as bars, with the prediction set, and whether it is unfamiliar.

    At most `MOST_CLASSES` bars are drawn; one more has the sum of the other classes.
    """
    values = dict(itertools.islice(prediction.probabilities.items(), MOST_CLASSES))
    n_others = len(prediction.probabilities) - len(values)
    names = _names(list(values))
    numbers = list(values.values())
    colours = [_bar_colour(name, prediction) for name in values]
    if n_others:
        names.append(f"{n_others} other classes")
        numbers.append(max(0.0, 1.0 - sum(numbers)))
        colours.append(GREY)
    title = _title(prediction)

    def draw() -> plots.Figure:
        drawing = png.canvas(8, 1.3 + 0.27 * max(len(names), 2))
        plot = drawing.add_subplot()
        is_far = prediction.unfamiliar is not None and prediction.unfamiliar.flag
        rows = np.arange(len(names))
        plot.barh(
            rows, numbers, color=colours, hatch=HATCH if is_far else None, edgecolor="white", linewidth=0
        )
        for row, number in enumerate(numbers):
            plot.text(number + 0.01, row, f"{number:.3f}", va="center", fontsize=8)
        if not names:
            plot.text(0.5, 0.2, "the model gives no probabilities", ha="center", va="center")
        plot.set_yticks(rows, names, fontsize=8, parse_math=False)
        plot.set_ylim(max(len(names), 1) - 0.4, -0.6)
        plot.set_xlim(0, 1.08)
        plot.set_xticks(np.linspace(0, 1, 6))
        plot.set_xlabel("probability")
        plot.set_title(title, parse_math=False, fontsize=10)
        plot.grid(axis="x", alpha=0.3)
        plot.set_axisbelow(True)
        handles = _bar_legend(prediction, is_far)
        if handles:
            plot.legend(handles=handles, bbox_to_anchor=(1.01, 1), loc="upper left", fontsize=8)
        return drawing

    png.save(draw, [title, *names], path)


def _bar_colour(name: str, prediction: Prediction) -> str:
    """Return the colour of a class: the label's, that of the rest of the prediction set, or grey."""
    if name == prediction.predicted_label:
        return COLOURS[0]
    return COLOURS[5] if name in prediction.set else GREY


def _bar_legend(prediction: Prediction, is_far: bool) -> list[Patch]:
    """Return what the colours and hatches of the bars mean; empty without a set and with familiar audio."""
    handles = []
    if prediction.set:
        handles = [Patch(color=COLOURS[0], label="label")]
        handles += [Patch(color=COLOURS[5], label="in the set")] * (len(prediction.set) > 1)
        handles += [Patch(color=GREY, label="not in the set")]
    if is_far:
        handles.append(Patch(facecolor=GREY, edgecolor="white", hatch=HATCH, label="unfamiliar"))
    return handles


def _title(prediction: Prediction) -> str:
    """Return the label with its confidence, and how far the audio is from the training clips."""
    title = _name(fonts.drawable(prediction.predicted_label))
    if prediction.confidence is not None:
        title += f", confidence {prediction.confidence:.2f}"
    if prediction.unfamiliar is not None and prediction.unfamiliar.flag:
        title += f"; unfamiliar, {prediction.unfamiliar.score:.1f} x the limit"
    return title


def timeline(answer: Answer, path: Path) -> None:
    """Draw the segments of an answer, a row per label, over the confidence of its windows.

    Unfamiliar segments are hatched. The most frequent `MOST_CLASSES` labels have a row, the others share one.
    """
    segments = timelines.segments(answer)
    labels = _frequent(segments)
    n_others = len({segment.label for segment in segments}) - len(labels)
    names = _names(labels) + [f"{n_others} other labels"] * bool(n_others)
    n_rows = len(names)
    title = fonts.drawable(_name(PurePath(answer.file).name))

    def draw() -> plots.Figure:
        points = _confidences(answer.windows, segments)
        drawing = png.canvas(9, 1.6 + 0.25 * n_rows + 1.2 * bool(len(points)))
        ratios = [0.4 + 0.25 * n_rows, 1.2] if len(points) else [1]
        plots_below = drawing.subplots(len(ratios), sharex=True, squeeze=False, height_ratios=ratios)[:, 0]
        _draw_segments(plots_below[0], segments, labels)
        plots_below[0].set_yticks(range(n_rows), names, fontsize=8, parse_math=False)
        plots_below[0].set_title(title, parse_math=False, fontsize=10)
        if len(points):
            _draw_confidences(plots_below[1], points)
        _time_axis(plots_below[-1], answer.duration)
        return drawing

    png.save(draw, [title, *names], path)


def _frequent(segments: Sequence[Segment]) -> list[str]:
    """Return the labels with a row, in the order of time: those with the most time."""
    times: dict[str, float] = {}
    for segment in segments:
        times[segment.label] = times.get(segment.label, 0.0) + segment.end - segment.start
    frequent = sorted(times, key=lambda label: -times[label])[:MOST_CLASSES]
    return [label for label in times if label in frequent]


def _draw_segments(plot: Any, segments: Sequence[Segment], labels: Sequence[str]) -> None:
    """Draw a bar per segment in the row of its label; the edge keeps the shortest visible."""
    order = {label: number for number, label in enumerate(labels)}
    spans: dict[tuple[int, bool], list[tuple[float, float]]] = {}
    for segment in segments:
        row = order.get(segment.label, len(labels))
        spans.setdefault((row, segment.unfamiliar), []).append((segment.start, segment.end - segment.start))
    for (row, is_far), places in spans.items():
        colour = COLOURS[row % len(COLOURS)] if row < len(labels) else GREY
        style = {"facecolor": "white", "hatch": HATCH} if is_far else {"facecolor": colour}
        plot.broken_barh(places, (row - 0.35, 0.7), edgecolor=colour, linewidth=0.8, **style)
    plot.set_ylim(max(row for row, _ in spans) + 0.6, -0.6)
    plot.grid(axis="x", alpha=0.3)
    plot.set_axisbelow(True)
    if any(segment.unfamiliar for segment in segments):
        sign = Patch(facecolor="white", edgecolor="black", hatch=HATCH, label="unfamiliar")
        plot.legend(handles=[sign], bbox_to_anchor=(1.01, 1), loc="upper left", fontsize=8)


def _confidences(windows: Sequence[Window], segments: Sequence[Segment]) -> Floats:
    """Return times with the lowest, mean and highest confidence there, shape=(n_points, 4).

    With more than `MOST_POINTS` windows, a point is of several.
    """
    values = [
        ((window.start + window.end) / 2, window.prediction.confidence)
        for window in windows
        if window.prediction.confidence is not None
    ] or [
        (time, segment.confidence)
        for segment in segments
        if segment.confidence is not None
        for time in (segment.start, segment.end)
    ]
    parts = np.array_split(np.array(values).reshape(-1, 2), min(max(len(values), 1), MOST_POINTS))
    return np.array(
        [
            (part[:, 0].mean(), part[:, 1].min(), part[:, 1].mean(), part[:, 1].max())
            for part in parts
            if part.size
        ]
    ).reshape(-1, 4)


def _draw_confidences(plot: Any, points: Floats) -> None:
    """Draw the mean confidence over time, within the lowest and the highest."""
    times, lowest, mean, highest = points.T
    plot.fill_between(times, lowest, highest, color=GREY, linewidth=0)
    plot.plot(times, mean, color=COLOURS[0], linewidth=1, marker="." if len(points) < 100 else None)
    plot.set_ylim(0, 1.05)
    plot.set_ylabel("confidence")
    plot.grid(alpha=0.3)


def _time_axis(plot: Any, seconds: float) -> None:
    """Name the time axis; minutes and hours are written as on a clock."""
    plot.set_xlim(0, seconds)
    if seconds < CLOCK_S:
        plot.set_xlabel("time in s")
        return
    step = next((step for step in STEPS_S if seconds / step <= MOST_TICKS), seconds / MOST_TICKS)
    plot.xaxis.set_major_locator(MultipleLocator(step))
    plot.xaxis.set_major_formatter(FuncFormatter(lambda time, _: _clock(time)))
    plot.set_xlabel("time in h:min:s" if seconds >= 3600 else "time in min:s")


def _clock(seconds: float) -> str:
    """Return a time as on a clock.

    Examples
    --------
    >>> _clock(90), _clock(3725)
    ('1:30', '1:02:05')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _names(labels: Sequence[str]) -> list[str]:
    """Return names of labels on one line, with a number before those that are alike when they are cut."""
    names = [_name(name) for name in fonts.by_number(labels)]
    counts = Counter(names)
    return [name if counts[name] == 1 else f"{number}: {name}" for number, name in enumerate(names, start=1)]


def _name(text: str) -> str:
    """Return a text on one line, its middle left out if it is long."""
    text = " ".join(text.split())
    half = (LONGEST_NAME - 1) // 2
    return text if len(text) <= LONGEST_NAME else f"{text[:half]}…{text[-half:]}"
