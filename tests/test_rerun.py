"""`bench rerun`: what of two results of one cell is compared."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench.runner.rerun import differences
from bench.types import Permutations, Result, SplitId, Status, TaskId, View

LUCK = Permutations((0.5, 0.6), (0.5, 0.5), (0.5,), ())
RESULT = Result(
    key="a",
    dataset="d",
    task=TaskId("t"),
    extractor="mfcc",
    view=View(),
    head="svm",
    seed=0,
    split=SplitId("cv:2", "speaker"),
    status=Status.OK,
    inner=(0.5, 0.6),
    permutations=LUCK,
)


def compared(old: Result, new: Result) -> list[str]:
    first, second = (
        SimpleNamespace(out=Path(name), planned=lambda result=result: [result])
        for name, result in (("old", old), ("new", new))
    )
    return differences(first, second)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"inner": (0.5, 0.7)}, "t on d, mfcc (mean+std), svm: inner: other scores"),
        (
            {"permutations": replace(LUCK, between=(0.1, 0.2))},
            "t on d, mfcc (mean+std), svm: permutations: other scores",
        ),
    ],
)
def test_scores_of_inner_folds_and_of_permuted_labels_are_compared(changed, line):
    assert compared(RESULT, RESULT) == []
    assert compared(RESULT, replace(RESULT, **changed)) == [line]


def test_scores_of_inner_folds_that_one_run_did_not_ask_for_are_no_difference():
    assert compared(RESULT, replace(RESULT, inner=())) == []
