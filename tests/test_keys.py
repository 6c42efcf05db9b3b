"""Keys are made of values: no text for people is part of one."""

import inspect
from dataclasses import asdict
from pathlib import Path

import pytest

from bench import catalog, display, runner
from bench.request import Request

SETTINGS = {
    "plain": {},
    "leaky": {"split": "random"},
    "permuted": {"permute_labels": True},
    "steps": {"preprocess": ("trim=40", "resample=VHQ")},
    "augmented": {"augment": ("stretch", "noise=0:20"), "copies": 2},
    "views": {"extractors": ("mfcc-13@pool=max", "mfcc-13@layer=mean@pool=mean")},
}


@pytest.fixture
def reworded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace every text that `bench.display` makes."""
    functions = inspect.getmembers(display, inspect.isfunction)
    names = [name for name, function in functions if function.__module__.startswith(display.__name__)]
    assert len(names) > 5
    for name in names:
        monkeypatch.setattr(display, name, lambda *values: "other words")


def keys(digits: Path, home: Path, setting: str) -> list[str]:
    fields = {"extractors": ("mfcc-13",), **SETTINGS[setting]}
    request = Request(datasets=(str(digits),), home=home, tasks=("speaker",), heads=("svm",), **fields)
    plan = runner.plan(request, catalog.load())
    return [*(cell.key for cell in plan.cells), *(problem.fingerprint for problem in plan.problems.values())]


@pytest.mark.parametrize("setting", SETTINGS)
def test_other_words_leave_every_key_alone(setting: str, digits: Path, tmp_path: Path, request):
    before = keys(digits, tmp_path, setting)
    request.getfixturevalue("reworded")
    assert keys(digits, tmp_path, setting) == before


def test_every_setting_is_part_of_the_key(digits: Path, tmp_path: Path):
    plans = [keys(digits, tmp_path, setting)[:-1] for setting in SETTINGS]
    cells = [key for plan in plans for key in plan]
    assert len(set(cells)) == len(cells)


def test_a_plan_holds_values_and_no_words(digits: Path, tmp_path: Path):
    fields = {"augment": ("pitch",), "preprocess": ("peak",)}
    request = Request(datasets=(str(digits),), home=tmp_path, tasks=("speaker",), heads=("svm",), **fields)
    cell = runner.plan(request, catalog.load()).cells[0]
    assert (cell.split.protocol, cell.split.leaky, cell.split.permuted) == ("cv:4", False, False)
    assert [asdict(step) for step in cell.preprocess] == [{"name": "peak", "value": -1.0}]
    assert cell.augmentation is not None
    assert asdict(cell.augmentation) == {
        "changes": ({"name": "pitch", "low": -2.0, "high": 2.0},),
        "copies": 1,
    }
