"""The figure of an explanation: its map over the spectrogram of the recording."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import librosa
import matplotlib
import numpy as np
from matplotlib import figure as plots
from matplotlib.backends.backend_agg import FigureCanvasAgg

from bench.inference.explanations.explanation import Explanation, Procedure, Values
from bench.report.figures import fonts
from bench.types import Audio

NAMES: Mapping[Procedure, str] = {
    "integrated-gradients": "integrated gradients",
    "windows": "scores of windows alone",
    "occlusion": "occlusion",
    "gradcam": "Grad-CAM",
}
"""Procedure -> its name for people."""

UNITS: Mapping[Procedure, str] = {
    "integrated-gradients": "share of the log-odds",
    "windows": "log-odds of the window",
    "occlusion": "fall of the log-odds",
    "gradcam": "activation that raises the log-odds",
}
"""Procedure -> what its values are."""


WINDOW_SECONDS = 0.032
"""Length of the windows of the spectrogram, in s."""

N_MELS = 80
TICKS = (0, 250, 500, 1000, 2000, 4000, 8000, 16_000)
"""In Hz."""

BRIGHTEST = 0.99
"""Quantile of a map's absolute values from which on the colour is the brightest."""

MOST_OPAQUE = 0.6
"""Opacity of the largest value of a map."""


def figure(explanation: Explanation, audio: Audio, rate: int, path: Path) -> None:
    """Draw the spectrogram of a recording with an explanation over it, as a PNG file.

    Parameters
    ----------
    audio : Audio
        The recording that was explained.
    rate : int
        Its rate, in Hz.
    path : Path
        File to write; the same explanation gives the same bytes.
    """
    title = fonts.drawable(f"Where the model sees '{explanation.label}'")
    with matplotlib.rc_context({"font.family": fonts.families([title])}):
        drawing = plots.Figure(figsize=(9, 5), dpi=100, layout="constrained")
        FigureCanvasAgg(drawing)
        plot = drawing.add_subplot()
        _spectrogram(plot, audio, rate)
        _overlay(drawing, plot, explanation, len(audio) / rate, rate)
        plot.set_title(title, parse_math=False)
        plot.set_xlabel("time in s")
        drawing.supxlabel(verdict(explanation), fontsize=9)
        drawing.savefig(path, format="png", dpi="figure", metadata={"Software": None})


def verdict(explanation: Explanation) -> str:
    """Return the method and its pointing accuracy as one line.

    Examples
    --------
    >>> moment = np.zeros(1)
    >>> about = {"label": "dog", "times": moment, "frequencies": None, "values": moment}
    >>> verdict(Explanation(method="occlusion", **about, pointing=0.4, chance=1 / 3, n_planted=10))
    'occlusion: finds a planted event in 4 of 10 recordings (chance: 33 %), not significantly better'
    """
    hits = round(explanation.pointing * explanation.n_planted)
    end = "" if explanation.can_point else ", not significantly better"
    return (
        f"{NAMES[explanation.method]}: finds a planted event in {hits} of {explanation.n_planted} recordings "
        f"(chance: {100 * explanation.chance:.0f} %){end}"
    )


def _spectrogram(plot: Any, audio: Audio, rate: int) -> None:
    """Draw the mel spectrogram in grey, in dB below its maximum, on an axis in mel."""
    n_fft = round(WINDOW_SECONDS * rate)
    y = librosa.util.fix_length(audio, size=max(len(audio), n_fft))
    power = librosa.feature.melspectrogram(y=y, sr=rate, n_fft=n_fft, hop_length=n_fft // 4, n_mels=N_MELS)
    image = librosa.power_to_db(power, ref=np.max)
    extent = (0, len(audio) / rate, 0, librosa.hz_to_mel(rate / 2))
    plot.imshow(image, origin="lower", aspect="auto", cmap="gray_r", extent=extent)
    ticks = [hertz for hertz in TICKS if hertz <= rate / 2]
    plot.set_yticks(librosa.hz_to_mel(ticks), [str(hertz) for hertz in ticks])
    plot.set_ylabel("frequency in Hz")


def _overlay(drawing: Any, plot: Any, explanation: Explanation, seconds: float, rate: int) -> None:
    """Draw the map over the spectrogram: red speaks for the label, blue against it; pale parts are clear."""
    values = explanation.values.reshape(len(explanation.times), -1)
    largest = float(np.quantile(np.abs(values), BRIGHTEST)) or float(np.abs(values).max()) or 1.0
    times = _edges(explanation.times, 0, seconds)
    if explanation.frequencies is None:
        mels = np.array([0, librosa.hz_to_mel(rate / 2)])
    else:
        mels = _edges(librosa.hz_to_mel(explanation.frequencies), 0, float(librosa.hz_to_mel(rate / 2)))
    opacity = np.minimum(np.abs(values.T) / largest, 1) * MOST_OPAQUE
    mesh = plot.pcolormesh(times, mels, values.T, cmap="bwr", vmin=-largest, vmax=largest, alpha=opacity)
    scale = matplotlib.cm.ScalarMappable(mesh.norm, mesh.cmap)
    is_one_sided = values.min() >= 0
    extend = "max" if is_one_sided else "both"
    bar = drawing.colorbar(scale, ax=plot, label=UNITS[explanation.method], extend=extend)
    if is_one_sided:
        bar.ax.set_ylim(0, largest)


def _edges(centres: Values, first: float, last: float) -> Values:
    """Return the edges of cells from their centres, which need not be equally far apart."""
    return np.array([first, *(centres[:-1] + centres[1:]) / 2, last])
