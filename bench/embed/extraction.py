"""Extraction: calls of an extractor, in threads if that gains time, in halves if memory runs out."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial

from threadpoolctl import ThreadpoolController

from bench.catalog import devices
from bench.embed.decoding import MIN_SECONDS
from bench.errors import PluginError, describe
from bench.types import Audio, Extractor, Frames, Spec, Traits


class Extraction:
    """Calls an extractor and takes the time of every clip.

    Parameters
    ----------
    spec : Spec
        What the extractor was built from.

    Attributes
    ----------
    max_samples : int
        Audio that the extractor takes at once, in samples; halved whenever it runs out of memory.
    """

    def __init__(self, spec: Spec, extractor: Extractor) -> None:
        self.traits = Traits.of(extractor)
        self.max_samples = round(self.traits.batch_seconds * extractor.sample_rate)
        self._spec = spec
        self._extractor = extractor
        # Signal features are many small products, which several BLAS threads only slow down.
        self._limit_threads = (
            nullcontext if spec.weights else partial(ThreadpoolController().limit, limits=1, user_api="blas")
        )

    def run(self, audios: Sequence[Audio]) -> tuple[Sequence[Frames], Sequence[float]]:
        """Return the frames of every clip of a batch, and its share of the time by its length, in s.

        Raises
        ------
        PluginError
            If the extractor raises, or returns another number of arrays.
        """
        if not audios:
            return [], []
        start = time.perf_counter()
        frames: list[Frames] | None
        try:
            with self._limit_threads():
                frames = self._call(audios)
        except MemoryError as error:
            if len(audios) == 1:
                raise PluginError(f"extractor '{self._spec.name}' ran out of memory on one clip") from error
            frames = None  # the halves follow below: here, the error's traceback refers to the batch's arrays
        except (Exception, SystemExit) as error:  # a plugin may raise anything; it fails its own cells
            raise PluginError(f"extractor '{self._spec.name}' raised {describe(error)}") from error
        if frames is None:
            self.max_samples //= 2
            middle = len(audios) // 2
            halves = [self.run(audios[:middle]), self.run(audios[middle:])]
            return [f for half, _ in halves for f in half], [s for _, half in halves for s in half]
        seconds = time.perf_counter() - start
        if len(frames) != len(audios):
            raise PluginError(
                f"extractor '{self._spec.name}' returned {len(frames)} arrays for {len(audios)} clips"
            )
        n_samples = sum(samples.size for samples in audios)
        return frames, [samples.size / n_samples * seconds for samples in audios]

    def _call(self, audios: Sequence[Audio]) -> list[Frames]:
        """Return what the extractor returns for a batch, in a thread per core if that gains time."""
        mean_s = sum(samples.size for samples in audios) / len(audios) / self._extractor.sample_rate
        if mean_s < MIN_SECONDS or not self.traits.concurrent:
            return list(self._extractor.embed(audios))
        n_threads = min(devices.threads(), len(audios))
        with ThreadPoolExecutor(n_threads) as workers:
            parts = list(workers.map(self._extractor.embed, [audios[i::n_threads] for i in range(n_threads)]))
        return [parts[row % n_threads][row // n_threads] for row in range(len(audios))]
