"""A folder against itself, and against the data and the code that are present now."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import display
from bench.embed.cache import Cache
from bench.runner import choices, reembedding, world
from bench.runner.audit.cells import StoredSplit, check_cell
from bench.runner.audit.models import check_models, unlisted_models
from bench.runner.audit.plans import check_plan
from bench.runner.reembedding import EmbeddingCheck
from bench.store import RunRecord, Store
from bench.store.earlier import StoredFields
from bench.store.schema import broken_seal
from bench.types import Result, Status


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit compared, one line per difference and per part that was not compared.

    Parameters
    ----------
    unchecked : tuple[str, ...]
        Parts that were not compared, each with the reason.
    embeddings : tuple[EmbeddingCheck, ...]
        Of every dataset and extractor, how many cached embeddings were computed again.
    has_unread_signature : bool
        Whether the folder is signed, and there is no key to check that with.
    """

    differences: tuple[str, ...]
    unchecked: tuple[str, ...]
    embeddings: tuple[EmbeddingCheck, ...]
    has_unread_signature: bool = False


def audit(  # a folder, where its parts are now, and two options
    store: Store, home: Path, cache: Cache, *, trust: Collection[Path] = (), deep: bool = False
) -> Audit:
    """Compare a folder with itself, with the data and the code present now, and with the cache.

    Compare the lines of results.jsonl with their seals, scores and counts with predictions, predictions with
    the split, the split with its groups, models with their digests; cells, tables, labels, bad clips,
    extractors and heads with those of the same plan made now; and cached embeddings with those of the audio.
    No code runs that the folder brings or that its record alone names.

    Parameters
    ----------
    home : Path
        Folder for corpora.
    trust : Collection[Path]
        Working folders of runs whose registry and plugins are imported, besides what is installed and the
        registry of the working folder.
    deep : bool
        Compute every cached embedding again, not a sample.

    Raises
    ------
    UsageError
        If the folder holds no run, or a line of results.jsonl is damaged.
    """
    record, results = store.run(), store.results(sealed=False)
    lines = [f"{store.results_path}:{number}: {broken_seal()}" for number in store.broken_seals()]
    fields = StoredFields.of(store)
    lines += _check_folder(store, record, results, fields)
    present = world.compare(store, record, home, trust)
    unchecked = [*present.unchecked, *unlisted_models(store, record), *_sentences(store, fields)]
    if present.plan is None:
        return Audit((*lines, *present.differences), tuple(unchecked), ())
    lines += present.differences
    lines += check_plan(store, record, present.plan, fields)
    checks = tuple(reembedding.check(present, record, cache, deep=deep))
    return Audit(
        differences=(*lines, *(line for check in checks for line in check.differences)),
        unchecked=(*unchecked, *(check.obstacle for check in checks if check.obstacle)),
        embeddings=checks,
    )


def _check_folder(
    store: Store, record: RunRecord, results: Mapping[str, Result], fields: StoredFields
) -> Iterator[str]:
    """Yield how the parts of a folder differ from each other."""
    splits = {}
    planned = [results[key] for key in record.cells if key in results]
    if fields.is_contradictory:
        yield f"{store.run_path}: is of an earlier release than the results of its cells"
    for protocol in record.tables:
        table = protocol.dataset, protocol.task.name
        for repeat in range(1 + len(protocol.repeats)):
            stored = splits[*table, repeat] = StoredSplit.of(store, protocol, repeat)
            name = display.table(*table) + (f", repeat {repeat}" if repeat else "")
            yield from (f"{name}: {line}" for line in stored.faults())
    if record.counters.cells_planned != len(record.cells):
        yield f"{store.run_path}: lists {len(record.cells)} cells of {record.counters.cells_planned} planned"
    for key in (*record.cells, *record.earlier):
        result = results.get(key)
        if result is None:
            yield f"{store.results_path}: cell {key} of run.json is missing"
        elif result.status == Status.OK:
            stored_split = splits.get((result.dataset, result.task.name, result.repeat))
            differences = [
                *check_cell(store, result, stored_split, fields.lines[key]),
                *_check_choice(store, result, planned),
            ]
            yield from (f"{display.cell(result)}: {line}" for line in differences)
    yield from check_models(store, record)


def _sentences(store: Store, fields: StoredFields) -> list[str]:
    """Return a line if the record holds sentences, which only the release that wrote them can compare."""
    names = ", ".join(fields.sentences)
    reason = "they are sentences of an earlier release"
    return [f"{store.run_path}: {names}: not checked, since {reason}"] if names else []


def _check_choice(store: Store, result: Result, planned: Sequence[Result]) -> list[str]:
    """Return how the choice of a row differs from the scores of its candidates in inner folds."""
    return choices.faults(result, planned, store.scored_predictions) if result.chosen else []
