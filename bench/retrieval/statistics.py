"""Statistics: what an index holds, in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tabulate import tabulate

from bench import display
from bench.errors import shortlist
from bench.retrieval.card import IndexCard
from bench.retrieval.index import Index
from bench.retrieval.metadata import METADATA
from bench.retrieval.vectors import VECTORS
from bench.retrieval.verification import Verification


@dataclass(frozen=True, slots=True)
class Statistics:
    """What an index holds now.

    Parameters
    ----------
    n_removed : int
        Number of chunks that were removed.
    seconds : float
        Length of all clips, in s.
    labels : Mapping[str, int]
        Label column -> number of its values.
    texts : Mapping[str, int]
        Kind of a text -> number of such texts.
    n_bytes : Mapping[str, int]
        File -> size.
    """

    card: IndexCard
    n_files: int
    n_chunks: int
    n_removed: int
    seconds: float
    labels: Mapping[str, int]
    texts: Mapping[str, int]
    n_bytes: Mapping[str, int]


def of(index: Index) -> Statistics:
    """Return the statistics of an index.

    Raises
    ------
    UsageError
        If its metadata or vectors are damaged.
    """
    with index.snapshot() as snapshot:
        select = snapshot.connection.execute
        n_files, seconds = select("SELECT count(*), coalesce(sum(seconds), 0) FROM files").fetchone()
        return Statistics(
            card=index.card,
            n_files=n_files,
            n_chunks=len(snapshot.ids),
            n_removed=len(snapshot.vectors) - len(snapshot.ids),
            seconds=seconds,
            labels=dict(select("SELECT name, count(DISTINCT value) FROM labels GROUP BY name")),
            texts=dict(select("SELECT kind, count(*) FROM captions GROUP BY kind")),
            n_bytes={name: (index.path / name).stat().st_size for name in (VECTORS, METADATA)},
        )


def table(statistics: Statistics) -> str:
    """Return statistics as a table for people."""
    card, recall = statistics.card, statistics.card.recall
    chunking = card.chunking
    engine = ", ".join(
        [card.engine.name, *(f"{name} {value}" for name, value in card.engine.parameters.items())]
    )
    rows = {
        "clips": f"{statistics.n_files}, {statistics.seconds / 3600:.2f} h",
        "chunks": f"{statistics.n_chunks}"
        + (f", {statistics.n_removed} removed" * bool(statistics.n_removed)),
        "cut into": f"{chunking.seconds:g} s every {chunking.hop:g} s" if chunking.seconds else "whole clips",
        "extractor": display.extractor(card.extractor, card.view),
        "preprocessing": " ".join(card.preprocess),
        "vectors": f"{card.dim} dimensions, {card.normalisation}",
        "engine": engine,
        "labels": _counts(statistics.labels),
        "texts": _counts(statistics.texts),
        "size": ", ".join(f"{name} {size / 1e6:.1f} MB" for name, size in statistics.n_bytes.items()),
    }
    if recall:
        rows[f"recall@{recall.k}"] = (
            f"{recall.recall:.3f} [{recall.low:.3f}, {recall.high:.3f}] of the exact neighbours, "
            f"{recall.n_queries} queries"
        )
        rows["a query takes"] = f"{recall.median_ms:.2f} ms (median), {recall.p99_ms:.2f} ms (99 %)"
        rows["memory"] = f"{recall.bytes_per_vector:.0f} bytes a vector"
    filled = [row for row in rows.items() if row[1]]
    text: str = tabulate(filled, tablefmt="plain", disable_numparse=True)
    return text


def verdict(verification: Verification) -> str:
    """Return what the check of an index came to, a line per finding."""
    check = verification
    lines = [f"{check.n_files} clips, {check.n_chunks} chunks, {check.n_removed} removed"]
    for ids, problem in (
        (check.changed, "vectors are not those that were added"),
        (check.stray, "rows of vectors belong to no chunk"),
        (check.legible, "vectors of removed chunks are still there"),
    ):
        if len(ids):
            lines.append(f"{len(ids)} {problem}: ids {shortlist([str(id_) for id_ in ids])}")
    lines += check.faults
    if check.words == "damaged":
        lines.append("the index of words does not fit the texts")
    if check.words == "unchecked":
        lines.append("the index of words is not checked, since the folder cannot be written")
    return "\n".join([*lines, *(["vectors and metadata agree"] if check.is_whole else [])])


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in numbers.items())
