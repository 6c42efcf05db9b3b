"""Rows over several tables: mean ranks, their intervals, and the Bayesian comparison."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest import mock

import numpy as np
import pytest

from bench.errors import UsageError
from bench.report.rows import Row, Table
from bench.report.sections import across, bayes
from bench.report.writers import markdown
from bench.stats import Standing
from bench.stats.bayes import hierarchical
from bench.store import DatasetRecord, TableProtocol
from bench.types import Result, Score, SplitId, Status, System, TaskId, View

SPLIT = SplitId("cv:5", "speaker")
PROTOCOL = TableProtocol(
    dataset="data",
    task=TaskId("t"),
    about="",
    metrics=("accuracy",),
    split=SPLIT,
    split_digest="0",
    obstacles=(),
    apart=(),
    n_groups=30,
    n_folds=5,
    n_classes=2,
    fewest_groups=("a", 9),
)
SOURCE = DatasetRecord(source="x", version="1", synthetic=False, notes=(), n_clips=4, content="0" * 32)


def row(head: str, folds: list[float]) -> Row:
    values = {"dataset": "data", "task": TaskId("t"), "extractor": "mfcc", "view": View(), "head": head}
    result = Result(key=head, seed=0, split=SPLIT, status=Status.OK, **values)
    score = Score("accuracy", float(np.mean(folds)), folds=tuple(folds))
    standing = None if head == "dummy" else Standing(1, 2, True, 1.0)
    return Row(System("mfcc", View(), head), (result,), (score,), 0.0, standing)


def table(number: int, heads: dict[str, float]) -> Table:
    """Return a table with a row per head, given its accuracy, whose folds differ."""
    noise = 0.02 * np.random.default_rng(number).standard_normal(5)
    rows = tuple(
        row(head, (value + noise * (1 + place)).tolist()) for place, (head, value) in enumerate(heads.items())
    )
    return Table(f"d{number}", TaskId("t"), PROTOCOL, SOURCE, rows, (), (), {})


FEW = [table(n, {"a": 0.9, "b": 0.8, "dummy": 0.5}) for n in range(3)]
MANY = [table(n, {"a": 0.9, "b": 0.8, "c": 0.7, "dummy": 0.5}) for n in range(12)]


def test_the_baseline_has_no_mean_rank():
    assert [item.system.head for item in across.ranking(MANY).systems] == ["a", "b", "c"]


def test_tables_without_ranks_do_not_count_as_tables_where_no_row_is_best():
    unranked = replace(FEW[0], rows=tuple(replace(row, standing=None) for row in FEW[0].rows))
    lines = markdown.text([across.section([unranked, *FEW[1:]])]).splitlines()
    assert [line.split("|")[4].strip() for line in lines if "mfcc" in line] == ["2 of 2", "2 of 2"]
    lines = markdown.text([across.section([unranked] * 3)]).splitlines()
    assert [line.split("|")[4].strip() for line in lines if "mfcc" in line] == ["", ""]


def test_few_tables_get_a_sentence_in_place_of_a_diagram():
    section = across.section(FEW)
    assert not section.pictures
    text = markdown.text([section])
    assert "too few to tell most of the 2 rows apart" in text
    assert "Nemenyi" not in text
    assert across.section(MANY).pictures


def test_a_critical_difference_of_most_of_the_axis_is_not_drawn():
    heads = {f"h{n:02}": 0.9 - n / 100 for n in range(25)}
    ranking = across.ranking([table(n, heads) for n in range(6)])
    assert ranking.critical > 0.6 * 24
    assert not across.section([table(n, heads) for n in range(6)]).pictures


def test_a_mean_rank_has_an_interval_over_the_tables():
    rng = np.random.default_rng(0)
    ranks = np.argsort(rng.random((40, 3)), axis=1) + 1.0
    low, high = across.mean_rank_bounds(ranks)
    error = ranks.std(axis=0, ddof=1) / np.sqrt(40)
    assert low == pytest.approx(ranks.mean(axis=0) - 2.02 * error, abs=0.05)
    assert high == pytest.approx(ranks.mean(axis=0) + 2.02 * error, abs=0.05)
    assert "1.00 [1.0, 1.0]" in markdown.text([across.section(MANY)])


def test_bayes_compares_the_first_row_with_the_others_on_all_folds(monkeypatch: pytest.MonkeyPatch, tmp_path):
    calls = []
    baycomp, stan = ModuleType("baycomp"), ModuleType("stan")
    folders = []

    def probs(first, second, rope, nsamples):
        calls.append((first, second, rope))
        folders.append(Path.cwd())
        return 0.9, 0.08, 0.02

    baycomp.HierarchicalTest = mock.Mock(probs=probs)
    stan.build = mock.Mock()
    monkeypatch.setitem(sys.modules, "baycomp", baycomp)
    monkeypatch.setitem(sys.modules, "stan", stan)
    monkeypatch.chdir(tmp_path)
    text = markdown.text([bayes.section(MANY)])
    assert "| mfcc b | 0.90     | 0.08    | 0.02    |" in text
    assert len(calls) == 2
    first, second, rope = calls[0]
    assert first.shape == second.shape == (12, 5)
    assert rope == 0.01
    assert (first.mean(), second.mean()) == (pytest.approx(0.9, abs=0.01), pytest.approx(0.8, abs=0.01))
    assert tmp_path not in folders, "baycomp would load a pickle that lies in the working folder"


def test_folds_that_all_differ_alike_get_a_spread_and_keep_their_mean(monkeypatch: pytest.MonkeyPatch):
    """Two rows without an error on one data set, by an odd number of folds: baycomp raises a ValueError."""
    calls = []
    baycomp, stan = ModuleType("baycomp"), ModuleType("stan")
    probs = mock.Mock(
        side_effect=lambda first, second, **_: calls.append(second - first) or (0.9, 0.08, 0.02)
    )
    baycomp.HierarchicalTest, stan.build = mock.Mock(probs=probs), mock.Mock()
    monkeypatch.setitem(sys.modules, "baycomp", baycomp)
    monkeypatch.setitem(sys.modules, "stan", stan)
    first = np.array([[1.0] * 5, [0.5, 0.6, 0.7, 0.8, 0.9], [0.9] * 5])
    second = np.array([[1.0] * 5, [0.6] * 5, [0.8] * 5])
    hierarchical(first, second, 0.01)
    [differences] = calls
    assert (np.ptp(differences, axis=1) > 0).all()
    assert differences[1] == pytest.approx(second[1] - first[1], abs=0)
    assert differences.mean(axis=1) == pytest.approx((second - first).mean(axis=1))
    assert np.abs(differences - (second - first)).max() <= 0.01


def test_bayes_says_what_it_needs(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "baycomp", None)
    with pytest.raises(UsageError, match=r"--bayes: run: pip install .*\[bayes\]"):
        bayes.section(MANY)
    with pytest.raises(UsageError, match="expected two tables or more"):
        bayes.section(MANY[:1])
    other = replace(MANY[0], protocol=replace(PROTOCOL, metrics=("f1_macro",)))
    with pytest.raises((UsageError, KeyError), match="f1_macro"):
        bayes.section([*MANY, other])


@pytest.mark.slow
def test_bayes_gives_baycomps_numbers():
    """The compiler of Stan takes a minute or two."""
    baycomp = pytest.importorskip("baycomp")
    pytest.importorskip("stan")
    rng = np.random.default_rng(0)
    first = 0.8 + 0.05 * rng.standard_normal((6, 5))
    second = first + 0.02 + 0.02 * rng.standard_normal((6, 5))
    chances = hierarchical(first, second, 0.01)
    assert chances == pytest.approx(baycomp.HierarchicalTest.probs(first, second, rope=0.01), abs=0.02)
    assert chances == hierarchical(first, second, 0.01), "the seed is fixed"
