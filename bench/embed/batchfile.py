"""Batch files: a table with an array of floats per row -> bytes in which any damage shows, and back.

The bytes are the SHA-256 of what follows up to the floats; the length of the table and the number of floats,
8 bytes each; the table as an Arrow stream; and the floats of all rows. The table holds a CRC-32 of every part
of a row's array, so that only the parts in use are read and checked. Nothing is parsed before its checksum is
compared.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

CHECKSUMS = "checksums"
"""Column that holds the CRC-32 of every part of a row's array."""

LENGTHS = struct.Struct("<QQ")
"""Length of the table in bytes, and number of floats."""

DIGEST_BYTES = hashlib.sha256().digest_size
HEAD_BYTES = DIGEST_BYTES + LENGTHS.size
"""Length of what precedes the table."""


class DamageError(ValueError):
    """Bytes are not those that were written."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Content of a batch file.

    Parameters
    ----------
    table : pa.Table
        As it was written, besides its checksums.
    values : np.ndarray, shape=(n_values,), dtype=float32
        Floats of all rows, one row after the other; not checked yet.
    checksums : np.ndarray, shape=(n_rows, n_parts), dtype=uint32
        CRC-32 of every part of every row.
    """

    table: pa.Table
    values: npt.NDArray[np.float32]
    checksums: npt.NDArray[np.uint32]


def pack(table: pa.Table, arrays: Sequence[npt.NDArray[np.float32]]) -> Iterator[pa.Buffer | memoryview]:
    """Yield the bytes of a batch file, piece by piece.

    Parameters
    ----------
    table : pa.Table
        A row per array.
    arrays : Sequence[np.ndarray], shape=(n_parts, n_values), dtype=float32
        A part is what a reader checks at once; every array has the same number of them.
    """
    floats = [np.ascontiguousarray(array, np.float32) for array in arrays]
    checksums = np.array([[zlib.crc32(part.data) for part in array] for array in floats], np.uint32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(checksums.ravel()), checksums.shape[1])
    with pa.BufferOutputStream() as sink:
        whole = table.append_column(CHECKSUMS, column)
        with pa.ipc.new_stream(sink, whole.schema) as writer:
            writer.write_table(whole)
        packed = sink.getvalue()
    lengths = LENGTHS.pack(packed.size, sum(array.size for array in arrays))
    yield memoryview(_digest(lengths, packed) + lengths)
    yield packed
    for array in floats:
        yield array.data.cast("B")


def unpack(data: pa.Buffer) -> Batch:
    """Return the content of a batch file, its values without a check.

    Raises
    ------
    DamageError
        If the table is not as it was written, or the bytes are cut off.
    """
    head = bytes(data[:HEAD_BYTES])
    if len(head) < HEAD_BYTES:
        raise DamageError("damaged: cut off")
    digest, lengths = head[:DIGEST_BYTES], head[DIGEST_BYTES:]
    n_bytes, n_values = LENGTHS.unpack(lengths)
    packed, values = data[HEAD_BYTES : HEAD_BYTES + n_bytes], data[HEAD_BYTES + n_bytes :]
    if _digest(lengths, packed) != digest:
        raise DamageError("damaged: its table differs from its checksum")
    if values.size != n_values * np.dtype(np.float32).itemsize:
        raise DamageError("damaged: cut off")
    table = pa.ipc.open_stream(packed).read_all().combine_chunks()
    checksums = table[CHECKSUMS].combine_chunks()
    return Batch(
        table=table.drop_columns([CHECKSUMS]),
        values=np.frombuffer(values, np.float32),
        checksums=checksums.flatten().to_numpy().reshape(table.num_rows, -1),
    )


def check(parts: Sequence[npt.NDArray[np.float32]], checksums: Sequence[int]) -> None:
    """Compare parts of a row with their checksums.

    Raises
    ------
    DamageError
        If one of them is not as it was written.
    """
    if any(zlib.crc32(part.data) != checksum for part, checksum in zip(parts, checksums, strict=True)):
        raise DamageError("damaged: its values differ from their checksums")


def _digest(lengths: bytes, table: pa.Buffer) -> bytes:
    """Return the SHA-256 of the lengths and the table."""
    sha256 = hashlib.sha256(lengths)
    sha256.update(table)
    return sha256.digest()
