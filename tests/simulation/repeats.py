"""Coverage of a procedure's expected score by simulation: one run's interval, and that of repeats.

Speakers of two classes have an offset of their own; the class with the nearest mean of the training clips is
predicted. The expected score is the mean accuracy of fits to other training speakers, on other test speakers.
Run as `python tests/simulation/repeats.py`; it takes some minutes and prints the table of docs/numbers.md.
"""

import sys
from dataclasses import dataclass

import numpy as np

from bench import stats
from bench.metrics import METRICS, Predicted
from bench.splits.protocols import CrossValidation

N_FOLDS, N_REPEATS, N_CLIPS = 5, 5, 4
ACCURACY = METRICS["accuracy"]
SETTINGS = ((10, 20, 1.0), (20, 20, 1.0), (20, 5, 0.5), (40, 20, 0.3), (100, 5, 0.5))
"""Number of speakers, number of features, spread of the speakers' offsets."""


@dataclass(frozen=True)
class Problem:
    """Speakers with offsets from the mean of their class."""

    n_speakers: int
    dim: int
    spread: float

    def draw(self, rng: np.random.Generator, n_speakers: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return features, classes and speakers of clips."""
        speaker = np.repeat(np.arange(n_speakers), N_CLIPS)
        y = speaker % 2
        offset = self.spread * rng.standard_normal((n_speakers, self.dim))
        X = offset[speaker] + rng.standard_normal((len(y), self.dim))
        X[:, :2] += y[:, None]
        return X, y, speaker

    def expected(self, rng: np.random.Generator, n_fits: int = 4000) -> float:
        """Return the mean accuracy of fits to as many speakers as the training side of a fold has."""
        n_train = self.n_speakers * (N_FOLDS - 1) // N_FOLDS
        scores = []
        for _ in range(n_fits):
            X, y, _ = self.draw(rng, n_train)
            X_test, y_test, _ = self.draw(rng, 200)
            scores.append((predict(X, y, X_test) == y_test).mean())
        return float(np.mean(scores))


def predict(X: np.ndarray, y: np.ndarray, X_test: np.ndarray) -> np.ndarray:
    """Return the class with the nearest mean."""
    means = [X[y == label].mean(axis=0) for label in (0, 1)]
    distances = [((X_test - mean) ** 2).sum(axis=1) for mean in means]
    return (distances[1] < distances[0]).astype(int)


def cross_validation(X: np.ndarray, y: np.ndarray, speaker: np.ndarray, seed: int) -> tuple[np.ndarray, list]:
    """Return whether every clip is predicted correctly, and the accuracy of every fold."""
    fold = CrossValidation(N_FOLDS, seed).folds(y.astype(str), speaker.astype(str))
    right = np.zeros(len(y), dtype=bool)
    scores = []
    for name in np.unique(fold):
        test = fold == name
        right[test] = predict(X[~test], y[~test], X[test]) == y[test]
        scores.append(float(right[test].mean()))
    return right, scores


def coverage(problem: Problem, n_simulated: int) -> tuple[float, float, float]:
    """Return the expected score, and the shares of one run's and of the repeats' intervals that hold it."""
    rng = np.random.default_rng(problem.n_speakers)
    truth = problem.expected(rng)
    hits = np.zeros(2)
    for _ in range(n_simulated):
        X, y, speaker = problem.draw(rng, problem.n_speakers)
        runs = [cross_validation(X, y, speaker, seed) for seed in range(N_REPEATS)]
        first = np.where(runs[0][0], "a", "b")
        one = stats.bounds(
            ACCURACY, Predicted(np.full(len(y), "a"), first, np.array(["a", "b"])), speaker.astype(str)
        )
        value = float(np.mean([right.mean() for right, _ in runs]))
        folds = [score for _, scores in runs for score in scores]
        repeated = stats.expected_bounds(value, folds, 1 / (N_FOLDS - 1), problem.n_speakers)
        for number, bounds in enumerate((one, repeated)):
            hits[number] += bounds is not None and bounds[0] <= truth <= bounds[1]
    return truth, *(hits / n_simulated)


def main(n_simulated: int) -> None:
    """Write the table to stdout."""
    for setting in SETTINGS:
        truth, one, repeated = coverage(Problem(*setting), n_simulated)
        line = f"{setting}: expected {truth:.3f}, one run {one:.1%}, {N_REPEATS} repeats {repeated:.1%}"
        sys.stdout.write(f"{line}\n")
        assert repeated < 0.97, line


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
