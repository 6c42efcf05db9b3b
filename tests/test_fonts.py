"""Names in any writing: drawn by an installed font, or by number, never as boxes."""

import warnings
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import font_manager

from bench.report.figures import Axis, Lines, Matrix, RankDiagram, fonts, png
from bench.report.sections import confusion
from bench.types import Score

NAMES = [
    "cat",
    "größe",
    "кот",
    "猫",
    "ネコ",
    "고양이",
    "قط",
    "🎉",
    "$a_b$",
    "नमस्ते",
    "\U0001f9d1\u200d\U0001f680",
]


def matrix(names: list[str]) -> Matrix:
    return Matrix("猫 on data", pd.DataFrame(1, index=names, columns=names))


@pytest.mark.figures
def test_no_figure_warns_of_a_glyph(tmp_path: Path):
    score = Score("accuracy", 0.5, 0.5, 0.5)
    figures = [
        matrix(NAMES),
        RankDiagram({name: 1.0 + number for number, name in enumerate(NAMES)}, 0.5),
        Lines("猫", Axis("猫"), Axis("🎉"), {name: {1.0: score} for name in NAMES}),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number, figure in enumerate(figures):
            png.write(figure, tmp_path / f"{number}.png")
            assert png.is_whole(tmp_path / f"{number}.png")


def test_a_name_that_no_font_has_is_a_number_that_the_page_explains(monkeypatch):
    monkeypatch.setattr(fonts, "_others", dict)
    assert fonts.by_number(["cat", "猫", "größe"]) == ["cat", "[2]", "größe"]
    assert fonts.drawable("猫 on data") == "? on data"
    [legend] = confusion._legend(matrix(["cat", "猫", "鸟"]).counts)
    assert "Labels by number in the figure: [2] 猫, [3] 鸟." in str(legend)
    assert confusion._legend(matrix(["cat", "größe"]).counts) == []


def test_an_installed_font_shows_its_names(monkeypatch):
    monkeypatch.setattr(fonts, "_others", lambda: {"Other": {ord("猫")}, "More": {ord("鸟"), ord("猫")}})
    assert fonts.families(["cat"]) == [fonts.DEFAULT]
    assert fonts.families(["猫"]) == [fonts.DEFAULT, "Other"]
    assert fonts.families(["猫", "鸟"]) == [fonts.DEFAULT, "Other", "More"]
    assert fonts.by_number(["猫", "鸟", "馬"]) == ["猫", "鸟", "[3]"]


def test_a_font_of_boxes_shows_nothing():
    assert not any(name.startswith(fonts.BOXES) for name in fonts._others())
    assert {entry.name for entry in font_manager.fontManager.ttflist} >= fonts._others().keys()
