"""Records: the rows of an index as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

CaptionKind = Literal["caption", "transcript", "tags", "acoustics", "labels"]
"""What a text about a file is."""


@dataclass(frozen=True, slots=True)
class Item:
    """A clip to add, with its chunks.

    Parameters
    ----------
    path : str
        As `paths.path_text` returns it.
    content : str
        Digest of the clip's content.
    start : float
        Where the clip starts in its file, in s.
    spans : Sequence[tuple[float, float]]
        Start and end of every chunk in the file, in s.
    """

    dataset: str
    clip: str
    path: str
    content: str
    start: float
    seconds: float
    spans: Sequence[tuple[float, float]]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Caption:
    """A text about a file.

    Parameters
    ----------
    id : int
        0 for a text that is not in an index yet.
    start, end : float
        Part of the file that the text is about, in s.
    model : str
        What wrote the text.
    """

    file: int
    kind: CaptionKind
    text: str
    model: str
    start: float
    end: float
    id: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that answers a query.

    Parameters
    ----------
    id, file : int
        Ids of the chunk and of its file.
    start, end : float
        In the file, in s.
    score : float
        Cosine similarity; of a query by text without vectors of it, the reciprocal rank fusion. Higher is
        better.
    labels : Mapping[str, str]
        Label column -> value.
    captions : Sequence[Caption]
        Every text about the file.
    cluster, title : str
        Cluster of the file and its title; empty for none.
    """

    id: int
    file: int
    clip: str
    path: str
    start: float
    end: float
    score: float
    labels: Mapping[str, str] = field(default_factory=dict)
    captions: Sequence[Caption] = ()
    cluster: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A clip of an index.

    Parameters
    ----------
    path : str
        As `paths.path_text` returns it.
    content : str
        Digest of the clip's content.
    start, seconds : float
        Where the clip starts in its file, and its length, in s.
    """

    id: int
    dataset: str
    clip: str
    path: str
    content: str
    start: float
    seconds: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Domain:
    """What a file is, such as music or speech.

    Parameters
    ----------
    score : float
        In [0, 1], higher is more likely.
    model : str
        What wrote it.
    """

    file: int
    domain: str
    score: float
    model: str


@dataclass(frozen=True, slots=True)
class Title:
    """A title of a cluster, and what wrote it."""

    cluster: str
    title: str
    model: str
