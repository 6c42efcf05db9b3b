"""How often ranks are wrong, and what they tell apart, beside Holm's correction for all pairs.

The logit of the accuracy differs between speakers, and for each row from speaker to speaker. Run as
`python tests/simulation/ranks.py [DRAWS [ROWS]]`, which prints the table of docs/numbers.md; 1,000 draws take
hours.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from bench.stats import holm, standings
from bench.stats.ranks import rank_sets
from bench.stats.tests import p_values

N_CLIPS = 20
LEVEL = 0.05


@dataclass(frozen=True)
class Case:
    """Rows and groups to simulate.

    Parameters
    ----------
    merits : np.ndarray
        Mean logit of every row, shape=(n_rows,).
    kind : str
        even: as many clips of every group; sizes: their numbers are lognormal; failing: every second row
        fails altogether for a tenth of the groups, and is better for the others, with the same mean.
    """

    merits: np.ndarray
    n_groups: int
    kind: str = "even"


def equal(n_rows: int) -> np.ndarray:
    """Return the merits of equal rows."""
    return np.full(n_rows, 1.5)


def unequal(n_rows: int) -> np.ndarray:
    """Return the merits of a best row, a third of the rows that is worse, and the others, worse still."""
    merits = np.full(n_rows, 1.0)
    merits[: 1 + n_rows // 3] = 2.0
    merits[0] = 3.0
    return merits


def units(case: Case, rng: np.random.Generator) -> np.ndarray:
    """Return the contributions of simulated groups to the accuracy of every row, shape=(n_rows, n_groups)."""
    n_groups, n_rows = case.n_groups, len(case.merits)
    noise = rng.standard_normal((n_groups, 1)) + 0.5 * rng.standard_normal((n_groups, n_rows))
    share = expit(case.merits + noise)
    if case.kind == "failing":
        fails = rng.random((n_groups, n_rows)) < 0.1
        share = np.where(np.arange(n_rows) % 2, 0.9 * share, np.where(fails, 0.0, share))
    sizes = np.full(n_groups, N_CLIPS)
    if case.kind == "sizes":
        sizes = np.maximum(2, rng.lognormal(np.log(N_CLIPS), 1.0, n_groups)).astype(int)
    right = rng.binomial(sizes[:, None], share)
    return (right / sizes.mean()).T


def by_step_down(rows: np.ndarray, _: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the best ranks, the worst ranks, and whether a row may be the best."""
    results = standings(rows)
    return tuple(np.array(part) for part in zip(*((r.low, r.high, r.tied) for r in results), strict=True))


def by_holm(rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the same by a bootstrap over groups and Holm's correction for all pairs, as of version 0.1."""
    n_rows, n_groups = rows.shape
    samples = rows @ rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=1000).T / n_groups
    merits = rows.mean(axis=1)
    first, second = np.triu_indices(n_rows, 1)
    p = np.ones((n_rows, n_rows))
    pairs = [
        value
        for i in range(n_rows - 1)
        for value in p_values(merits[i] - merits[i + 1 :], samples[i] - samples[i + 1 :], n_groups)
    ]
    p[first, second] = p[second, first] = holm(pairs)
    low, high = rank_sets(merits, p)
    return low, high, p[merits.argmax()] >= LEVEL


METHODS: dict[str, Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]] = {
    "step-down": by_step_down,
    "Holm": by_holm,
}


def simulate(case: Case, n_draws: int, methods: Sequence[str] = tuple(METHODS)) -> dict[str, np.ndarray]:
    """Return, per method, four shares of the draws: see the code.

    They are: some rank is wrong, the best row (the first) is not bold, worse rows that are not bold, and the
    mean number of possible ranks as a share of the rows.
    """
    rng = np.random.default_rng([len(case.merits), case.n_groups])
    best_rank = 1 + (case.merits > case.merits[:, None]).sum(axis=1)
    worst_rank = len(case.merits) - (case.merits < case.merits[:, None]).sum(axis=1)
    worse = case.merits < case.merits.max()
    totals = {name: np.zeros(4) for name in methods}
    for _ in range(n_draws):
        rows = units(case, rng)
        for name in methods:
            low, high, bold = METHODS[name](rows, rng)
            is_wrong = ((low > best_rank) | (high < worst_rank)).any()
            share = 1 - bold[worse].mean() if worse.any() else 0.0
            totals[name] += is_wrong, not bold[0], share, (high - low + 1).mean() / len(rows)
    return {name: total / n_draws for name, total in totals.items()}


def main() -> None:
    """Print the tables."""
    n_draws = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    for n_rows in map(int, sys.argv[2].split(",")) if len(sys.argv) > 2 else (3, 13, 30, 100):
        for n_groups in (6, 10, 20, 50, 250):
            for merits in (equal, unequal):
                for kind in ("even", "sizes", "failing") if merits is equal and n_rows < 30 else ("even",):
                    shares = simulate(Case(merits(n_rows), n_groups, kind), n_draws)
                    texts = (
                        f"{name}: " + " ".join(f"{100 * s:5.1f}" for s in shares[name]) for name in METHODS
                    )
                    print(n_rows, n_groups, merits.__name__, kind, *texts, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
