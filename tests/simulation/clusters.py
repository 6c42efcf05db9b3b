"""How often the number of clusters is right, and how often structureless data have none.

Clusters have the covariance of real embeddings and unequal sizes; their centres are drawn from the same
covariance, scaled, until no two are closer than a number of radii (the root of the covariance's trace). Run
as `python tests/simulation/clusters.py [DRAWS [EMBEDDINGS.parquet]]`, with what `bench embed` writes, which
prints the tables of docs/explore.md; without a file, the variances fall as 1/k. 200 draws take an hour.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.exploration.clusters import METHODS, Clusters, find_clusters

DIM = 384
N_STRUCTURELESS = 300


def power_law() -> np.ndarray:
    """Return a root of a covariance whose variances fall as 1/k, in random directions; shape=(384, 384)."""
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((DIM, DIM)))[0]
    return rotation / np.sqrt(np.arange(1, DIM + 1))


def root_of(path: Path) -> np.ndarray:
    """Return a root of the covariance of the embeddings in a file, shape=(dim, dim), of a trace of 1."""
    vectors = np.stack(pd.read_parquet(path)["embedding"])
    variances, directions = np.linalg.eigh(np.cov(vectors.T))
    return directions * np.sqrt(np.maximum(variances, 0) / variances.sum())


def planted(root: np.ndarray, n_clusters: int, separation: float, rng: np.random.Generator) -> np.ndarray:
    """Return clips of unequal clusters, shape=(n_clips, dim); centres are `separation` radii apart."""
    n_clips, radius = max(300, 25 * n_clusters), np.linalg.norm(root)
    shares = np.maximum(rng.dirichlet(np.full(n_clusters, 3.0)), 1 / (3 * n_clusters))
    scale = separation
    while True:
        centres = scale * rng.standard_normal((n_clusters, root.shape[1])) @ root.T
        distances = np.linalg.norm(centres[:, None] - centres, axis=2) + 1e9 * np.eye(n_clusters)
        if distances.min() >= separation * radius:
            break
        scale *= 1.01
    sizes = np.maximum(5, np.floor(shares / shares.sum() * n_clips)).astype(int)
    noise = rng.standard_normal((sizes.sum(), root.shape[1])) @ root.T
    return (np.repeat(centres, sizes, axis=0) + noise).astype(np.float32)


def gaussian(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return Gaussian values."""
    return rng.standard_normal(shape)


def student(df: int) -> Callable[[np.random.Generator, tuple[int, int]], np.ndarray]:
    """Return a source of values of an elliptical t distribution."""
    return lambda rng, shape: rng.standard_normal(shape) / np.sqrt(rng.chisquare(df, (shape[0], 1)) / df)


STRUCTURELESS: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "Gaussian": gaussian,
    "elliptical t, 5 df": student(5),
    "elliptical t, 3 df": student(3),
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
    "exponential (skewed)": lambda rng, shape: rng.exponential(1, shape),
}
"""Name of a distribution -> its independent values, which get the covariance."""


def planted_draws(root: np.ndarray, n_clusters: int, separation: float, n_draws: int) -> Iterator[np.ndarray]:
    """Yield data sets with clusters."""
    for draw in range(n_draws):
        yield planted(root, n_clusters, separation, np.random.default_rng([n_clusters, draw]))


def structureless_draws(root: np.ndarray, name: str, n_draws: int) -> Iterator[np.ndarray]:
    """Yield data sets without clusters."""
    for draw in range(n_draws):
        values = STRUCTURELESS[name](np.random.default_rng([99, draw]), (N_STRUCTURELESS, root.shape[1]))
        yield (values @ root.T).astype(np.float32)


def results(draws: Iterator[np.ndarray]) -> dict[str, list[Clusters]]:
    """Return the clusters of every method and draw."""
    by_method: dict[str, list[Clusters]] = {method: [] for method in METHODS}
    for vectors in draws:
        for method in METHODS:
            by_method[method].append(find_clusters(vectors, method))
    return by_method


def numbers(clusters: Sequence[Clusters]) -> Counter[int | None]:
    """Return how often each number was chosen; None for no clusters."""
    return Counter(one.n_clusters for one in clusters)


def print_planted(root: np.ndarray, separation: float, n_draws: int) -> None:
    """Print a row for every number of clusters."""
    for n_clusters in (3, 8, 20):
        clusters = results(planted_draws(root, n_clusters, separation, n_draws))
        exact = [f"{numbers(of_method)[n_clusters] / n_draws:.3f}" for of_method in clusters.values()]
        covered = sum((one.low or 0) <= n_clusters <= (one.high or 0) for one in clusters["auto"]) / n_draws
        says = ", ".join(f"{n}: {count}" for n, count in numbers(clusters["auto"]).most_common(4))
        cells = [n_clusters, separation, n_draws, *exact, f"{covered:.3f}", says]
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def print_structureless(root: np.ndarray, name: str, n_draws: int) -> None:
    """Print how often structureless data have no clusters."""
    clusters = results(structureless_draws(root, name, n_draws))
    none = [f"{numbers(of_method)[None] / n_draws:.3f}" for of_method in clusters.values()]
    print(f"| {name} | {n_draws} | {' | '.join(none)} |", flush=True)


def main(n_draws: int, root: np.ndarray) -> None:
    """Print both tables."""
    header = ["clusters", "separation", "draws", *(f"{method} exact" for method in METHODS)]
    print(f"| {' | '.join(header)} | in the range of auto | auto says |")
    print(f"|{'---:|' * (len(header) + 1)}---|")
    print_planted(root, 2.0, n_draws)
    print_planted(root, 1.0, n_draws // 4)
    print(f"\n| structureless | draws | {' | '.join(f'{method} none' for method in METHODS)} |")
    print(f"|---|{'---:|' * (len(METHODS) + 1)}")
    for name in STRUCTURELESS:
        print_structureless(root, name, n_draws if name == "Gaussian" else n_draws // 2)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    covariance = root_of(Path(arguments[1])) if arguments[1:] else power_law()
    main(int(arguments[0]) if arguments else 200, covariance)
