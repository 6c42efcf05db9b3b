"""Model: a fitted row of a leaderboard -> predictions for new recordings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import logsumexp
from sklearn.pipeline import Pipeline

from bench import catalog, display
from bench.calibration.familiarity import Familiarity
from bench.catalog.learners import Learner
from bench.embed import pooling
from bench.embed.cache import ClipEmbedding
from bench.errors import ClipError
from bench.inference.answers import Measurement, Prediction, Unfamiliarity
from bench.inference.cards import ModelCard
from bench.inference.hearing import Ear, Sound
from bench.learn.bundle import Bundle
from bench.learn.pipeline import selected_layer
from bench.learn.samples import SampleTable
from bench.runner.extraction import samples_of
from bench.types import SCORE_PREFIX, Audio, Cell, Embeddings, Extractor, Samples, Statistics, Unit, View

SHORT_SHARE = 0.5
"""Share of the length of short training clips below which a recording is much shorter than them."""

VECTOR_POOL = "mean+std"
"""Pooling of the embeddings that tell how familiar a recording is, whatever the head sees."""


@dataclass(frozen=True, eq=False)
class Model:
    """A fitted row of a leaderboard.

    Parameters
    ----------
    card : ModelCard
        What it was fitted to, and what its confidence rests on.
    bundle : Bundle
        Pipeline of scaling, reducers and head, with its card.
    learner : Learner
        The extractor, as it is on this machine.
    familiarity : Familiarity | None
        The training embeddings that a recording is compared with.
    """

    card: ModelCard
    bundle: Bundle
    learner: Learner
    familiarity: Familiarity | None

    @property
    def cell(self) -> Cell:
        """Return the cell of the run, with the extractor as it is on this machine."""
        return replace(self.bundle.card.cell, extractor=self.learner.spec)

    @property
    def name(self) -> str:
        """Return the extractor with its view, and the head."""
        cell = self.cell
        return f"{display.extractor(cell.extractor.name, cell.view)} + {cell.head.name}"

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the classes, sorted."""
        return self.bundle.card.labels

    def is_short(self, seconds: float) -> bool:
        """Return whether a recording is much shorter than the training clips, and so may be far from them."""
        return seconds < SHORT_SHARE * self.card.data.shortest

    @property
    def pipeline(self) -> Pipeline:
        """Return the fitted steps and head; the head is the last step."""
        return self.bundle.pipeline

    @property
    def view(self) -> View:
        """Return the layer and the pooling of the features."""
        return self.cell.view

    @property
    def unit(self) -> Unit:
        """Return what the head sees of a recording."""
        return self.cell.head.unit

    @property
    def measured(self) -> Measurement:
        """Return the score of the row in its run."""
        score = self.bundle.card.scores[0]
        return Measurement(metric=score.metric, value=score.value, low=score.low, high=score.high)

    @cached_property
    def extractor(self) -> Extractor:
        """Return the extractor, built when it is needed first."""
        extractor: Extractor = catalog.build(self.learner.spec)
        return extractor

    def predictions(self, sounds: Sequence[Sound], coverage: float = 0.9) -> list[Prediction]:
        """Return the prediction of every sound.

        Parameters
        ----------
        coverage : float
            Share of the recordings of unheard groups whose label is in the prediction set, in (0, 1).
        """
        if not sounds:
            return []
        table = self.bundle.predict(samples_of(self.cell, [sound.embedding for sound in sounds]))
        probabilities = self._probabilities(table)
        strange = self._unfamiliarities([sound.embedding.statistics for sound in sounds])
        rows = zip(table["y_pred"], probabilities, self._sets(probabilities, coverage), strange, strict=True)
        return [self._prediction(*row) for row in rows]

    def combined(self, parts: Sequence[Prediction], coverage: float = 0.9) -> Prediction:
        """Return the prediction for a recording from those of its parts.

        It has the mean probabilities and their class, or without scores the most frequent label; the middle
        one of the distances to the training clips; and is flagged if most of the parts are.
        """
        if len(parts) == 1:
            return parts[0]
        places = [part.unfamiliar for part in parts if part.unfamiliar]
        unfamiliar = None
        if places:
            score, share = np.median([p.score for p in places]), np.mean([p.flag for p in places])
            unfamiliar = Unfamiliarity(score=float(score), flag=bool(share > 0.5))
        if not all(part.probabilities for part in parts):
            label = Counter(part.predicted_label for part in parts).most_common(1)[0][0]
            nothing = np.full(len(self.labels), np.nan)
            return self._prediction(label, nothing, (), unfamiliar)
        mean = np.mean([[part.probabilities[name] for name in self.labels] for part in parts], axis=0)
        [members] = self._sets(mean[np.newaxis], coverage)
        return self._prediction(self.labels[int(mean.argmax())], mean, members, unfamiliar)

    def probabilities(self, audio: Sequence[Audio]) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities, shape=(n_clips, n_classes); NaN for a head without scores.

        Parameters
        ----------
        audio : Sequence[Audio]
            Each of shape=(n_samples,), at the extractor's rate, not silent.

        Raises
        ------
        ClipError
            If a clip cannot be heard.
        """
        return self._probabilities(self.bundle.predict(self._samples(audio)))

    def log_odds(self, audio: Sequence[Audio], label: str) -> npt.NDArray[np.float64]:
        """Return the log-odds of a class before calibration, shape=(n_clips,); NaN for a head without scores.

        They are those of the softmax of decision values where the head gives some, since probabilities near 0
        or 1 lose them; else of the probabilities. With frames, a clip has the mean of its frames.

        Parameters
        ----------
        audio : Sequence[Audio]
            As of `probabilities`.

        Raises
        ------
        ClipError
            If a clip cannot be heard.
        """
        table = SampleTable.of(self._samples(audio), unit=self.unit)
        head, features = self.pipeline[-1], self.pipeline[:-1].transform(table.X)
        if hasattr(head, "decision_function"):
            values = np.asarray(head.decision_function(features), np.float64)
            values = np.column_stack([-values / 2, values / 2]) if values.ndim == 1 else values
        elif hasattr(head, "predict_proba"):
            tiny = np.finfo(np.float64).tiny
            values = np.log(np.maximum(head.predict_proba(features), tiny, dtype=np.float64))
        else:
            return np.full(len(audio), np.nan)
        is_label = np.array([str(name) == label for name in head.classes_])
        odds = values[:, is_label][:, 0] - logsumexp(values[:, ~is_label], axis=1)
        return np.bincount(table.clip, odds) / np.bincount(table.clip)

    def _samples(self, audio: Sequence[Audio]) -> Samples:
        """Return what the pipeline gets of clips."""
        embeddings: dict[int, ClipEmbedding] = {}
        for row, sound in Ear(self.cell, self.extractor).hear_samples(audio):
            if isinstance(sound, str):
                raise ClipError(f"clip {row}: {sound}")
            embeddings[row] = sound.embedding
        return samples_of(self.cell, [embeddings[row] for row in range(len(audio))])

    def _probabilities(self, table: pd.DataFrame) -> npt.NDArray[np.float64]:
        """Return calibrated probabilities of predictions, shape=(n_clips, n_classes)."""
        columns = [f"{SCORE_PREFIX}{name}" for name in self.labels]
        scores = table.reindex(columns=columns).to_numpy(dtype=np.float64)
        if self.card.calibration:
            return self.card.calibration.calibrator.apply(scores)
        is_distribution = scores.min() >= 0 and np.allclose(scores.sum(axis=1), 1.0)  # not with NaN
        return scores if is_distribution else np.full(scores.shape, np.nan)

    def _sets(self, probabilities: npt.NDArray[np.float64], coverage: float) -> Iterator[tuple[str, ...]]:
        """Yield the prediction set of every row, the most probable class first."""
        if self.card.calibration is None:
            yield from [()] * len(probabilities)
            return
        members = self.card.calibration.conformal.sets(probabilities, coverage)
        for row, is_member in zip(probabilities, members, strict=True):
            order = np.argsort(-row, kind="stable")
            yield tuple(self.labels[number] for number in order if is_member[number])

    def _unfamiliarities(self, statistics: Sequence[Statistics]) -> list[Unfamiliarity | None]:
        """Return how far every recording is from the training clips."""
        if self.familiarity is None:
            return [None] * len(statistics)
        layer = selected_layer(self.pipeline)
        scores = self.familiarity.score(vectors(statistics, self.cell.view, layer))
        return [Unfamiliarity(score=float(score), flag=bool(score > 1)) for score in scores]

    def _prediction(
        self,
        label: str,
        probabilities: npt.NDArray[np.float64],
        members: tuple[str, ...],
        unfamiliar: Unfamiliarity | None,
    ) -> Prediction:
        """Return one prediction as it is written."""
        has_scores = not np.isnan(probabilities).any()
        order = np.argsort(-probabilities, kind="stable") if has_scores else ()
        by_class = {self.labels[number]: float(probabilities[number]) for number in order}
        return Prediction(
            predicted_label=label,
            confidence=by_class.get(label),
            probabilities=by_class,
            set=members,
            unfamiliar=unfamiliar,
        )


def vectors(statistics: Sequence[Statistics], view: View, layer: int | None) -> Embeddings:
    """Return the vectors that tell how familiar recordings are, shape=(n_clips, dim).

    Parameters
    ----------
    view : View
        What the head sees.
    layer : int | None
        The layer that the model chose, of a view that leaves it open.
    """
    chosen = view.layer if layer is None else layer
    return pooling.select(statistics, View("mean" if chosen == "all" else chosen, VECTOR_POOL))
