"""Rows and tables of a leaderboard: one table per dataset, task and split, the best row first."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from bench.stats import LEVEL, BestScore, Chance, Standing
from bench.store import DatasetRecord, Store, TableProtocol
from bench.types import BASELINE, Layer, Level, Result, Score, System, TaskId
from bench.types.results import score_of
from bench.validation import file_name


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A system of a table, over all seeds.

    Parameters
    ----------
    system : System
        The identity of the row; it names no extractor for the baseline, which ignores the audio.
    results : tuple[Result, ...]
        One per seed and repeat of the cross-validation.
    scores : tuple[Score, ...]
        Means over seeds and repeats; intervals show the uncertainty of the data, not of the seeds.
    spread : float
        Standard deviation of the ranking metric over the seeds; 0 with one seed.
    standing : Standing | None
        Possible ranks; None for the baseline, for a choice among other rows, and with too few groups to tell
        rows apart.
    p_chance : float | None
        p-value of "no better than chance", corrected for the number of rows; None for the baseline, and if no
        test is possible.
    expected : tuple[float, float] | None
        95 % interval of the procedure's expected score by the ranking metric; None without repeats.
    """

    system: System
    results: tuple[Result, ...]
    scores: tuple[Score, ...]
    spread: float
    standing: Standing | None = None
    p_chance: float | None = None
    expected: tuple[float, float] | None = None

    @property
    def seeds(self) -> list[int]:
        """Return every seed once."""
        return list(dict.fromkeys(result.seed for result in self.results))

    @property
    def n_repeats(self) -> int:
        """Return the number of assignments of groups to folds."""
        return len({result.repeat for result in self.results})

    @property
    def first(self) -> Result:
        """Return the result of the first seed."""
        return self.results[0]

    @property
    def may_be_best(self) -> bool:
        """Return whether the row is ranked and cannot be told from the best one."""
        return self.standing is not None and self.standing.tied

    @property
    def at_chance(self) -> bool:
        """Return whether the row was tested and is not better than chance at 5 %."""
        return self.p_chance is not None and self.p_chance >= 1 - LEVEL

    @property
    def is_selected(self) -> bool:
        """Return whether the row is the choice among others in inner folds."""
        return bool(self.first.chosen)

    @property
    def is_baseline(self) -> bool:
        """Return whether the row predicts without the audio."""
        return self.system.head == BASELINE

    def score(self, metric: str, level: Level = "clip") -> Score | None:
        """Return the score of a metric at a level; None if the row has none."""
        return score_of(self.scores, metric, level)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Results of one task on one dataset by one split.

    Parameters
    ----------
    protocol : TableProtocol | None
        Split and metrics; None if the split was impossible.
    rows : tuple[Row, ...]
        Rows of the largest training share, the best first, then the baselines.
    smaller : tuple[Row, ...]
        Rows of smaller training shares, the best first.
    others : tuple[Result, ...]
        Failed and skipped results.
    stores : Mapping[str, Store]
        Key of a result -> its store.
    variant : str
        Start of the digest of the protocol, if several tables have this dataset and task; otherwise empty.
    earlier : frozenset[str]
        Keys of the results that earlier runs computed in the folders of the newest ones.
    chance : Chance | None
        Scores without the audio; None for a metric of scores.
    best_corrected : BestScore | None
        Score of the best row besides the baseline, corrected for its choice; None if there is no choice.
    selected : tuple[Row, ...]
        The row that is chosen in inner folds, without a rank; empty without ``--select``.
    """

    dataset: str
    task: TaskId
    protocol: TableProtocol | None
    source: DatasetRecord
    rows: tuple[Row, ...]
    smaller: tuple[Row, ...]
    others: tuple[Result, ...]
    stores: Mapping[str, Store]
    variant: str = ""
    earlier: frozenset[str] = frozenset()
    chance: Chance | None = None
    best_corrected: BestScore | None = None
    selected: tuple[Row, ...] = ()

    @property
    def lines(self) -> tuple[Row, ...]:
        """Return the rows, and the one that is chosen in inner folds."""
        return (*self.rows, *self.selected)

    @property
    def stem(self) -> str:
        """Return the start of the names of its files."""
        parts = [self.dataset, self.task.name.replace("/", "."), self.variant]
        return file_name("-".join(filter(None, parts)), "table")

    @property
    def leaky(self) -> bool:
        """Return whether the folds ignore the groups."""
        return self.protocol is not None and self.protocol.split.leaky

    @property
    def permuted(self) -> bool:
        """Return whether the groups exchanged their labels."""
        return self.protocol is not None and self.protocol.split.permuted

    @property
    def learners(self) -> list[Row]:
        """Return the rows besides the baselines."""
        return [row for row in self.rows if not row.is_baseline]

    @property
    def is_repeated(self) -> bool:
        """Return whether a row has several assignments of groups to folds."""
        return any(row.n_repeats > 1 for row in self.rows)

    @property
    def best(self) -> Row | None:
        """Return the best row besides the baseline."""
        return next(iter(self.learners), None)

    @property
    def metric(self) -> str:
        """Return the name of the ranking metric; empty without a split."""
        return self.protocol.metrics[0] if self.protocol else ""

    @property
    def further_scores(self) -> list[Score]:
        """Return one score of every metric and level besides the ranking one, in the order of the rows."""
        scores = {score.column: score for row in reversed(self.rows) for score in row.scores}
        order = dict.fromkeys(score.column for row in self.rows for score in row.scores)
        return [scores[column] for column in order if column != (self.metric, "clip")]

    def ranking(self, row: Row) -> Score:
        """Return the ranking score of a row.

        Raises
        ------
        KeyError
            If the row has none.
        """
        score = row.score(self.metric)
        if score is None:
            raise KeyError(self.metric)
        return score

    def predictions(self, result: Result) -> pd.DataFrame:
        """Return the predictions of a result's cell."""
        return self.stores[result.key].predictions(result.key)

    def labels(self) -> pd.DataFrame:
        """Return `clip` and the label columns of the dataset."""
        return next(iter(self.stores.values())).labels(self.dataset)


def layer_position(layer: Layer) -> tuple[float, str]:
    """Return a sort key: numbered layers in their order, then named ones."""
    return (layer, "") if isinstance(layer, int) else (math.inf, layer)
