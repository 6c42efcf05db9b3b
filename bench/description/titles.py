"""Titles: the clusters of an index -> titles in it, each with how well it tells its recordings apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.description import assignment, distinctive, groups, titling
from bench.description.assignment import Assignment
from bench.retrieval.index import Index
from bench.retrieval.records import Title
from bench.types.retrieval import LanguageModel, Message, SentenceEncoder


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which clusters get titles.

    Parameters
    ----------
    label : str
        Column whose values are the clusters; empty for none.
    method : str
        How to find clusters, as `bench explore --clusters`; empty for those of the index, or else ``auto``.
    """

    label: str = ""
    method: str = ""


@dataclass(frozen=True, slots=True)
class Titled:
    """The title of a cluster.

    Parameters
    ----------
    title : str
        Empty if its recordings share no word.
    model : str
        What wrote it.
    refused : str
        Title of the language model that does not fit the words of the recordings; empty for none.
    n_recordings : int
        Number of its recordings that have texts.
    share : float | None
        Share of its hidden recordings that fit this title best, in [0, 1]; None without any.
    """

    cluster: str
    title: str
    model: str
    refused: str
    n_recordings: int
    share: float | None


@dataclass(frozen=True, slots=True)
class Titles:
    """The titles of clusters, and how well they tell hidden recordings apart."""

    titles: Sequence[Titled]
    test: Assignment


def run(
    index: Index,
    clusters: Clusters,
    model: LanguageModel | None = None,
    encoder: SentenceEncoder | None = None,
) -> Titles:
    """Write titles of clusters to an index, with the clusters, and return them.

    Parameters
    ----------
    model : LanguageModel | None
        None for titles of the most distinctive words.
    encoder : SentenceEncoder | None
        Compares titles with the texts of hidden recordings; None to compare parts of words.

    Raises
    ------
    UsageError
        If there are no clusters or no texts, or the index cannot be written.
    LanguageModelError
        If the model does not answer; the index is as it was.
    """
    with index.snapshot() as snapshot:
        partition = groups.partition(snapshot, clusters.label, clusters.method)
        members = groups.groups(snapshot, partition)
    drafts = [titling.draft(words, model) for words in distinctive.distinctive(members)]
    test = assignment.assign(members, [draft.title for draft in drafts], encoder)
    pairs = list(zip(members, drafts, strict=True))
    with index.writing() as writer:
        present = {file for (file,) in writer.connection.execute("SELECT id FROM files")}
        writer.set_clusters({file: cluster for file, cluster in partition.items() if file in present})
        writer.set_titles(
            [Title(group.cluster, draft.title, draft.model) for group, draft in pairs if draft.title]
        )
    return Titles([_titled(group, draft, test) for group, draft in pairs], test)


def prompts(index: Index, clusters: Clusters) -> list[Sequence[Message]]:
    """Return what a language model would be asked, cluster by cluster.

    Raises
    ------
    UsageError
        If there are no clusters or no texts.
    """
    with index.snapshot() as snapshot:
        partition = groups.partition(snapshot, clusters.label, clusters.method)
        members = groups.groups(snapshot, partition)
    return [titling.messages(words) for words in distinctive.distinctive(members) if words.words]


def _titled(group: groups.Group, draft: titling.Draft, test: Assignment) -> Titled:
    return Titled(
        cluster=group.cluster,
        title=draft.title,
        model=draft.model,
        refused=draft.refused,
        n_recordings=len(group.shown) + len(group.hidden),
        share=test.shares.get(group.cluster),
    )
