from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.errors import UsageError
from bench.exploration import animation
from bench.report.figures.palette import COLOURS, GREY

RNG = np.random.default_rng(0)


def walk(n_stages: int, n_clips: int) -> np.ndarray:
    """Return stages in which every clip moves at random."""
    return RNG.normal(size=(n_stages, n_clips, 2)).cumsum(axis=0).astype(np.float32)


def pixels(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        return [_pixels(image, number) for number in range(image.n_frames)]


def _pixels(image: Image.Image, number: int) -> np.ndarray:
    image.seek(number)
    return np.asarray(image.convert("RGB"))


def colours(frame: np.ndarray) -> set[str]:
    return {"#" + bytes(colour).hex() for colour in np.unique(frame.reshape(-1, 3), axis=0)}


def test_a_frame_is_a_stage(tmp_path: Path):
    animation.write_gif(walk(5, 30), ["b"] * 20 + ["a"] * 9 + [""], tmp_path / "a.gif")
    frames = pixels(tmp_path / "a.gif")
    assert [frame.shape for frame in frames] == [(480, 480, 3)] * 5
    assert all(colours(frame) == {"#ffffff", GREY, *COLOURS[:2]} for frame in frames)


def test_a_clip_is_where_its_stage_has_it(tmp_path: Path):
    corners = np.array([[0, 0], [10, 0], [0, 5]], dtype=np.float32)
    stages = np.stack([corners[[1, 2, 0]], corners])
    animation.write_gif(stages, ["a", "b", "c"], tmp_path / "a.gif")
    for frame, stage in zip(pixels(tmp_path / "a.gif"), stages, strict=True):
        for colour, (x, y) in zip(COLOURS, stage, strict=False):
            wanted = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
            rows, columns = np.nonzero((frame == wanted).all(axis=2))
            width = 11.0  # of the picture: 10 and 5 % on either side
            assert columns.mean() == pytest.approx((x - 5) / width * 480 + 240, abs=1)
            assert rows.mean() == pytest.approx(240 - (y - 2.5) / width * 480, abs=1)


def test_groups_beyond_the_most_frequent_twenty_are_grey(tmp_path: Path):
    groups = [str(number) for number in range(21) for _ in range(21 - number)]
    stages = walk(2, len(groups)) * 100
    animation.write_gif(stages, groups, tmp_path / "a.gif")
    assert colours(pixels(tmp_path / "a.gif")[0]) == {"#ffffff", GREY, *COLOURS}


def test_groups_of_one_colour_have_shapes(tmp_path: Path):
    corners = np.array([[0, 0], [10, 0], [0, 10]], dtype=np.float32)
    others = np.tile(np.float32([10, 10]), (12, 1))  # two more groups of every colour but the first
    stages = np.concatenate([corners, others])[None]
    names = ["a", "h", "o", *"bcdefg", *"ijklmn"]
    animation.write_gif(stages, names, tmp_path / "a.gif")
    frame = pixels(tmp_path / "a.gif")[0]
    marks = [frame[y - 4 : y + 5, x - 4 : x + 5] for x, y in ((22, 458), (458, 458), (22, 22))]
    assert all(colours(mark) == {"#ffffff", COLOURS[0]} for mark in marks)
    assert len({mark.tobytes() for mark in marks}) == 3


def test_a_thousand_clips_take_less_than_a_megabyte_and_the_same_bytes(tmp_path: Path):
    stages = RNG.normal(size=(41, 1000, 2)).astype(np.float32)  # the worst case: nothing stays in its place
    groups = [str(number % 8) for number in range(1000)]
    for name in ("1.gif", "2.gif"):
        animation.write_gif(stages, groups, tmp_path / name)
    assert (tmp_path / "1.gif").stat().st_size < 1_000_000
    assert (tmp_path / "1.gif").read_bytes() == (tmp_path / "2.gif").read_bytes()


def test_a_map_without_stages_has_no_animation(tmp_path: Path):
    with pytest.raises(UsageError, match="no stages; expected a map by UMAP"):
        animation.write_gif(np.empty((0, 3, 2), np.float32), ["a"] * 3, tmp_path / "a.gif")
    assert not any(tmp_path.iterdir())
