"""False alarms of the tests of two systems, by simulation: a table of docs/numbers.md.

The logit of the accuracy differs between speakers, and for each system from speaker to speaker. Run as
`python tests/simulation/false_alarms.py`; it takes minutes, and fails above the range of docs/numbers.md.
"""

import numpy as np
from scipy.special import expit

from bench import stats
from bench.metrics import METRICS, Predicted

N_SIMULATED = 2000
MEAN, SPREAD = 1.5, 1.0
"""Mean and standard deviation of the logit of a speaker's accuracy."""

SETTINGS = ((10, 20), (20, 20), (50, 10), (200, 5))
"""Number of speakers, clips per speaker."""

ACCURACY = METRICS["accuracy"]


def predicted(rng: np.random.Generator, logits: np.ndarray, n_clips: int) -> Predicted:
    """Return predictions of `n_clips` clips per speaker."""
    right = rng.random((len(logits), n_clips)) < expit(logits)[:, None]
    y_true = np.full(right.size, "a")
    return Predicted(y_true, np.where(right.ravel(), "a", "b"), np.array(["a", "b"]))


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


def main() -> None:
    """Simulate, print the shares, and compare them with their range."""
    alarms = []
    for setting in SETTINGS:
        alarms.append(false_alarms(*setting))
        print(*setting, *(f"{100 * share:.1f} %" for share in alarms[-1]), flush=True)
    assert (np.array(alarms)[:, :2] <= 0.06).all(), alarms


if __name__ == "__main__":
    main()
