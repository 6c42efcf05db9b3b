"""Search by text: the captions, transcripts and other texts about recordings that fit words and meaning.

Conventions: a ranking holds recordings, the best first, each with the id of its best text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.errors import UsageError
from bench.retrieval import sentences
from bench.retrieval.fusion import Ranking, reciprocal_ranks
from bench.retrieval.metadata import array
from bench.retrieval.records import Hit
from bench.retrieval.snapshot import Snapshot
from bench.types.retrieval import Ids, SentenceEncoder

DEPTH = 200
"""Fewest recordings of a ranking that take part in the fusion."""

MOST_WORDS = 64
"""Largest number of different words of a query; further ones are not searched for."""

QUOTED = re.compile(r'"([^"]*)"')
WORD = re.compile(r"[^\W_]+")
"""What the index of words takes for a word: letters and digits."""

QUOTES = str.maketrans("“”„«»", '"""""')

BY_WORDS = """
WITH matches AS MATERIALIZED (SELECT rowid AS id, rank FROM words WHERE words MATCH ?1)
SELECT file, id FROM (
  SELECT file, id, min(rank) AS best FROM matches JOIN captions USING (id)
  WHERE ?2 IS NULL OR file IN (SELECT value FROM json_each(?2)) GROUP BY file
) ORDER BY best, file LIMIT ?3"""

CHUNK_OF_TEXT = """
SELECT chunks.id FROM captions JOIN chunks USING (file) WHERE captions.id = ?
ORDER BY min(chunks."end", captions."end") - max(chunks.start, captions.start) DESC, chunks.id LIMIT 1"""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """What a user looks for in texts.

    Parameters
    ----------
    phrases : Sequence[str]
        Quoted parts: a recording without one of them is no hit.
    words : Sequence[str]
        All other words: a hit has at least one of all, and rare ones count more.
    sentence : str
        All of it, without quotation marks.
    """

    phrases: Sequence[str]
    words: Sequence[str]
    sentence: str

    @classmethod
    def parse(cls, text: str) -> TextQuery:
        """Return the query of a text; a quotation mark without its partner counts as a space.

        Examples
        --------
        >>> TextQuery.parse('rain "crying child" OR-')
        TextQuery(phrases=('crying child',), words=('rain', 'OR'), sentence='rain crying child OR-')
        """
        # SQLite ends a text at NUL, and takes no half of a surrogate pair.
        plain = text.encode("utf-8", "replace").decode().replace("\0", " ").translate(QUOTES)
        phrases = filter(WORD.search, QUOTED.findall(plain))
        words = WORD.findall(QUOTED.sub(" ", plain))
        return cls(
            tuple(dict.fromkeys(phrases)),
            tuple(dict.fromkeys(words))[:MOST_WORDS],
            " ".join(plain.replace('"', " ").split()),
        )


def search_text(
    snapshot: Snapshot,
    text: str,
    k: int,
    allowed_files: Ids | None = None,
    encoder: SentenceEncoder | None = None,
) -> list[Hit]:
    """Return the recordings whose texts fit a query, the best first, each with the chunk of its text.

    Recordings are ranked by BM25 over the words, and with an encoder by the similarity of their sentences;
    the sum of their reciprocal ranks is the score.

    Parameters
    ----------
    text : str
        Words, and phrases in quotation marks, which a hit must have.
    k : int
        Largest number of hits.
    allowed_files : Ids | None
        Recordings that may be hits; None for all.
    encoder : SentenceEncoder | None
        One whose vectors the index has; None for words alone.

    Raises
    ------
    UsageError
        If the query has no word, or the index has no text.
    """
    query = TextQuery.parse(text)
    if not query.phrases and not query.words:
        raise UsageError(f"--text {text!r}: has no word; expected what the recordings are described by")
    if snapshot.connection.execute("SELECT 1 FROM captions").fetchone() is None:
        raise UsageError(
            f"--text {text!r}: the index has no texts to search; write some by `bench describe INDEX` "
            "(with --transcribe whisper-tiny.en for what is said), or search by --id or --audio"
        )
    for phrase in query.phrases:
        allowed_files = _with_phrase(snapshot, phrase, allowed_files)
    k = min(k, snapshot.n_files)
    depth = max(DEPTH, k)
    rankings = [_by_words(snapshot, [*query.phrases, *query.words], depth, allowed_files)]
    if encoder:
        rankings.append(sentences.ranking(snapshot, encoder, query.sentence, depth, allowed_files))
    ids, scores = reciprocal_ranks(ranking.files for ranking in rankings)
    chunks = [_chunk(snapshot, best) for best in _best_texts(rankings, ids[:k])]
    return snapshot.hits(chunks, scores[:k].tolist())


def _any_of(texts: Sequence[str]) -> str:
    """Return an expression of FTS5 that holds for any of some texts, none of which has a quotation mark."""
    return " OR ".join(f'"{text}"' for text in texts)


def _with_phrase(snapshot: Snapshot, phrase: str, allowed: Ids | None) -> Ids:
    """Return the allowed recordings with a text that has a phrase, ascending."""
    rows = snapshot.connection.execute(
        "SELECT DISTINCT file FROM words JOIN captions ON captions.id = words.rowid WHERE words MATCH ?",
        [_any_of([phrase])],
    )
    files = np.unique(np.fromiter((file for (file,) in rows), np.int64))
    return files if allowed is None else np.intersect1d(files, allowed)


def _by_words(snapshot: Snapshot, parts: Sequence[str], depth: int, allowed: Ids | None) -> Ranking:
    """Return the recordings by BM25 over words and phrases."""
    rows = snapshot.connection.execute(
        BY_WORDS, [_any_of(parts), None if allowed is None else array(allowed), depth]
    )
    return Ranking.of(rows)


def _best_texts(rankings: Sequence[Ranking], files: Ids) -> list[int]:
    """Return the text of every recording in the ranking where it is nearest to the first place."""
    places = [
        dict(zip(ranking.files.tolist(), enumerate(ranking.texts.tolist()), strict=True))
        for ranking in rankings
    ]
    return [min(of[file] for of in places if file in of)[1] for file in files.tolist()]


def _chunk(snapshot: Snapshot, text: int) -> int:
    """Return the chunk that shares the most time with a text, the first one of several."""
    (chunk,) = snapshot.connection.execute(CHUNK_OF_TEXT, [text]).fetchone()
    return int(chunk)
