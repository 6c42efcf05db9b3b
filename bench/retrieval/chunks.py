"""Chunks: the clips of a data set -> the pieces of audio that get a vector each."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench import audio
from bench.datasets import recordings
from bench.datasets.index import Source
from bench.errors import UsageError
from bench.inference import windows
from bench.paths import path_text
from bench.retrieval.card import Chunking
from bench.retrieval.records import Item
from bench.types import NOISE_PATH, NOISE_SNR, NOISE_START, PADDED, Clip


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """Clips of a data set and their chunks.

    Parameters
    ----------
    items : Sequence[Item]
        The clips that can be read, in the order of the user's file.
    source : Source
        Its clips are the chunks of all items, one after the other.
    unreadable : Mapping[str, str]
        Clip -> reason.
    """

    items: Sequence[Item]
    source: Source
    unreadable: Mapping[str, str]

    def without(self, reasons: Mapping[str, str]) -> Chunks:
        """Return the clips of which no chunk's content has a reason why it cannot be decoded."""
        bad: dict[str, str] = {}
        positions: list[int] = []
        starts = self._starts()
        for position, item in enumerate(self.items):
            contents = self.source.contents[starts[position] : starts[position + 1]]
            reason = next((reasons[content] for content in contents if content in reasons), "")
            if reason:
                bad[item.clip] = reason
            else:
                positions.append(position)
        return replace(self.subset(positions), unreadable={**self.unreadable, **bad}) if bad else self

    def subset(self, positions: Sequence[int]) -> Chunks:
        """Return the items at some positions, ascending."""
        if len(positions) == len(self.items):
            return self
        starts = self._starts()
        rows = [row for position in positions for row in range(starts[position], starts[position + 1])]
        items = [self.items[position] for position in positions]
        return Chunks(items, _rows(self.source, rows), self.unreadable)

    def batches(self, n_chunks: int) -> Iterator[Chunks]:
        """Yield the items in order, with at most so many chunks at once; an item of more comes by itself."""
        starts = self._starts()
        first = 0
        for position in range(1, len(self.items) + 1):
            if position == len(self.items) or starts[position + 1] - starts[first] > n_chunks:
                yield self.subset(range(first, position))
                first = position

    def _starts(self) -> Sequence[int]:
        """Return the row of every item's first chunk in the source, and the number of rows."""
        return [0, *itertools.accumulate(len(item.spans) for item in self.items)]


def parse(text: str) -> Chunking:
    """Return what ``SECONDS:HOP`` says; whole clips for no text.

    Raises
    ------
    UsageError
        If the text is no pair of lengths.

    Examples
    --------
    >>> parse("10:5")
    Chunking(seconds=10.0, hop=5.0)
    """
    if not text:
        return Chunking()
    seconds, hop = windows.parse(text, "--chunk")
    return Chunking(seconds=seconds, hop=hop)


def chunks_of(source: Source, chunking: Chunking) -> Chunks:
    """Return the chunks of a source; a clip shorter than a chunk is one chunk.

    The last chunk of a longer clip ends with the clip, and so overlaps the one before it.

    Raises
    ------
    UsageError
        If clips are to be cut that are mixed with noise or padded when they are read.
    """
    sha256 = functools.cache(audio.sha256)
    table = source.dataset.table
    names = source.dataset.labels
    if recordings.is_by_file(source.dataset):  # the path says as much
        names.remove("recording")
    columns = {name: table[name].fillna("").tolist() for name in names}
    clips = source.dataset.clips()
    items: list[Item] = []
    chunks: list[Clip] = []
    contents: list[str] = []
    lengths: list[float] = []
    for row in table.reset_index(names="line")["line"].argsort(kind="stable").tolist():
        clip, content, seconds = clips[row], source.contents[row], source.seconds[row]
        if not content:
            continue
        pieces = cut(clip, seconds, chunking)
        start = clip.start or 0.0
        spans = [_span(piece, start, seconds) for piece in pieces]
        items.append(
            Item(
                dataset=source.dataset.name,
                clip=clip.id,
                path=path_text(clip.path.absolute()),
                content=content,
                start=start,
                seconds=seconds,
                spans=spans,
                labels={name: str(values[row]) for name, values in columns.items() if values[row] != ""},
            )
        )
        chunks += pieces
        contents += [content] if pieces == [clip] else [audio.content(piece, sha256) for piece in pieces]
        lengths += [end - first for first, end in spans]
    return Chunks(items, _source(source, chunks, contents, lengths), source.unreadable)


def cut(clip: Clip, seconds: float, chunking: Chunking) -> list[Clip]:
    """Return the chunks of a clip, which is one itself if it is not longer.

    Parameters
    ----------
    seconds : float
        Length of the clip, in s.

    Raises
    ------
    UsageError
        If the clip is mixed with noise or padded when it is read.
    """
    if not chunking.seconds or seconds <= chunking.seconds:
        return [clip]
    if clip.noise or clip.seconds is not None:
        raise UsageError(
            f"--chunk: {clip.id} is mixed or padded when it is read, and cannot be cut; leave --chunk out"
        )
    return windows.clips(clip, chunking.seconds, chunking.hop)


def _span(chunk: Clip, start: float, seconds: float) -> tuple[float, float]:
    """Return the start and end of a chunk in its file, in s; those of its clip where it has none."""
    first = start if chunk.start is None else chunk.start
    return first, start + seconds if chunk.end is None else chunk.end


def _source(
    source: Source, chunks: Sequence[Clip], contents: Sequence[str], seconds: Sequence[float]
) -> Source:
    """Return a source whose clips are chunks."""
    columns: dict[str, Sequence[object]] = {
        "clip": [chunk.id for chunk in chunks],
        "path": [path_text(chunk.path) for chunk in chunks],
        "start": [chunk.start for chunk in chunks],
        "end": [chunk.end for chunk in chunks],
    }
    if any(chunk.noise or chunk.seconds is not None for chunk in chunks):
        noises = [chunk.noise for chunk in chunks]
        columns |= {
            PADDED: [chunk.seconds for chunk in chunks],
            NOISE_PATH: [path_text(noise.path) if noise else None for noise in noises],
            NOISE_START: [noise.start if noise else None for noise in noises],
            NOISE_SNR: [noise.snr_db if noise else None for noise in noises],
        }
    return replace(
        source,
        dataset=replace(source.dataset, table=pd.DataFrame(columns)),
        contents=contents,
        seconds=seconds,
        fingerprints=(),
        samples=(),
        unreadable={},
    )


def _rows(source: Source, rows: Sequence[int]) -> Source:
    """Return a source with some of the clips."""
    return replace(
        source,
        dataset=replace(source.dataset, table=source.dataset.table.iloc[list(rows)]),
        contents=[source.contents[row] for row in rows],
        seconds=[source.seconds[row] for row in rows],
    )
