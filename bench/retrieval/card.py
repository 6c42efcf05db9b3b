"""Cards: what the vectors of an index are, and how well its engine finds them."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bench.errors import UsageError, reason
from bench.files import indented_json, parse_json, replace_text
from bench.types import View
from bench.validation import convert

SCHEMA = 1
"""Version of the files of an index."""

CARD = "card.json"

Normalisation = Literal["none", "centre", "standardise"]
"""What is done to a vector before it gets unit length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """How clips are cut.

    Parameters
    ----------
    seconds : float
        Length of a chunk, in s; 0 for chunks that are whole clips.
    hop : float
        From the start of a chunk to that of the next, in s.
    """

    seconds: float = 0
    hop: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCard:
    """Which engine finds the neighbours, and with what parameters."""

    name: str = "exact"
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallCard:
    """How an engine compares with an exact search.

    Parameters
    ----------
    recall : float
        Mean share of the `k` exact neighbours that the engine returns.
    low, high : float
        Bounds of its interval of 95 %.
    median_ms, p99_ms : float
        Time of a query, in ms.
    bytes_per_vector : float
        Size of what the engine keeps in memory.
    """

    k: int
    n_queries: int
    recall: float
    low: float
    high: float
    median_ms: float
    p99_ms: float
    bytes_per_vector: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCard:
    """What an index holds.

    Parameters
    ----------
    extractor : str
        Name of the extractor, as on the command line.
    identity : str
        Digest of everything that changes what the extractor computes, but for the last bits.
    weights : str
        Id, folder or file of its weights; empty for none.
    preprocess : tuple[str, ...]
        Steps before it.
    precision, runtime : str
        What it computes in.
    is_joint : bool
        Whether texts have vectors in the same space, as with CLAP.
    dim : int
        Length of a vector.
    n_files, n_chunks : int
        Numbers when the index was built.
    recall : RecallCard | None
        None where it was not measured.
    id : str
        Also in the metadata, so that those of another index are told from its own.
    """

    extractor: str
    identity: str
    view: View
    dim: int
    weights: str = ""
    preprocess: tuple[str, ...] = ()
    precision: str = "fp32"
    runtime: str = "auto"
    is_joint: bool = False
    chunking: Chunking = Chunking()
    normalisation: Normalisation = "none"
    engine: EngineCard = EngineCard()
    recall: RecallCard | None = None
    n_files: int = 0
    n_chunks: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    schema: int = SCHEMA


def read_card(folder: Path) -> IndexCard:
    """Return the card of an index.

    Raises
    ------
    UsageError
        If there is none, or it is damaged, or of a newer release.
    """
    path = folder / CARD
    try:
        fields = parse_json(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(
            f"{folder}: is no index (it has no {CARD}); expected a folder of `bench index`"
        ) from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({reason(error)}); allow it, or restore it") from error
    except ValueError as error:
        raise UsageError(f"{path}: is damaged ({error}); restore it, or build the index again") from error
    schema = fields.get("schema") if isinstance(fields, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise UsageError(f"{path}: has schema {schema}; this release reads up to {SCHEMA}: update bench")
    return convert(fields, IndexCard, str(path))


def write_card(folder: Path, card: IndexCard) -> None:
    """Write the card of an index.

    Raises
    ------
    OSError
        If it cannot be written; the card is as it was.
    """
    replace_text(folder / CARD, indented_json(asdict(card)))
