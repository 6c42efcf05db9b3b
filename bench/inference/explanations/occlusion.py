"""Explanations of any model from its probabilities alone: scores of windows, and occlusion."""

from collections.abc import Sequence
from itertools import pairwise

import librosa
import numpy as np

from bench.errors import UsageError
from bench.inference.explanations.background import Part, lowered
from bench.inference.explanations.explanation import Classifier, Explainer, Saliency, Values
from bench.types import Audio

LONGEST_WINDOW, LONGEST_GAP = 1.0, 0.5
"""Longest window that is scored alone, and longest one that is occluded, in s."""

N_WINDOWS, N_GAPS = 3, 6
"""Smallest number of such windows beside each other in a recording; a shorter recording has shorter ones."""

N_BANDS = 8
"""Number of bands that are occluded, equally wide on the mel scale."""


def windows(model: Classifier, label: str) -> Explainer:
    """Return an explainer: the log-odds of a label in windows alone, at each moment their mean."""

    def explain(audio: Audio) -> Saliency:
        rate = model.extractor.sample_rate
        width = max(1, int(min(LONGEST_WINDOW * rate, len(audio) / N_WINDOWS)))
        starts = _starts(len(audio), width, width // 4)
        scores = _log_odds(model, label, [audio[start : start + width] for start in starts])
        times, values = _over_time(scores, starts, width)
        return Saliency(times / rate, None, values)

    return explain


def occlusion(model: Classifier, label: str) -> Explainer:
    """Return an explainer: how much the log-odds of a label fall when a part of the recording is occluded.

    Windows of time and bands of frequencies are occluded one by one: their magnitudes are lowered to the
    background of the recording, so that background stays as it is. A value of the map is the sum of the fall
    for its window and the fall for its band.

    References
    ----------
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014.
    """

    def explain(audio: Audio) -> Saliency:
        rate = model.extractor.sample_rate
        width = max(1, int(min(LONGEST_GAP * rate, len(audio) / N_GAPS)))
        starts = _starts(len(audio), width, width // 2)
        edges = librosa.mel_frequencies(N_BANDS + 1, fmin=0, fmax=rate / 2)
        windows = [Part(start, start + width, 0, rate) for start in starts]
        bands = [Part(0, len(audio), low, high) for low, high in pairwise(edges)]
        whole, *scores = _log_odds(model, label, [audio, *lowered(audio, rate, [*windows, *bands])])
        falls = whole - np.array(scores)
        times, over_time = _over_time(falls[: len(starts)], starts, width)
        return Saliency(
            times / rate, (edges[:-1] + edges[1:]) / 2, np.add.outer(over_time, falls[len(starts) :])
        )

    return explain


def _starts(n_samples: int, width: int, hop: int) -> list[int]:
    """Return the first samples of windows over a recording; the last one ends with it."""
    return sorted({*range(0, n_samples - width + 1, max(hop, 1)), n_samples - width})


def _over_time(scores: Values, starts: Sequence[int], width: int) -> tuple[Values, Values]:
    """Return moments, in samples, and at each the mean score of the windows over it."""
    first = np.asarray(starts)
    edges = np.unique([first, first + width])
    times = (edges[:-1] + edges[1:]) / 2
    is_inside = (first <= times[:, np.newaxis]) & (times[:, np.newaxis] < first + width)
    return times, is_inside @ scores / is_inside.sum(axis=1)


def _log_odds(model: Classifier, label: str, clips: Sequence[Audio]) -> Values:
    """Return the log-odds of a label for every clip, shape=(n_clips,); silence has the lowest of all.

    Raises
    ------
    UsageError
        If the head gives no probabilities.
    """
    is_audible = np.array([clip.any() for clip in clips])
    audible = [clip for clip, flag in zip(clips, is_audible, strict=True) if flag]
    scores = model.log_odds(audible, label)
    if np.isnan(scores).any():
        raise UsageError("--explain: the head gives no scores; expected one that does, such as logreg")
    values = np.full(len(clips), scores.min())
    values[is_audible] = scores
    return values
