"""Tables of a batch file: embeddings and frames of some clips -> the file's table, and back."""

import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench.embed import pooling
from bench.embed.batchfile import Batch, check
from bench.types import Frames, Layer, Statistics, Usage, View

USAGE = pa.struct([(field.name, pa.float64()) for field in fields(Usage)])


@dataclass(frozen=True, slots=True)
class ClipEmbedding:
    """What an extractor returns for one clip.

    Parameters
    ----------
    statistics : Statistics
        In the order of `pooling.STATISTICS`.
    audio_s : float
        Length of the clip, in s.
    usage : Usage
        The clip's share of its batch.
    params : int | None
        Number of parameters of the extractor's network; None if the extractor does not state it.
    threads : int | None
        Number of threads that the process could use; None if an earlier version computed the embedding.
    frames : Mapping[Layer, Frames]
        Frames of the layers that a head needs, shape=(n_frames, dim).
    """

    statistics: Statistics
    audio_s: float
    usage: Usage
    params: int | None = None
    threads: int | None = None
    frames: Mapping[Layer, Frames] = field(default_factory=dict)


def embeddings_table(batch: Mapping[str, ClipEmbedding]) -> pa.Table:
    """Return the table of a batch; its metadata holds the statistics' names, and their shape."""
    columns = {
        "content": pa.array(list(batch)),
        "audio_s": pa.array([embedding.audio_s for embedding in batch.values()]),
        "usage": pa.array([asdict(embedding.usage) for embedding in batch.values()], USAGE),
        "params": pa.array([embedding.params for embedding in batch.values()], pa.int64()),
        "threads": pa.array([embedding.threads for embedding in batch.values()], pa.int64()),
    }
    shape = next(iter(batch.values())).statistics.shape
    metadata = {"shape": ",".join(map(str, shape)), "statistics": ",".join(pooling.STATISTICS)}
    return pa.table(columns).replace_schema_metadata(metadata)


def frames_table(frames: Mapping[str, Frames]) -> pa.Table:
    """Return the table of the frames of one layer."""
    shapes = [list(array.shape) for array in frames.values()]
    return pa.table({"content": pa.array(list(frames)), "shape": pa.array(shapes)})


def contents(batch: Batch) -> list[str]:
    """Return the contents of a file."""
    names: list[str] = batch.table["content"].to_pylist()
    return names


def complete_contents(batch: Batch) -> list[str]:
    """Return the contents of a file that holds every statistic; its other clips are embedded again."""
    return contents(batch) if set(pooling.STATISTICS) <= set(_statistics_of(batch)) else []


def _statistics_of(batch: Batch) -> list[str]:
    """Return the names of the statistics in a file, in their order."""
    names: list[str] = batch.table.schema.metadata[b"statistics"].decode().split(",")
    return names


def embeddings(batch: Batch, wanted: pa.Array, views: Collection[View] | None) -> Mapping[str, ClipEmbedding]:
    """Return the embeddings of some contents in a file; their statistics are not copied into memory.

    Parameters
    ----------
    wanted : pa.Array
        The contents.
    views : Collection[View] | None
        Views whose statistics are checked; None checks all.

    Raises
    ------
    DamageError
        If a statistic that one of the views sees is not as it was written.
    """
    if not complete_contents(batch):
        return {}
    shape = [int(n) for n in batch.table.schema.metadata[b"shape"].decode().split(",")]
    rows = np.flatnonzero(pc.is_in(batch.table["content"], wanted))
    values = batch.values.reshape(batch.table.num_rows, *shape)
    order = [_statistics_of(batch).index(name) for name in pooling.STATISTICS]
    used = np.zeros(shape[:2], bool)
    used[:, order] = True if views is None else pooling.used(views, shape[0])
    expected = batch.checksums.reshape(-1, *shape[:2])[rows][:, used].tolist()
    for row, checksums in zip(rows, expected, strict=True):
        check(values[row][used], checksums)
    in_order = order == list(range(shape[1]))  # else written by a version with other statistics besides these
    columns = batch.table.take(rows).to_pylist()
    return {
        row["content"]: ClipEmbedding(
            statistics=values[n] if in_order else values[n][:, order],
            audio_s=row["audio_s"],
            usage=Usage(**row["usage"]),
            params=row["params"],
            threads=row.get("threads"),
        )
        for n, row in zip(rows.tolist(), columns, strict=True)
    }


def frames(batch: Batch, wanted: pa.Array) -> Mapping[str, Frames]:
    """Return the frames of some contents in a file; they are not copied into memory.

    Parameters
    ----------
    wanted : pa.Array
        The contents.

    Raises
    ------
    DamageError
        If one of them is not as it was written.
    """
    shapes = batch.table["shape"].to_pylist()
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    arrays = np.split(batch.values, ends[:-1])
    frames = {}
    for row in np.flatnonzero(pc.is_in(batch.table["content"], wanted)).tolist():
        check([arrays[row]], batch.checksums[row].tolist())
        frames[batch.table["content"][row].as_py()] = arrays[row].reshape(shapes[row])
    return frames
