"""Groups: the recordings of every cluster that have texts, some of which are hidden to test its title."""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.description.terms import terms
from bench.errors import UsageError, shortlist
from bench.exploration.clusters import find_clusters
from bench.language import addresses_model
from bench.retrieval.records import Caption, CaptionKind
from bench.retrieval.snapshot import Snapshot
from bench.types import Embeddings
from bench.types.retrieval import Ids

KINDS: Sequence[CaptionKind] = ("caption", "transcript", "tags", "acoustics")
"""Kinds of texts that titles are made of; labels would be the answer to `--by LABEL`."""

HIDDEN = 3
"""One file in so many of every cluster is hidden."""

Partition = Mapping[int, str]
"""File -> its cluster."""


@dataclass(frozen=True, slots=True)
class Described:
    """A recording with its texts.

    Parameters
    ----------
    path : str
        Its audio file: clips of one file are hidden together.
    terms : frozenset[str]
        Words of its captions and transcripts, and its tags and acoustics.
    """

    file: int
    path: str
    text: str
    terms: frozenset[str]


@dataclass(frozen=True, slots=True)
class Group:
    """A cluster.

    Parameters
    ----------
    shown : Sequence[Described]
        What its title is made of, the most typical first.
    hidden : Sequence[Described]
        What its title is tested with; empty in a cluster of few files.
    """

    cluster: str
    shown: Sequence[Described]
    hidden: Sequence[Described]


def partition(snapshot: Snapshot, label: str = "", method: str = "", seed: int = 0) -> Partition:
    """Return the clusters of an index.

    Parameters
    ----------
    label : str
        Column whose values are the clusters; empty for none.
    method : str
        How to find clusters, as of `find_clusters`; empty for those that the index has, or else ``auto``.

    Raises
    ------
    UsageError
        If there is no such column, or no cluster.
    """
    if label:
        if label not in snapshot.columns:
            raise UsageError(
                f"--by {label}: is no label of the index; expected one of {shortlist(snapshot.columns, 20)}"
            )
        return dict(snapshot.connection.execute("SELECT file, value FROM labels WHERE name = ?", [label]))
    if not method and (present := dict(snapshot.connection.execute("SELECT file, cluster FROM clusters"))):
        return present
    files, vectors = _means(snapshot)
    clusters = find_clusters(vectors, method or "auto", seed)
    if clusters.n_clusters is None:
        raise UsageError(
            "--titles: the recordings have no clusters; name a number by --clusters, or a label by --by"
        )
    return {
        file: str(cluster)
        for file, cluster in zip(files.tolist(), clusters.labels.tolist(), strict=True)
        if cluster >= 0
    }


def groups(snapshot: Snapshot, clusters: Partition) -> list[Group]:
    """Return the clusters with the texts of their recordings, in the order of their names.

    Raises
    ------
    UsageError
        If no recording has a text.
    """
    described = _described(snapshot, clusters)
    if not described:
        raise UsageError("--titles: no recording has a text; write some by `bench describe INDEX`")
    files, vectors = _means(snapshot)
    members: Mapping[str, list[int]] = defaultdict(list)
    for row, file in enumerate(files.tolist()):
        if file in described:
            members[clusters[file]].append(row)
    return [_group(cluster, vectors, rows, files, described) for cluster, rows in sorted(members.items())]


def _group(
    cluster: str, vectors: Embeddings, rows: list[int], files: Ids, described: Mapping[int, Described]
) -> Group:
    """Return a cluster, of whose files some are hidden: always the same ones, by their names."""
    distances = np.linalg.norm(vectors[rows] - vectors[rows].mean(axis=0), axis=1)
    nearest = np.array(rows)[np.argsort(distances, kind="stable")]
    recordings = [described[file] for file in files[nearest].tolist()]
    paths = sorted({each.path for each in recordings}, key=lambda path: (zlib.crc32(path.encode()), path))
    hidden = set(paths[: len(paths) // HIDDEN])
    return Group(
        cluster,
        [each for each in recordings if each.path not in hidden],
        [each for each in recordings if each.path in hidden],
    )


def _described(snapshot: Snapshot, clusters: Partition) -> Mapping[int, Described]:
    """Return the recordings of clusters that have texts, by their files."""
    captions: Mapping[int, list[Caption]] = defaultdict(list)
    for caption in snapshot.captions(clusters, KINDS):
        if caption.text and not addresses_model(caption.text):
            captions[caption.file].append(caption)
    return {
        each.id: Described(
            each.id,
            each.path,
            "\n".join(caption.text for caption in captions[each.id]),
            frozenset(term for caption in captions[each.id] for term in terms(caption)),
        )
        for each in snapshot.files(captions)
    }


def _means(snapshot: Snapshot) -> tuple[Ids, Embeddings]:
    """Return the files, ascending, and the mean vector of the chunks of each, shape=(n_files, dim)."""
    files, rows = np.unique(snapshot.files_of(snapshot.ids.tolist()), return_inverse=True)
    sums = np.zeros((len(files), snapshot.vectors.shape[1]), np.float32)
    np.add.at(sums, rows, snapshot.vectors[snapshot.ids])
    counts = np.bincount(rows).astype(np.float32)
    return files, sums / counts[:, None]
