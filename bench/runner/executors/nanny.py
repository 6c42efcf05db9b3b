"""A nanny of Dask whose worker may die at its start."""

from typing import Any

from distributed import Nanny, Status

from bench.runner.executors.workers import DEATHS


class PatientNanny(Nanny):  # type: ignore[misc]  # Dask is not typed
    """Starts its worker again when it dies at its start, and gives up at the third death in a row.

    Dask's own nanny gives up at the first death when it starts, and never later.
    """

    _n_starts = 0

    async def instantiate(self) -> Any:
        """Start the worker, and return its status."""
        if self._n_starts == DEATHS:
            await self.close(reason="its worker dies at its start")
            return Status.failed
        self._n_starts += 1
        status = await super().instantiate()
        if status == Status.running:
            self._n_starts = 0
        elif self.status in (Status.init, Status.starting):  # later, Dask itself starts it again
            return await self.instantiate()
        return status
