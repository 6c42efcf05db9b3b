"""Coverage of intervals and false alarms of tests by simulation: docs/figures/coverage.png.

The logit of the accuracy differs between speakers, and for each system from speaker to speaker. Run as
`python tests/perf/coverage.py`; it takes some minutes, prints its figures, and fails if one is outside the
ranges of docs/numbers.md.
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
"""Mean and standard deviation of the logit of a speaker's accuracy."""

SETTINGS = ((10, 20), (20, 20), (50, 10), (200, 5))
"""Number of speakers, clips per speaker."""

ACCURACY = METRICS["accuracy"]
FIGURE = Path(__file__).parents[2] / "docs" / "figures" / "coverage.png"


def predicted(rng: np.random.Generator, logits: np.ndarray, n_clips: int) -> Predicted:
    """Return predictions of `n_clips` clips per speaker."""
    right = rng.random((len(logits), n_clips)) < expit(logits)[:, None]
    y_true = np.full(right.size, "a")
    return Predicted(y_true, np.where(right.ravel(), "a", "b"), np.array(["a", "b"]))


def coverage(n_speakers: int, n_clips: int) -> tuple[float, float]:
    """Return the coverage of the accuracy over all speakers, by intervals over speakers and over clips."""
    rng = np.random.default_rng(n_speakers)
    truth = expit(MEAN + SPREAD * rng.standard_normal(4_000_000)).mean()
    speaker, clip = (np.repeat(np.arange(n_speakers), n_clips).astype(str), np.arange(n_speakers * n_clips))
    hits = np.zeros(2)
    for _ in range(N_SIMULATED):
        p = predicted(rng, MEAN + SPREAD * rng.standard_normal(n_speakers), n_clips)
        for column, group in enumerate((speaker, clip.astype(str))):
            low, high = stats.bounds(ACCURACY, p, group)
            hits[column] += low <= truth <= high
    return tuple(hits / N_SIMULATED)


def false_alarms(n_speakers: int, n_clips: int) -> tuple[float, float, float]:
    """Return the share of significant differences of equal systems: bootstrap, permutation, McNemar."""
    rng = np.random.default_rng(n_speakers + 1)
    speaker = np.repeat(np.arange(n_speakers), n_clips).astype(str)
    alarms = np.zeros(3)
    for _ in range(N_SIMULATED):
        shared = MEAN + SPREAD * rng.standard_normal(n_speakers)
        logits = [shared + 0.7 * SPREAD * rng.standard_normal(n_speakers) for _ in range(2)]
        a, b = (predicted(rng, logit, n_clips) for logit in logits)
        test = stats.compare(ACCURACY, a, b, speaker)
        alarms += np.array([test.difference.p, test.permutation, test.mcnemar]) < 0.05
    return tuple(alarms / N_SIMULATED)


def draw(coverages: np.ndarray, alarms: np.ndarray) -> None:
    """Write the figure."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    ticks = [f"{speakers} x {clips}" for speakers, clips in SETTINGS]
    for name, values in zip(("groups drawn", "clips drawn"), coverages.T, strict=True):
        left.plot(ticks, 100 * values, marker="o", label=name)
    left.axhspan(93, 97, alpha=0.15, color="green")
    left.set(
        title="95 % intervals that contain the accuracy", xlabel="speakers x clips per speaker", ylabel="%"
    )
    for name, values in zip(("bootstrap over groups", "permutation", "McNemar"), alarms.T, strict=True):
        right.plot(ticks, 100 * values, marker="o", label=name)
    right.axhline(6, color="gray", linestyle=":")
    right.set(
        title="Significant differences of equal systems at 5 %",
        xlabel="speakers x clips per speaker",
        ylabel="%",
    )
    for axes in (left, right):
        axes.legend()
        axes.grid(alpha=0.3)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=100, metadata={"Software": None})


def main() -> None:
    """Simulate, print and draw the figures, and compare them with their ranges."""
    coverages, alarms = [], []
    for setting in SETTINGS:
        coverages.append(coverage(*setting))
        alarms.append(false_alarms(*setting))
        shares = [f"{100 * share:.1f} %" for share in (*coverages[-1], *alarms[-1])]
        print(*setting, *shares, flush=True)  # noqa: T201  # a script prints its figures
    draw(np.array(coverages), np.array(alarms))
    by_group, by_clip = np.array(coverages).T
    assert ((by_group >= 0.93) & (by_group <= 0.97)).all(), by_group
    assert (by_clip < by_group).all(), by_clip
    assert (np.array(alarms)[:, :2] <= 0.06).all(), alarms


if __name__ == "__main__":
    main()
