"""How often intervals hold the truth, and tests differences that are none: docs/figures/coverage.png.

Speakers differ in how well they are told, and so does each system from speaker to speaker, on the scale of
the logit. Run as `python tests/perf/coverage.py`; it takes some minutes, prints its figures, and fails if one
is not what docs/numbers.md promises.
"""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.special import expit

from bench import stats
from bench.metrics import METRICS, Predicted

N_SIMULATED = 2000
MEAN, SPREAD = 1.5, 1.0
"""Of a speaker's logit of being told right."""

SETTINGS = ((10, 20), (20, 20), (50, 10), (200, 5))
"""Speakers, clips of each."""

ACCURACY = METRICS["accuracy"]
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "coverage.png"


def predicted(rng: np.random.Generator, logits: np.ndarray, n_clips: int) -> Predicted:
    """Return predictions of so many clips per speaker."""
    right = rng.random((len(logits), n_clips)) < expit(logits)[:, None]
    y_true = np.full(right.size, "a")
    return Predicted(y_true, np.where(right.ravel(), "a", "b"), np.array(["a", "b"]))


def coverage(n_speakers: int, n_clips: int) -> tuple[float, float]:
    """Return how often intervals by speaker, and by clip, hold the accuracy over all speakers."""
    rng = np.random.default_rng(n_speakers)
    truth = expit(MEAN + SPREAD * rng.standard_normal(4_000_000)).mean()
    speaker, clip = (np.repeat(np.arange(n_speakers), n_clips).astype(str), np.arange(n_speakers * n_clips))
    hits = np.zeros(2)
    for _ in range(N_SIMULATED):
        p = predicted(rng, MEAN + SPREAD * rng.standard_normal(n_speakers), n_clips)
        for place, group in enumerate((speaker, clip.astype(str))):
            low, high = stats.bounds(ACCURACY, p, group)
            hits[place] += low <= truth <= high
    return tuple(hits / N_SIMULATED)


def false_alarms(n_speakers: int, n_clips: int) -> tuple[float, float, float]:
    """Return how often the bootstrap, the permutation and McNemar find equal systems different at 5 %."""
    rng = np.random.default_rng(n_speakers + 1)
    speaker = np.repeat(np.arange(n_speakers), n_clips).astype(str)
    found = np.zeros(3)
    for _ in range(N_SIMULATED):
        shared = MEAN + SPREAD * rng.standard_normal(n_speakers)
        own = [shared + 0.7 * SPREAD * rng.standard_normal(n_speakers) for _ in range(2)]
        a, b = (predicted(rng, logits, n_clips) for logits in own)
        each = stats.compare(ACCURACY, a, b, speaker)
        found += np.array([each.difference.p, each.permutation, each.mcnemar]) < 0.05
    return tuple(found / N_SIMULATED)


def draw(covered: np.ndarray, alarmed: np.ndarray) -> None:
    """Write the figure."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    ticks = [f"{speakers} x {clips}" for speakers, clips in SETTINGS]
    for name, values in zip(("groups drawn", "clips drawn"), covered.T, strict=True):
        left.plot(ticks, 100 * values, marker="o", label=name)
    left.axhspan(93, 97, alpha=0.15, color="green")
    left.set(title="95 % intervals that hold the truth", xlabel="speakers x clips of each", ylabel="%")
    for name, values in zip(("bootstrap over groups", "permutation", "McNemar"), alarmed.T, strict=True):
        right.plot(ticks, 100 * values, marker="o", label=name)
    right.axhline(6, color="gray", linestyle=":")
    right.set(title="Equal systems found different at 5 %", xlabel="speakers x clips of each", ylabel="%")
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=100, metadata={"Software": None})


def main() -> None:
    """Simulate, print, draw and hold the figures against what is promised."""
    covered, alarmed = [], []
    for setting in SETTINGS:
        covered.append(coverage(*setting))
        alarmed.append(false_alarms(*setting))
        told = [f"{100 * share:.1f} %" for share in (*covered[-1], *alarmed[-1])]
        print(*setting, *told, flush=True)  # noqa: T201  # a script says what it found
    draw(np.array(covered), np.array(alarmed))
    by_group, by_clip = np.array(covered).T
    assert ((by_group >= 0.93) & (by_group <= 0.97)).all(), by_group
    assert (by_clip < by_group).all(), by_clip
    assert (np.array(alarmed)[:, :2] <= 0.06).all(), alarmed


if __name__ == "__main__":
    main()
