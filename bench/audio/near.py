"""Near copies: clips that are one recording, changed by a codec, a gain, a cut or a little speed."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from bench.audio import files
from bench.audio.alignment import MARGIN, Moment, Point, glance, moment, similarity, whitened
from bench.audio.landmarks import RATE, Landmarks, landmarks
from bench.errors import ClipError
from bench.types import Audio, Clip

N_NEIGHBOURS = 5
"""Number of nearest landmarks that may be the same one."""

RADIUS = 0.6
"""Largest distance of two descriptions of one landmark."""

N_POINTS = 4
"""Number of points at which two clips are compared, whatever their lags."""

N_LAGS = 16
"""Largest number of points with those of other lags: a sound that repeats is like itself at many."""

GLANCE = 0.8
"""Least correlation of two short windows that makes a comparison of whole clips worthwhile."""

NEAR = 0.94
"""Least similarity of near copies.

Copies of 100 spoken digits as Ogg, as MP3 and 1 % faster have 0.955 or more. The likest two different digits
of the Free Spoken Digit Dataset that were seen, takes of one word by one speaker, have 0.924.
"""

N_IN_MEMORY = 1024
"""Number of decoded clips that are kept while pairs of them are compared."""

Candidates = Mapping[tuple[int, int], Sequence[Point]]
"""Numbers of two clips -> points that may be the same moment in both."""


def near_copies(clips: Sequence[Clip], fingerprints: Sequence[str]) -> list[str]:
    """Return a name for each clip that near copies share, or '' if a clip has none.

    Copies as Ogg, MP3 or mu-law, louder, inverted, later, trimmed, at another rate, dithered, with silence
    at an end, or up to 1.5 % faster are found by their landmarks, and confirmed by their similarity. Clips
    are read before padding and mixing. Two windows of one file are not compared, and neither is a clip
    without sound.

    Parameters
    ----------
    fingerprints : Sequence[str]
        Of `duplicate_fingerprints`: clips with the same samples are compared once.
    """
    first: dict[str, int] = {}
    for row, fingerprint in enumerate(fingerprints):
        first.setdefault(fingerprint or f"clip {row}", row)
    rows = list(first.values())
    pairs = list(_near_pairs([clips[row] for row in rows]))
    number = {name: place for place, name in enumerate(first)}
    group = _components(pairs, len(rows))
    sizes = np.bincount(group, minlength=len(rows))
    groups = [group[number[fingerprint or f"clip {row}"]] for row, fingerprint in enumerate(fingerprints)]
    return [f"near {one}" if sizes[one] > 1 else "" for one in groups]


def _near_pairs(clips: Sequence[Clip]) -> Iterator[tuple[int, int]]:
    """Yield the numbers of two near copies, for all pairs that may be some."""
    candidates = _candidates([landmarks(_samples(clip)) for clip in clips])

    @lru_cache(maxsize=N_IN_MEMORY)
    def read(number: int) -> Audio:
        return whitened(_samples(clips[number]))

    @lru_cache(maxsize=4 * N_IN_MEMORY)
    def look(number: int, time: int) -> Moment:
        return moment(read(number), time)

    for (one, other), points in sorted(candidates.items()):
        if clips[one].path == clips[other].path:
            continue
        if any(
            glance(look(one, times[0]), look(other, times[1])) > GLANCE
            and similarity(read(one), read(other), times) >= NEAR
            for times in points
        ):
            yield one, other


def _samples(clip: Clip) -> Audio:
    """Return the samples of a clip at `RATE`; a single zero if it cannot be decoded."""
    try:
        return files.samples(clip.path, RATE, clip.start, clip.end)
    except ClipError:
        return np.zeros(1, dtype=np.float32)


def _candidates(marks: Sequence[Landmarks]) -> Candidates:
    """Return the pairs of clips with like landmarks, the likest points first."""
    descriptions = np.concatenate([mark.descriptions for mark in marks])
    times = np.concatenate([mark.times for mark in marks])
    clip = np.repeat(np.arange(len(marks)), [len(mark.times) for mark in marks])
    if not len(clip):
        return {}
    distance, nearest = cKDTree(descriptions).query(
        descriptions, k=N_NEIGHBOURS + 1, distance_upper_bound=RADIUS
    )
    candidates: dict[tuple[int, int], list[Point]] = {}
    for place in np.argsort(distance, axis=None, kind="stable"):
        one, other = place // nearest.shape[1], nearest.flat[place]
        if other == len(clip):  # from here on, there are no neighbours
            break
        if clip[one] > clip[other]:
            one, other = other, one
        points = candidates.setdefault((int(clip[one]), int(clip[other])), [])
        point = int(times[one]), int(times[other])
        is_near = any(abs(_lag(point) - _lag(earlier)) <= MARGIN for earlier in points)
        if len(points) < (N_POINTS if is_near else N_LAGS) and point not in points:
            points.append(point)
    return {pair: points for pair, points in candidates.items() if pair[0] != pair[1]}


def _lag(point: Point) -> int:
    return point[1] - point[0]


def _components(pairs: Sequence[tuple[int, int]], n_clips: int) -> Sequence[int]:
    """Return the number of the group of every clip: pairs are in one."""
    one, other = np.array(pairs, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(n_clips, n_clips))
    groups: Sequence[int] = connected_components(graph, directed=False)[1].tolist()
    return groups
