"""Sentences: texts of an index as unit vectors of an encoder, whose inner products compare meaning."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from bench import catalog
from bench.catalog import checkpoints, devices, weights
from bench.errors import UnavailableError, UsageError
from bench.files import sha256
from bench.keys import digest
from bench.retrieval.fusion import Ranking
from bench.retrieval.metadata import array
from bench.retrieval.snapshot import Snapshot
from bench.retrieval.vectors import FLOAT
from bench.retrieval.writer import Writer
from bench.types import Spec
from bench.types.retrieval import Ids, SentenceEncoder

NONE = "none"
"""Name for a search by words alone."""

HUB = "hf:"

BATCH = 512
"""Number of texts that are encoded between two transactions."""

BLOCK = 16_384
"""Number of vectors in memory while a query is compared."""

MISSING = """
SELECT id, text FROM captions
WHERE id > ?1 AND NOT EXISTS (SELECT 1 FROM sentences WHERE caption = captions.id AND encoder = ?2)
ORDER BY id LIMIT ?3"""

VECTORS = """
SELECT file, caption, vector FROM sentences JOIN captions ON captions.id = caption
WHERE encoder = ?1 AND (?2 IS NULL OR file IN (SELECT value FROM json_each(?2)))"""


def load(text: str, known: Collection[str] = (), device: str = "auto") -> SentenceEncoder:
    """Return a sentence encoder; nothing is downloaded.

    Parameters
    ----------
    text : str
        A folder of transformers or sentence-transformers, or the id of a checkpoint at the hub.
    known : Collection[str]
        Names of encoders in an index; the encoder with the same files gets the same name.
    device : str
        A device of torch, or ``auto``.

    Raises
    ------
    UnavailableError
        If the checkpoint, torch or transformers are not here.
    UsageError
        If it is no sentence encoder that is supported.
    """
    spec = Spec("extractor", text, "", requires=("torch", "transformers"))
    command = catalog.missing(spec)
    if command:
        raise UnavailableError(f"--sentences {text}: torch or transformers are not installed; run: {command}")
    place = text.removeprefix(HUB)
    folder = weights.locate(place)
    name = f"{place if not Path(place).expanduser().exists() else folder}#{_digest(folder)}"
    same = [each for each in known if each.rpartition("#")[2] == name.rpartition("#")[2]]
    device, _ = devices.resolve(device, "fp32")
    from bench.retrieval.sentence_network import SentenceNetwork  # transformers takes seconds to import

    return SentenceNetwork(next(iter(same), name), folder, device)


def names(snapshot: Snapshot) -> list[str]:
    """Return the names of the encoders whose vectors an index has, that of the most texts first."""
    rows = snapshot.connection.execute(
        "SELECT encoder FROM sentences GROUP BY encoder ORDER BY count(*) DESC, encoder"
    )
    return [name for (name,) in rows]


def encoder_of(snapshot: Snapshot, text: str = "") -> SentenceEncoder | None:
    """Return the sentence encoder of an index for queries; None for a search by words alone.

    Parameters
    ----------
    text : str
        Where it is, as of `load`, or ``none``; empty for where it was when the texts were encoded.

    Raises
    ------
    UsageError
        If it is not here, is another one than that of the index, or the index has none.
    """
    known = names(snapshot)
    if text == NONE or not (text or known):
        return None
    if not text:
        text = known[0].rpartition("#")[0]
        try:
            encoder = load(text, known)
        except (UnavailableError, UsageError) as error:
            raise UsageError(
                f"the sentence encoder of the index is not here ({error}); name its folder by --sentences "
                "FOLDER, or search by words alone with --sentences none"
            ) from error
    else:
        encoder = load(text, known)
    if encoder.name not in known:
        expected = f"expected {known[0]}" if known else "it has none yet"
        raise UsageError(
            f"--sentences {text}: the index has no vectors of this encoder ({expected}); add them by `bench "
            f"describe INDEX --sentences {text}`"
        )
    return encoder


def encode_missing(writer: Writer, encoder: SentenceEncoder) -> Iterator[int]:
    """Encode the texts of an index that an encoder has no vector of, and yield the number of each batch.

    A batch is a transaction: what was encoded before a kill is not encoded again.
    """
    last = 0
    while rows := writer.connection.execute(MISSING, [last, encoder.name, BATCH]).fetchall():
        ids, texts = zip(*rows, strict=True)
        writer.set_sentences(ids, encoder.name, encoder.encode(texts))
        last = ids[-1]
        yield len(ids)


def ranking(
    snapshot: Snapshot, encoder: SentenceEncoder, text: str, depth: int, allowed: Ids | None = None
) -> Ranking:
    """Return the recordings whose texts are most similar to a text.

    Parameters
    ----------
    depth : int
        Largest number of recordings.
    allowed : Ids | None
        Recordings that may take part; None for all.
    """
    [query] = encoder.encode([text])
    files, texts, scores = [], [], []
    rows = snapshot.connection.execute(VECTORS, [encoder.name, None if allowed is None else array(allowed)])
    while block := rows.fetchmany(BLOCK):
        of_files, of_texts, vectors = zip(*block, strict=True)
        matrix = np.frombuffer(b"".join(vectors), FLOAT).reshape(len(block), -1)
        files.append(np.array(of_files, np.int64))
        texts.append(np.array(of_texts, np.int64))
        scores.append(matrix @ query)
    if not files:
        return Ranking.of([])
    file, caption, score = map(np.concatenate, (files, texts, scores))
    order = np.lexsort((caption, -score))
    _, first = np.unique(file[order], return_index=True)  # the best text of every recording
    best = order[np.sort(first)][:depth]
    return Ranking(file[best], caption[best])


def _digest(folder: Path) -> str:
    """Return a digest of the files that change what an encoder computes."""
    others = [folder / name for name in (weights.TOKENIZER, *weights.SENTENCES)]
    files = [*checkpoints.files(folder), *(path for path in others if path.is_file())]
    return digest({path.relative_to(folder).as_posix(): sha256(path) for path in files})[:12]
