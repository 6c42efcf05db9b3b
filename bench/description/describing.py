"""Describing: the files of an index -> texts and domains in it, those that it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.description.clips import clip_of, parts
from bench.description.describers import Describer, Description, Kind, Text
from bench.errors import ClipError
from bench.retrieval.index import Index
from bench.retrieval.metadata import array
from bench.retrieval.records import Caption, Domain, File
from bench.retrieval.snapshot import Snapshot
from bench.types import Clip

BATCH = 32
"""Largest number of files whose descriptions are written together: what a kill loses."""

BATCH_SECONDS = 60.0
"""Length of the audio of these files, in s, since networks take their time."""

MOST = 8
"""Largest number of examples in a report."""


LACKS_TEXT = """
SELECT id FROM files WHERE id NOT IN (SELECT file FROM captions WHERE kind = ? AND model = ?)"""

LACKS_DOMAINS = "SELECT id FROM files WHERE id NOT IN (SELECT file FROM domains WHERE model = ?)"


@dataclass(frozen=True, slots=True)
class Todo:
    """A file, and the kind and name of every describer that it lacks."""

    file: File
    lacks: frozenset[tuple[Kind, str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said about a file.

    Parameters
    ----------
    failures : Mapping[tuple[Kind, str], str]
        Kind and name of a describer -> why it said nothing.
    """

    file: File
    captions: tuple[Caption, ...] = ()
    domains: tuple[Domain, ...] = ()
    failures: Mapping[tuple[Kind, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """What `describe` did.

    Parameters
    ----------
    n_written : Mapping[tuple[Kind, str], int]
        Kind and name of a describer -> number of files that it described.
    examples : Sequence[tuple[File, Caption]]
        Some of the texts.
    failures : Mapping[str, str]
        Clip -> why a description is missing.
    """

    n_written: Mapping[tuple[Kind, str], int]
    examples: Sequence[tuple[File, Caption]]
    failures: Mapping[str, str]


def todo(snapshot: Snapshot, files: Iterable[int] | None, describers: Sequence[Describer]) -> list[Todo]:
    """Return the files that lack a description, in the order of their ids.

    Parameters
    ----------
    files : Iterable[int] | None
        Ids of files; None for all.
    """
    lacks: dict[int, set[tuple[Kind, str]]] = {}
    for describer in describers:
        kind, name = describer.kind, describer.name
        select, values = (LACKS_DOMAINS, [name]) if kind == "domains" else (LACKS_TEXT, [kind, name])
        for id_ in snapshot.column(select, values).tolist():
            lacks.setdefault(id_, set()).add((kind, name))
    ids = lacks.keys() if files is None else lacks.keys() & set(files)
    return [Todo(file, frozenset(lacks[file.id])) for file in snapshot.files(sorted(ids))]


def outcomes(todo: Iterable[Todo], describers: Sequence[Describer]) -> Iterator[Outcome]:
    """Yield what describers say about files."""
    for each in todo:
        lacking = [one for one in describers if (one.kind, one.name) in each.lacks]
        yield _outcome(each.file, lacking)


def write(index: Index, outcomes: Iterable[Outcome]) -> Report:
    """Write descriptions to an index, some files at once, and return what was written.

    Those before an error stay.

    Raises
    ------
    UsageError
        If the index cannot be written.
    """
    counts: Counter[tuple[Kind, str]] = Counter()
    failures: dict[str, str] = {}
    examples: list[tuple[File, Caption]] = []
    batch: list[Outcome] = []
    try:
        for outcome in outcomes:
            batch.append(outcome)
            examples += ((outcome.file, caption) for caption in outcome.captions[: MOST - len(examples)])
            for reason in outcome.failures.values():
                failures[outcome.file.clip] = reason
            if len(batch) == BATCH or sum(each.file.seconds for each in batch) >= BATCH_SECONDS:
                counts += _written(index, batch)
                batch = []
    finally:
        counts += _written(index, batch)
    return Report(counts, examples, failures)


def _outcome(file: File, describers: Sequence[Describer]) -> Outcome:
    """Return what describers say about a file."""
    captions: list[Caption] = []
    domains: list[Domain] = []
    failures: dict[tuple[Kind, str], str] = {}
    for describer in describers:
        kind, name = describer.kind, describer.name
        try:
            description = description_of(clip_of(file), describer)
        except ClipError as error:
            failures[kind, name] = str(error)
            continue
        if kind != "domains":
            captions += (
                Caption(file.id, kind, text.text, name, text.start, text.end) for text in description.texts
            )
        domains += (Domain(file.id, domain, score, name) for domain, score in description.domains.items())
    return Outcome(file, tuple(captions), tuple(domains), failures)


def description_of(clip: Clip, describer: Describer) -> Description:
    """Return the description of a clip, with times in its file; scores of its parts by their lengths."""
    texts: list[Text] = []
    scores: dict[str, float] = {}
    seconds = 0.0
    for part in parts(clip, describer.sample_rate, describer.longest):
        description = describer.describe(part.audio)
        texts += (
            Text(part.start + text.start, part.start + text.end, text.text) for text in description.texts
        )
        length = part.audio.size / describer.sample_rate
        for domain, score in description.domains.items():
            scores[domain] = scores.get(domain, 0.0) + score * length
        seconds += length
    return Description(tuple(texts), {domain: score / seconds for domain, score in scores.items()})


def _written(index: Index, batch: Sequence[Outcome]) -> Counter[tuple[Kind, str]]:
    """Write descriptions of files that are still there; return the number of files of each describer."""
    if not batch:
        return Counter()
    with index.writing() as writer:
        select = "SELECT id FROM files WHERE id IN (SELECT value FROM json_each(?))"
        ids = array(each.file.id for each in batch)
        there = {id_ for (id_,) in writer.connection.execute(select, [ids])}
        captions = [caption for each in batch for caption in each.captions if caption.file in there]
        domains = [domain for each in batch for domain in each.domains if domain.file in there]
        writer.add_captions(captions)
        writer.set_domains(domains)
    said: set[tuple[Kind, str, int]] = {(each.kind, each.model, each.file) for each in captions}
    said |= {("domains", each.model, each.file) for each in domains}
    return Counter((kind, model) for kind, model, _ in said)
