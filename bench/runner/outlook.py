"""What a run would do: cells to compute, and clips to embed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.cache import Cache
from bench.runner.planning import Plan
from bench.runner.request import Request
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


def reusable(plan: Plan, request: Request, store: Store) -> set[str]:
    """Return the keys of the cells that the store has, made of as many clips as the request asks for."""
    known = store.results()
    there = set()
    for cell in plan.cells:
        result = known.get(cell.key)
        allowed = request.allow_bad * len(plan.sources[cell.dataset].contents)
        whole = result is not None and result.status == Status.OK and result.n_bad <= allowed
        kept = store.models_path(cell.key).is_dir() or not request.save_models
        if whole and kept and store.predictions_path(cell.key).is_file():
            there.add(cell.key)
    return there


def outlook(plan: Plan, request: Request, store: Store, cache: Cache) -> Outlook:
    """Return what running a plan would do; nothing is decoded or written."""
    pairs = dict.fromkeys((cell.dataset, cell.extractor.name) for cell in plan.cells)
    embeddings: list[Mapping[str, str | int]] = []
    for dataset, extractor in pairs:
        contents = {content for content in plan.sources[dataset].contents if content}
        kept = len(contents & cache.kept(plan.digests[extractor]))
        embeddings.append({"data set": dataset, "extractor": extractor, "clips": len(contents), "kept": kept})
    return Outlook(embeddings, len(plan.cells), len(reusable(plan, request, store)), plan.rejected)
