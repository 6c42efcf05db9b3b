"""Names in any writing: drawn by an installed font, or by number, never as boxes."""

import warnings
from pathlib import Path

import pandas as pd
import pytest
from matplotlib import font_manager

from bench.report.document import Picture, Section
from bench.report.figures import Axis, Figure, Lines, Matrix, RankDiagram, fonts, png
from bench.report.writers import markdown
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
        warnings.filterwarnings("error", message="Glyph")
        for number, figure in enumerate(figures):
            png.write(figure, tmp_path / f"{number}.png")
            assert png.is_whole(tmp_path / f"{number}.png")


def test_a_name_that_no_font_has_is_a_number_that_the_page_explains(monkeypatch):
    monkeypatch.setattr(fonts, "_others", dict)
    assert fonts.by_number(["cat", "猫", "größe"]) == ["cat", "[2]", "größe"]
    assert fonts.drawable("猫 on data") == "? on data"


SCORE = Score("accuracy", 0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("figure", "signs"),
    [
        (matrix(["cat", "猫", "鸟"]), "[2] 猫, [3] 鸟."),
        (RankDiagram({"mine.py:猫 svm": 1.0, "mfcc svm": 2.0}, 0.5), "[1] mine.py:猫 svm."),
        (Lines("t", Axis("响度"), Axis("f1"), {"猫|x": {1.0: SCORE}}), "[1] 猫\\|x, ?? 响度."),
        (matrix(["cat", "größe"]), ""),
    ],
    ids=["matrix", "ranks", "lines", "none"],
)
def test_what_a_figure_cannot_show_stands_below_it(figure: Figure, signs: str, monkeypatch):
    monkeypatch.setattr(fonts, "_others", dict)
    section = Section("", 2, (Picture("a title", figure, "figures/a.png"),))
    legend = f"\n\nIn the figure, whose fonts lack their characters: {signs}" if signs else ""
    assert markdown.text([section]) == f"![a title](figures/a.png){legend}"


def test_an_installed_font_shows_its_names(monkeypatch):
    monkeypatch.setattr(fonts, "_others", lambda: {"Other": {ord("猫")}, "More": {ord("鸟"), ord("猫")}})
    assert fonts.families(["cat"]) == [fonts.DEFAULT]
    assert fonts.families(["猫"]) == [fonts.DEFAULT, "Other"]
    assert fonts.families(["猫", "鸟"]) == [fonts.DEFAULT, "Other", "More"]
    assert fonts.by_number(["猫", "鸟", "馬"]) == ["猫", "鸟", "[3]"]


def test_a_font_of_boxes_shows_nothing():
    assert not any(name.startswith(fonts.BOXES) for name in fonts._others())
    assert {entry.name for entry in font_manager.fontManager.ttflist} >= fonts._others().keys()
