import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from scipy.special import softmax

from bench.calibration.calibration import calibrate
from bench.metrics import METRICS, Predicted
from bench.report.document import Grid, Notes, Picture, Section
from bench.report.figures import png, vega
from bench.report.sections import reliability
from bench.report.writers import markdown
from bench.types import System, View


def predictions(n_groups: int = 40, n_clips: int = 200) -> pd.DataFrame:
    """Return predictions whose probabilities are too high: the labels were drawn with half the slope."""
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(n_clips, 2))
    is_second = rng.random(n_clips) < softmax(logits / 2, axis=1)[:, 1]
    p = softmax(logits, axis=1)
    names = np.array(["female", "male"])
    group = (np.arange(n_clips) % n_groups).astype(str)
    table = pd.DataFrame(p, columns=["score_female", "score_male"]).assign(group=group, fold="0")
    return table.assign(y_true=names[is_second.astype(int)], y_pred=names[p.argmax(axis=1)])


def section(table: pd.DataFrame) -> Section | None:
    """Return the section of a leaderboard whose best row has these predictions."""
    best: Any = SimpleNamespace(
        first=SimpleNamespace(extractor="mfcc"), system=System("mfcc", View(), "logreg")
    )
    leaderboard: Any = SimpleNamespace(
        best=best,
        predictions=lambda _: table,
        stem="voices-gender",
        dataset="voices",
        task=SimpleNamespace(name="gender"),
        variant="",
        source=SimpleNamespace(synthetic=False),
        leaky=False,
        permuted=False,
    )
    return reliability.section(leaderboard)


def test_a_report_says_how_much_calibration_changes():
    table = predictions(n_clips=1000)
    part = section(table)
    assert part is not None
    _, grid, picture = part.blocks
    assert isinstance(grid, Grid)
    assert isinstance(picture, Picture)
    ece = METRICS["ece"].score(Predicted.of(table))
    assert [row[1].value for row in grid.rows] == [ece, calibrate(table).after.ece]
    assert ece > 2 * grid.rows[1][1].value
    text = markdown.text([part])
    assert f"differ by {ece:.3f} on average before calibration" in text
    assert "a temperature of" in text
    assert "(40 groups)" in text
    assert "](figures/voices-gender-reliability.png)" in text


@pytest.mark.figures
def test_the_diagram_has_a_point_for_every_bin_and_its_interval(tmp_path: Path):
    calibration = calibrate(predictions())
    figure = reliability.diagram("a title", calibration)
    bins = [*calibration.before.bins, *calibration.after.bins]
    assert [(point.x, point.y) for point in figure.points] == [(b.confidence, b.accuracy) for b in bins]
    assert all(0 <= point.low <= point.y <= point.high <= 1 for point in figure.points)
    spec = vega.spec(figure)
    line, intervals, _ = spec["layer"]
    assert line["data"]["values"] == [{"x": 0, "y": 0}, {"x": 1, "y": 1}]
    assert intervals["mark"]["type"] == "rule"
    assert len(spec["data"]["values"]) == len(bins)
    assert json.dumps(spec)
    png.write(figure, tmp_path / "a.png")
    pixels = imread(tmp_path / "a.png")
    colours = pixels[..., :3].reshape(-1, 3)
    assert (np.ptp(colours, axis=1) > 0.3).sum() > 500  # points are in colour


def test_too_few_groups_and_too_many_clips_are_a_reason(monkeypatch: pytest.MonkeyPatch):
    few = section(predictions(n_groups=5))
    assert few is not None
    [notes] = few.blocks
    assert isinstance(notes, Notes)
    assert "5 groups are too few to calibrate each by others; expected at least 6" in markdown.text([few])
    assert few.media == {"markdown"}
    monkeypatch.setattr(reliability, "MOST_CLIPS", 100)
    assert "200 clips take too long; expected at most 100" in markdown.text([section(predictions())])


def test_a_head_without_scores_and_one_class_have_no_section():
    table = predictions()
    assert section(table.drop(columns=["score_female", "score_male"])) is None
    one = table.drop(columns="score_male").assign(y_true="female", y_pred="female")
    assert section(one) is None
