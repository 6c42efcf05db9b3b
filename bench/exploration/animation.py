"""An animation of how UMAP moves clips to their places on a map."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageDraw

from bench.errors import UsageError
from bench.exploration.map_figure import OTHER, UNKNOWN, legend
from bench.files import replacing
from bench.report.figures.palette import COLOURS, GREY

SIZE = 480
"""Width and height in pixels."""

MOST_CLIPS = 2000
"""Largest number of clips that are drawn; the first of a random order of more clips."""

MARGIN = 0.05
"""Space on every side, in the width of the stages."""

FRAME_MS, LAST_MS = 120, 3000
"""Duration of a stage and of the map at the end, in ms."""

WHITE = "#ffffff"


def write_gif(stages: npt.NDArray[np.float32], groups: Sequence[str], path: Path) -> None:
    """Write the stages of a map as an animated GIF; each is a stage of the optimiser, and none is in between.

    Parameters
    ----------
    stages : np.ndarray, shape=(n_stages, n_clips, 2)
        Of `maps.Map`. The axes hold all stages, so that no clip leaves the picture.
    groups : Sequence[str]
        What colours every clip, such as its cluster, with the colours and shapes of `map_figure.figure`: the
        most frequent ones have colours, others and clips of the group '' are grey.

    Raises
    ------
    UsageError
        If there are no stages.
    OSError
        If the file cannot be written.
    """
    if not len(stages):
        raise UsageError("animation: the map has no stages; expected a map by UMAP")
    rows = np.random.default_rng(0).permutation(stages.shape[1])[:MOST_CLIPS]
    numbers = _numbers(groups)[rows]
    frames = [_frame(places, numbers) for places in _pixels(stages[:, rows])]
    durations = [FRAME_MS] * (len(frames) - 1) + [LAST_MS]
    with replacing(path) as part:
        frames[0].save(part, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0)


def _numbers(groups: Sequence[str]) -> npt.NDArray[np.intp]:
    """Return the number of every clip's group in the order of the legend; -1 for a grey one."""
    names = legend(groups)
    numbers = {name: number for number, name in enumerate(sorted({*names} - {OTHER, UNKNOWN}))}
    return np.array([numbers.get(name, -1) for name in names])


def _pixels(stages: npt.NDArray[np.float32]) -> npt.NDArray[np.intp]:
    """Return stages in pixels from the upper left corner, in true proportions."""
    low, high = stages.min(axis=(0, 1)), stages.max(axis=(0, 1))
    width = max(float((high - low).max()), 1e-9) * (1 + 2 * MARGIN)
    places = (stages - (low + high) / 2) / width + 0.5
    places[..., 1] = 1 - places[..., 1]
    pixels: npt.NDArray[np.intp] = np.rint(places * SIZE).astype(np.intp)
    return pixels


def _frame(places: npt.NDArray[np.intp], numbers: npt.NDArray[np.intp]) -> Image.Image:
    """Return a picture of the clips, grey ones below the others."""
    image = Image.new("P", (SIZE, SIZE), 0)
    image.putpalette([part for colour in (WHITE, GREY, *COLOURS) for part in ImageColor.getrgb(colour)])
    draw = ImageDraw.Draw(image)
    radius = 3 if len(numbers) <= 300 else 2
    for clip in np.argsort(numbers >= 0, kind="stable"):
        x, y = places[clip].tolist()
        shape, colour = divmod(int(numbers[clip]), len(COLOURS)) if numbers[clip] >= 0 else (0, -1)
        box = (x - radius, y - radius, x + radius, y + radius)
        if shape == 0:
            draw.ellipse(box, fill=colour + 2)
        elif shape == 1:
            draw.polygon(
                [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=colour + 2
            )
        else:
            draw.rectangle(box, fill=colour + 2)
    return image
