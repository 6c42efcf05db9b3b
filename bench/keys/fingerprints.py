"""Digests of tables."""

import hashlib

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_numeric_dtype

from bench.keys.digests import digest

ROWS = 65_536
"""How many rows of a column of text `fingerprint` takes at once."""


def fingerprint(table: pd.DataFrame) -> str:
    """Return the digest of a table's columns and values, whatever file they are in."""
    made = hashlib.sha256()
    for _, column in table.items():
        if is_numeric_dtype(column):
            made.update(f"{column.dtype} ".encode() + column.to_numpy().tobytes())
            continue
        for start in range(
            0, len(table), ROWS
        ):  # pyarrow's bytes of a column that is a part of another differ
            values = column.iloc[start : start + ROWS].to_numpy(object)  # whose bytes nothing else shares
            text = pa.array(values, pa.large_string(), from_pandas=True)
            made.update(pc.binary_length(text).fill_null(-1).to_numpy().tobytes())
            made.update(text.buffers()[2] or b"")
    return digest([list(map(str, table.columns)), made.hexdigest()])
