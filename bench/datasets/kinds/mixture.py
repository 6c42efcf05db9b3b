"""Datasets of noisy speech, mixed as it is read; no audio is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench import audio
from bench.datasets import fetch
from bench.datasets.grouping import join_groups
from bench.datasets.kinds import files
from bench.datasets.layouts import from_path
from bench.datasets.params import call
from bench.datasets.segments import cut
from bench.datasets.tables import dataset
from bench.errors import UsageError
from bench.paths import path_of
from bench.types import NOISE_PATH, NOISE_SNR, NOISE_START, Card, Dataset, Labels, Note


@dataclass(frozen=True, slots=True)
class Mixing:
    """Parameters of a mixture of speech and noise.

    Parameters
    ----------
    snrs_db : Sequence[float]
        SNRs in dB over the active speech, used equally often.
    clean : float
        Share of the clips without noise, in [0, 1).
    folds : int
        Number of folds. Speakers and noise recordings are divided among them and mixed only within a fold.
    noise_label : str
        Label column of the noises that becomes `noise_kind`.
    seed : int
        Seed of all random choices.
    """

    snrs_db: Sequence[float] = (-5, 0, 5, 10, 15, 20)
    clean: float = 0.5
    folds: int = 5
    noise_label: str = "class"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values that are out of range.

        Raises
        ------
        UsageError
            If there is no SNR or one beyond 200 dB, fewer than 2 folds, a share outside of [0, 1), or a seed
            below 0.
        """
        snrs_db = self.snrs_db if isinstance(self.snrs_db, (list, tuple)) else ()
        numbers = all(isinstance(number, (int, float)) for number in (*snrs_db, self.folds, self.clean))
        in_range = numbers and all(abs(snr_db) <= 200 for snr_db in snrs_db) and self.seed >= 0
        if not (snrs_db and in_range and self.folds >= 2 and 0 <= self.clean < 1):
            raise UsageError(
                f"mixture of snrs_db = {self.snrs_db}, folds = {self.folds}, clean = {self.clean}, "
                f"seed = {self.seed}; expected one SNR or more, 2 folds or more, and a share from 0 to "
                "below 1; SNRs are up to 200 dB, and a seed is not negative"
            )


def from_card(
    card: Card,
    home: Path,
    /,
    speech: str | Mapping[str, Any],
    noise: str | Mapping[str, Any],
    segment: Mapping[str, Any] | None = None,
    **options: Any,
) -> Dataset:  # six parameters: they are the fields of the card
    """Return the mixture of two datasets; the speech is cut into segments first.

    Parameters
    ----------
    speech, noise : str | Mapping[str, Any]
        Path relative to the card or its download, or the params of a card of kind ``files``.
    segment : Mapping[str, Any] | None
        Arguments of `segments.cut`.
    options
        Fields of `Mixing`.

    Raises
    ------
    UsageError
        If an option is unknown or out of range, or the speech or the noise does not fit.
    """
    where = f"{card.source}: params"
    mixing = call(Mixing, params=options, where=where, siblings=["speech", "noise", "segment"])
    clips = _part(card, home, "speech", speech, "class")
    if segment:
        clips = call(cut, clips, params=segment, where=f"{where}: segment")
    return mix(clips, _part(card, home, "noise", noise, mixing.noise_label), mixing)


def _part(card: Card, home: Path, name: str, part: str | Mapping[str, Any], label: str) -> Dataset:
    """Return the speech or the noise of a mixture."""
    if isinstance(part, str):
        path = fetch.located(card, home, part)
        return from_path(path, label, fetch.audio_folder(card, path))
    return call(files.from_card, card, home, params=part, where=f"{card.source}: params: {name}")


def mix(speech: Dataset, noise: Dataset, mixing: Mixing) -> Dataset:
    """Return the mixture of two datasets.

    It has the label columns of the speech, and `noise` (clean, noisy), `snr_db`, `noise_kind`,
    `noise_recording` (the clip itself if it is clean) and `fold`.

    Raises
    ------
    UsageError
        If there are fewer speakers or noises than folds, if the noises lack the label column, or if a noise
        has no readable header.
    """
    if mixing.noise_label not in noise.labels:
        columns = ", ".join(noise.labels)
        raise UsageError(f"{noise.source}: has no column '{mixing.noise_label}' (label columns: {columns})")
    rng = np.random.default_rng(mixing.seed)
    column = "speaker" if "speaker" in speech.labels else "recording"
    speech_fold = _draw_folds(speech, column, mixing.folds, rng)
    recordings = _by_content(noise)
    noise_fold = _draw_folds(recordings, "recording", mixing.folds, rng)
    seconds = np.array([_seconds(path, noise.source) for path in noise.table["path"]])

    table = speech.table.reset_index(drop=True)
    rows, snr_db = _draw_noises(speech_fold, noise_fold, mixing, rng)
    is_noisy = rows >= 0
    path, kind, recording = (
        recordings.table[name].to_numpy(str)[rows] for name in ("path", mixing.noise_label, "recording")
    )
    table[NOISE_PATH] = pd.Series(path).where(is_noisy)
    table[NOISE_START] = np.where(is_noisy, np.round(rng.uniform(0, seconds[rows]), 4), np.nan)
    table[NOISE_SNR] = snr_db
    table = table.assign(
        noise=np.where(is_noisy, "noisy", "clean"),
        noise_kind=np.where(is_noisy, kind, "none"),
        snr_db=[f"{value:g}" if noisy else "none" for value, noisy in zip(snr_db, is_noisy, strict=True)],
        noise_recording=np.where(is_noisy, recording, table["clip"].to_numpy(str)),
        fold=speech_fold.astype(str),
    )
    note = Note("mixture", (speech.source, noise.source))
    notes = (*speech.notes, note)
    return dataset(table, speech.name, speech.source, notes=notes, leftovers=speech.leftovers)


def _by_content(noise: Dataset) -> Dataset:
    """Return noises of which those with the same samples are one recording, whatever their names."""
    fingerprints = audio.duplicate_fingerprints(noise.clips())
    if not any(fingerprints):
        return noise
    clips = noise.table["clip"].to_numpy(str)
    groups = {
        "recording": noise.table["recording"].to_numpy(str),
        "audio": np.where(np.array(fingerprints) == "", clips, fingerprints),
    }
    return replace(noise, table=noise.table.assign(recording=join_groups(groups)))


def _draw_folds(clips: Dataset, column: str, n_folds: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Return a fold from 0 up per row, the same for all rows with one value of the column."""
    names: Labels = clips.table[column].to_numpy(str)
    unique, inverse = np.unique(names, return_inverse=True)
    if len(unique) < n_folds:
        raise UsageError(f"{clips.source}: {len(unique)} values of {column} are fewer than {n_folds} folds")
    return rng.permutation(np.arange(len(unique)) % n_folds)[inverse]


def _draw_noises(
    speech_fold: npt.NDArray[np.intp],
    noise_fold: npt.NDArray[np.intp],
    mixing: Mixing,
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return for every clip the row of its noise, -1 for none, and its SNR in dB, NaN for none."""
    noise_rows, snr_db = np.full(len(speech_fold), -1), np.full(len(speech_fold), np.nan)
    for fold in range(mixing.folds):
        clips = rng.permutation(np.flatnonzero(speech_fold == fold))
        noisy = clips[round(mixing.clean * len(clips)) :]
        noise_rows[noisy] = rng.choice(np.flatnonzero(noise_fold == fold), size=len(noisy))
        snr_db[noisy] = np.resize(mixing.snrs_db, len(noisy))
    return noise_rows, snr_db


def _seconds(path: str, source: str) -> float:
    """Return the length of a noise from its header, in s."""
    header = audio.header(path_of(path))
    if header is None:
        raise UsageError(f"{source}: {path}: cannot be opened as audio; leave this noise out")
    return header.seconds
