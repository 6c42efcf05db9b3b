"""Calibration of a row: what its run's held-out predictions say about the confidence of later ones."""

from dataclasses import dataclass

import pandas as pd

from bench.calibration.conformal import Conformal
from bench.calibration.held_out import HeldOut
from bench.calibration.probabilities import Calibrator, cross_fitted, fit_calibrator, uncalibrated
from bench.calibration.reliability import Reliability


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What held-out predictions say about the confidence of later ones; plain values alone.

    Parameters
    ----------
    classes : tuple[str, ...]
        Order of the columns of scores and probabilities.
    calibrator : Calibrator
        Fitted to all held-out clips.
    conformal : Conformal
        Of the probabilities of every clip by a calibrator of other groups.
    before, after : Reliability
        Of the scores as they are (`uncalibrated`), and of probabilities by a calibrator of other groups.
    n_clips : int
        Number of held-out clips.
    """

    classes: tuple[str, ...]
    calibrator: Calibrator
    conformal: Conformal
    before: Reliability
    after: Reliability
    n_clips: int

    @property
    def n_groups(self) -> int:
        """Return the number of groups of the held-out clips."""
        return self.conformal.n_groups


def calibrate(predictions: pd.DataFrame, seed: int = 0) -> Calibration | None:
    """Return the calibration of a row.

    Parameters
    ----------
    predictions : pd.DataFrame
        Predictions of held-out clips: columns `y_true`, `group` and ``score_CLASS``.
    seed : int
        Seed of the parts of the groups.

    Returns
    -------
    Calibration | None
        None for a head without scores, for fewer than two classes, and for fewer than three groups.
    """
    held_out = HeldOut.of(predictions)
    if held_out is None:
        return None
    probabilities, calibrator = cross_fitted(held_out, seed), fit_calibrator(held_out, seed)
    if probabilities is None or calibrator is None:
        return None
    # The model that the sets serve is fitted to all classes.
    possible = held_out.take(held_out.is_possible)
    return Calibration(
        classes=tuple(map(str, held_out.classes)),
        calibrator=calibrator,
        conformal=Conformal.fit(probabilities[held_out.is_possible], possible.label, possible.group),
        before=Reliability.of(uncalibrated(held_out), held_out.label, seed),
        after=Reliability.of(probabilities, held_out.label, seed),
        n_clips=len(held_out.label),
    )
