"""Feature sets of openSMILE: one vector per clip."""

from collections.abc import Sequence

import numpy as np
from opensmile import FeatureLevel, FeatureSet, Smile

from bench.types import Audio, Frames

SAMPLE_RATE = 16_000

MIN_SAMPLES = 1600
"""Shortest clip for which openSMILE computes functionals: 0.1 s."""


class OpenSmile:
    """The functionals of a feature set over a clip.

    Parameters
    ----------
    feature_set : str
        ``eGeMAPSv02`` (88 functionals) or ``ComParE_2016`` (6373).

    References
    ----------
    Eyben et al., "The Geneva minimalistic acoustic parameter set (GeMAPS)", IEEE Trans. Affective Computing 7
    (2), 2016. Schuller et al., "The INTERSPEECH 2016 computational paralinguistics challenge", 2016.
    """

    sample_rate = SAMPLE_RATE

    def __init__(self, feature_set: str) -> None:
        self.smile = Smile(FeatureSet[feature_set], FeatureLevel.Functionals)
        self.dim = len(self.smile.feature_names)

    def embed(self, audio: Sequence[Audio]) -> Sequence[Frames]:
        """Return one vector of shape (dim,) per clip; zeros pad a clip shorter than 0.1 s."""
        return [self._vector(np.pad(clip, (0, max(0, MIN_SAMPLES - clip.size)))) for clip in audio]

    def _vector(self, clip: Audio) -> Frames:
        return np.asarray(self.smile.process_signal(clip, SAMPLE_RATE).to_numpy()[0], dtype=np.float32)
