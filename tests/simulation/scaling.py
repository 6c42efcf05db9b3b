"""Scaling of features before `svm` and other heads that measure distances: accuracy of every candidate.

FOLDER holds the embeddings of some clips, EXTRACTOR.npy with shape=(n_clips, dim) each, and tasks.csv with a
row per clip and two columns per task: TASK, the label, and `TASK group`; both are empty for clips outside the
task. Run as `python tests/simulation/scaling.py FOLDER [HEAD [CANDIDATE/...]]`; it prints the tables of
docs/heads.md. FOLDER/right keeps what was predicted right, so that a second run goes on. An extractor is MFCC
if its name begins with `mfcc`.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer, QuantileTransformer, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

from bench.heads.mixtures import Mixtures
from bench.heads.svm import SVM
from bench.learn.scaling import LimitedScaler
from bench.splits.protocols import CrossValidation

N_DRAWS = 2000


class Floor(TransformerMixin, BaseEstimator):
    """Standardise, with deviations of at least a tenth of the median deviation."""

    def fit(self, X: np.ndarray, y: object = None) -> "Floor":
        deviation = X.std(axis=0)
        self.mean_ = X.mean(axis=0)
        self.scale_ = np.maximum(deviation, 0.1 * np.median(deviation[deviation > 0]))
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return (X - self.mean_) / self.scale_


class Varied(TransformerMixin, BaseEstimator):
    """Leave out the features that have one value in nine of ten clips or more."""

    def fit(self, X: np.ndarray, y: object = None) -> "Varied":
        is_median = np.median(X, axis=0) == X
        self.columns_ = np.flatnonzero(is_median.mean(axis=0) < 0.9)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        return X[:, self.columns_]


class WidthSVM(SVM):
    """`SVM` with gamma by the median squared distance, or a share of `scale`."""

    def __init__(self, C: float = 10.0, gamma: float | str = "scale", share: float | None = None) -> None:
        super().__init__(C, gamma)
        self.share = share

    def fit(self, X: np.ndarray, y: np.ndarray) -> "WidthSVM":
        if self.share:
            self.gamma = self.share / (X.shape[1] * X.var())
        else:
            distances = pairwise_distances(X, metric="sqeuclidean")
            self.gamma = 1 / np.median(distances[np.triu_indices(len(X), 1)])
        return super().fit(X, y)


svm = partial(SVM, C=10.0)
quantiles = partial(QuantileTransformer, n_quantiles=100, output_distribution="normal")
SVMS: Mapping[str, Callable[[], Pipeline]] = {
    "standardised": lambda: make_pipeline(StandardScaler(), svm()),
    "limit 2": lambda: make_pipeline(LimitedScaler(2.0), svm()),
    "limit 3": lambda: make_pipeline(LimitedScaler(3.0), svm()),
    "limit 5": lambda: make_pipeline(LimitedScaler(5.0), svm()),
    "limit 10": lambda: make_pipeline(LimitedScaler(10.0), svm()),
    "floor": lambda: make_pipeline(Floor(), svm()),
    "without nearly constant": lambda: make_pipeline(Varied(), StandardScaler(), svm()),
    "robust": lambda: make_pipeline(RobustScaler(), svm()),
    "quantiles": lambda: make_pipeline(quantiles(), svm()),
    "unit length": lambda: make_pipeline(StandardScaler(), Normalizer(), svm()),
    "whitened": lambda: make_pipeline(StandardScaler(), PCA(0.95, whiten=True, random_state=0), svm()),
    "not scaled": svm,
    "gamma by median": lambda: make_pipeline(StandardScaler(), WidthSVM()),
    "limit 3, gamma by median": lambda: make_pipeline(LimitedScaler(3.0), WidthSVM()),
    "gamma by a quarter": lambda: make_pipeline(StandardScaler(), WidthSVM(share=0.25)),
    "C 1": lambda: make_pipeline(StandardScaler(), SVM(C=1.0)),
    "C 100": lambda: make_pipeline(StandardScaler(), SVM(C=100.0)),
    "logreg": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
}
OTHERS: Mapping[str, Callable[[], object]] = {
    "knn": partial(KNeighborsClassifier, weights="distance"),
    "logreg": partial(LogisticRegression, max_iter=2000),
    "gmm-clip": partial(Mixtures, n_components=4, n_init=3),
}


def candidates(head: str, names: str) -> Mapping[str, Callable[[], Pipeline]]:
    """Return the pipelines of a head; those of a head besides `svm` differ in the limit alone."""
    if head == "svm":
        return {name: SVMS[name] for name in names.split("/") if name} or SVMS
    build = OTHERS[head]
    return {
        "standardised": lambda: make_pipeline(StandardScaler(), build()),
        "limit 3": lambda: make_pipeline(LimitedScaler(3.0), build()),
    }


def right(build: Callable[[], Pipeline], X: np.ndarray, y: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return whether every clip is predicted correctly, in five folds that share no group."""
    fold = CrossValidation(5, 0).folds(y, group)
    values = np.zeros(len(y), dtype=bool)
    for name in np.unique(fold):
        test = fold == name
        values[test] = build().fit(X[~test], y[~test]).predict(X[test]) == y[test]
    return values


def measured(
    folder: Path, head: str, pipelines: Mapping[str, Callable[[], Pipeline]], tasks: pd.DataFrame
) -> dict[tuple[str, str, str], np.ndarray]:
    """Return extractor, task and candidate -> whether every clip is predicted correctly."""
    results = {}
    (folder / "right").mkdir(exist_ok=True)
    for path in sorted(folder.glob("*.npy")):
        store = folder / "right" / f"{head} {path.stem}.npz"
        values = dict(np.load(store)) if store.exists() else {}
        X = np.load(path).astype(np.float64)
        for task in tasks.columns[::2]:
            rows = tasks[task].notna().to_numpy()
            y, group = (tasks.loc[rows, name].to_numpy().astype(str) for name in (task, f"{task} group"))
            for name, build in pipelines.items():
                if f"{task}|{name}" not in values:
                    values[f"{task}|{name}"] = right(build, X[rows], y, group)
                results[path.stem, task, name] = values[f"{task}|{name}"]
            np.savez(store, **values)
    return results


def interval(differences: list[np.ndarray], groups: list[np.ndarray]) -> tuple[float, float]:
    """Return the 95 % interval of the mean over tasks of a mean difference, by a bootstrap over groups."""
    rng = np.random.default_rng(0)
    total = np.zeros(N_DRAWS)
    for values, group in zip(differences, groups, strict=True):
        codes = np.unique(group, return_inverse=True)[1]
        sums, sizes = np.bincount(codes, values), np.bincount(codes)
        weights = rng.multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), N_DRAWS)
        total += (weights @ sums) / (weights @ sizes)
    low, high = np.quantile(total / len(differences), (0.025, 0.975))
    return float(low), float(high)


def main(folder: Path, head: str = "svm", names: str = "") -> None:
    """Write the tables to stdout, as Markdown."""
    tasks = pd.read_csv(folder / "tasks.csv", dtype=str)
    pipelines = candidates(head, names)
    with threadpool_limits(limits=1):
        results = measured(folder, head, pipelines, tasks)
    index = pd.MultiIndex.from_tuples(results, names=["extractor", "task", "candidate"])
    means = pd.DataFrame({"accuracy": [values.mean() for values in results.values()]}, index=index)
    scores = means.pivot_table("accuracy", ["extractor", "task"], "candidate")
    is_mfcc = scores.index.get_level_values(0).str.startswith("mfcc")
    lines = ["| candidate | mean | MFCC | MFCC better, worse | others | others better, worse | worst loss |"]
    lines.append("|---|---|---|---|---|---|---|")
    for name in pipelines:
        change = scores[name] - scores["standardised"]
        cells = [name, f"{scores[name].mean():.3f}"]
        for part in (is_mfcc, ~is_mfcc):
            better, worse = (change[part] > 0).sum(), (change[part] < 0).sum()
            cells += [f"{scores[name][part].mean():.3f}", f"{better}, {worse}"]
        worst = change.idxmin()
        cells.append(f"{change.min():.3f} ({worst[0]}, {worst[1]})" if change.min() < 0 else "none")
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| extractor | standardised | limit 3 | difference | logreg |", "|---|---|---|---|---|"]
    groups = [tasks[name][tasks[name].notna()].to_numpy() for name in tasks.columns[1::2]]
    for extractor in scores.index.unique(0):
        pairs = [
            results[extractor, task, "limit 3"].astype(float) - results[extractor, task, "standardised"]
            for task in tasks.columns[::2]
        ]
        low, high = interval(pairs, groups)
        row = scores.loc[extractor].mean()
        difference = f"{row['limit 3'] - row['standardised']:+.3f} [{low:+.3f}, {high:+.3f}]"
        reference = f"{row['logreg']:.3f}" if "logreg" in row else ""
        cells = [extractor, f"{row['standardised']:.3f}", f"{row['limit 3']:.3f}", difference, reference]
        lines.append(f"| {' | '.join(cells)} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
