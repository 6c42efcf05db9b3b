"""What a run would do: cells to compute, and clips to embed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.cache import Cache
from bench.runner.planning import Plan
from bench.store import Store
from bench.types import Result, Status


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is there, and what is to be done.

    Parameters
    ----------
    embeddings : Sequence[Mapping[str, str | int]]
        Of every data set and extractor in the plan its name, its clips, and how many of them are kept.
    n_cells, n_reused : int
        Cells of the plan, and those that the store has.
    rejected : Sequence[Result]
        What cannot be computed, with its reason.
    """

    embeddings: Sequence[Mapping[str, str | int]]
    n_cells: int
    n_reused: int
    rejected: Sequence[Result]


def outlook(plan: Plan, store: Store, cache: Cache) -> Outlook:
    """Return what running a plan would do; nothing is decoded or written."""
    known = store.results()
    n_reused = sum(cell.key in known and known[cell.key].status == Status.OK for cell in plan.cells)
    pairs = dict.fromkeys((cell.dataset, cell.extractor.name) for cell in plan.cells)
    embeddings: list[Mapping[str, str | int]] = []
    for dataset, extractor in pairs:
        contents = {content for content in plan.sources[dataset].contents if content}
        kept = len(contents & cache.read(plan.digests[extractor]).keys())
        embeddings.append({"data set": dataset, "extractor": extractor, "clips": len(contents), "kept": kept})
    return Outlook(embeddings, len(plan.cells), n_reused, plan.rejected)
