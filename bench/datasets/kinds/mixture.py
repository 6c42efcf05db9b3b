"""Noisy speech as a recipe: which noise is mixed under which clip, at which SNR; no audio is written."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import soundfile

from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.types import Dataset, Labels


@dataclass(frozen=True, slots=True)
class Recipe:
    """How speech and noise are mixed.

    Parameters
    ----------
    snrs_db : Sequence[float]
        Each is used equally often, in dB over the active speech.
    clean : float
        The share of the clips that stay clean.
    folds : int
        Speakers, and the noises' recordings, are dealt to so many folds; a noise meets no speaker of another.
    noise_label : str
        The label column of the noises that becomes `noise_kind`.
    """

    snrs_db: Sequence[float] = (-5, 0, 5, 10, 15, 20)
    clean: float = 0.5
    folds: int = 5
    noise_label: str = "class"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be mixed."""
        listed = self.snrs_db if isinstance(self.snrs_db, (list, tuple)) else ()
        numbers = all(isinstance(number, (int, float)) for number in (*listed, self.folds, self.clean))
        if not (listed and numbers and self.folds >= 2 and 0 <= self.clean < 1):
            raise UsageError(
                f"mixture of snrs_db = {self.snrs_db}, folds = {self.folds}, clean = {self.clean}; "
                "expected one SNR or more, 2 folds or more, and a share from 0 to below 1"
            )


def mix(speech: Dataset, noise: Dataset, recipe: Recipe) -> Dataset:
    """Return the mixture of two datasets.

    It has the labels of the speech, and `noise` (clean, noisy), `snr_db`, `noise_kind`, `noise_recording`
    (the clip itself where it is clean) and `fold`.

    Raises
    ------
    UsageError
        If there are fewer speakers or noises than folds, the noises lack the label, or one cannot be opened.
    """
    if recipe.noise_label not in noise.labels:
        known = ", ".join(noise.labels)
        raise UsageError(f"{noise.source}: has no column '{recipe.noise_label}' (label columns: {known})")
    rng = np.random.default_rng(recipe.seed)
    owner = "speaker" if "speaker" in speech.labels else "recording"
    speech_fold = _dealt(speech.table[owner].to_numpy(str), speech.source, owner, recipe, rng)
    noise_fold = _dealt(noise.table["recording"].to_numpy(str), noise.source, "recording", recipe, rng)
    seconds = np.array([_seconds(path, noise.source) for path in noise.table["path"]])

    table = speech.table.reset_index(drop=True)
    clips = table["clip"].to_numpy(str)
    chosen, snr_db = np.full(len(table), -1), np.full(len(table), np.nan)
    for fold in range(recipe.folds):
        rows = rng.permutation(np.flatnonzero(speech_fold == fold))
        noisy = rows[round(recipe.clean * len(rows)) :]
        chosen[noisy] = rng.choice(np.flatnonzero(noise_fold == fold), size=len(noisy))
        snr_db[noisy] = np.resize(recipe.snrs_db, len(noisy))
    is_noisy = chosen >= 0
    path, kind, recording = (noise.table[n].to_numpy(str) for n in ("path", recipe.noise_label, "recording"))
    table = table.assign(
        noise_path=pd.Series(path[chosen]).where(is_noisy),
        noise_start=np.where(is_noisy, np.round(rng.uniform(0, seconds[chosen]), 4), np.nan),
        mix_db=snr_db,
        noise=np.where(is_noisy, "noisy", "clean"),
        noise_kind=np.where(is_noisy, kind[chosen], "none"),
        snr_db=[f"{value:g}" if noisy else "none" for value, noisy in zip(snr_db, is_noisy, strict=True)],
        noise_recording=np.where(is_noisy, recording[chosen], clips),
        fold=speech_fold.astype(str),
    )
    notes = (f"Mixtures of {speech.source} and {noise.source}; SNR over active speech (ITU-T P.56).",)
    return dataset(table, speech.name, speech.source, notes=(*speech.notes, *notes))


def _dealt(
    names: Labels, source: str, column: str, recipe: Recipe, rng: np.random.Generator
) -> "np.ndarray[tuple[int], np.dtype[np.intp]]":
    """Return a fold per row, the same for all rows of a name."""
    unique, inverse = np.unique(names, return_inverse=True)
    if len(unique) < recipe.folds:
        raise UsageError(f"{source}: {len(unique)} values of {column} are fewer than {recipe.folds} folds")
    return rng.permutation(np.arange(len(unique)) % recipe.folds)[inverse]


def _seconds(path: str, source: str) -> float:
    """Return the length of a noise, in s, by its header."""
    try:
        return float(soundfile.info(path).duration)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UsageError(f"{source}: {path}: cannot be opened as audio; leave this noise out") from error
