"""Fit the pipeline of a computed cell to every clip, from the same plan made again."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from bench import augment, catalog, display
from bench.catalog.learners import JOIN, Learner
from bench.catalog.names import portable
from bench.embed.cache import Cache
from bench.embed.shards import ProgressFactory
from bench.embed.sources import embed_source
from bench.errors import UsageError
from bench.request import Request
from bench.runner import cells
from bench.runner.cells import FittedCell
from bench.runner.extraction import Work
from bench.runner.planning import Plan, plan
from bench.store import Store
from bench.types import Cell, Result


def refit(store: Store, result: Result, home: Path, cache: Cache, progress_of: ProgressFactory) -> FittedCell:
    """Return the pipeline of a computed cell, fitted to every clip; embed the clips that the cache lacks.

    The plan is made again in the folder of the run, with its registry.

    Parameters
    ----------
    home : Path
        Folder for corpora.

    Raises
    ------
    UsageError
        If data, code or versions have changed since the run.
    SplitError, PluginError
        If the pipeline cannot be fitted.
    """
    record = store.run()
    if not Path(record.folder).is_dir():
        raise UsageError(
            f"{store.name}: was computed in {record.folder}, which is not here; run the same command here"
        )
    with contextlib.chdir(record.folder):
        declared = catalog.load()
        now = plan(_request(record.request, result, home), declared)
        cell = next((cell for cell in now.cells if cell.key == result.key), None)
        if cell is None:
            raise UsageError(
                f"{store.name}: {display.cell(result)}: cannot be fitted again, since its data, code or "
                f"versions changed after the run; `bench audit {store.name}` says what, and running the same "
                "command again computes it anew"
            )
        work = _work(now, cell, cache, record.request, store.folders())
        learner = Learner(cell.extractor, work.digest, identity=work.identity)
        changes = augment.parse(record.request.augment)
        bad = embed_source(now.sources[cell.dataset], learner, {cell.view}, cache, progress_of, changes)
        return cells.fit(replace(work, bad=frozenset(bad)), result)


def _request(request: Request, result: Result, home: Path) -> Request:
    """Return the part of a request that plans one cell."""
    names = [text.partition("@")[0] for text in request.extractors] or [result.extractor]
    view = f"@layer={result.view.layer}@pool={result.view.pool}"
    return replace(
        request,
        home=home,
        extractors=tuple({f"{name}{view}": None for name in names if portable(name) == result.extractor}),
        heads=tuple({name: None for name in request.heads if _head_name(name) == result.head})
        or (result.head,),
        tune=result.is_tuned,
        select=False,
        seeds=(result.seed,),
        train_sizes=(result.train_size,),
    )


def _head_name(text: str) -> str:
    """Return what a text of ``--heads`` is called in results."""
    *reducers, head = text.split(JOIN)
    return JOIN.join([*reducers, portable(head)])


def _work(now: Plan, cell: Cell, cache: Cache, request: Request, folders: Collection[str]) -> Work:
    """Return what fitting a cell needs."""
    source, name = now.sources[cell.dataset], cell.extractor.name
    return Work(
        run=uuid.uuid4().hex,
        cell=cell,
        problem=now.problem(cell),
        cache=cache.root,
        digest=now.digests[name],
        identity=now.identities[name],
        clips=source.dataset.table["clip"].to_numpy(),
        contents=source.contents,
        copies=source.copies,
        bad=frozenset(),
        device=request.device,
        models=None,
        folders=tuple(folders),
    )
