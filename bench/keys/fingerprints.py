"""Digests of tables."""

import hashlib

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pandas.api.types import is_numeric_dtype

from bench.keys.digests import digest

ROWS = 65_536
"""Rows of a text column that `fingerprint` reads at once."""


def fingerprint(table: pd.DataFrame) -> str:
    """Return the digest of a table's column names and values; it is the same in every file format."""
    sha256 = hashlib.sha256()
    for _, column in table.items():
        if is_numeric_dtype(column):
            sha256.update(f"{column.dtype} ".encode() + column.to_numpy().tobytes())
            continue
        for start in range(0, len(table), ROWS):
            # A copy: a slice of a pyarrow column holds the bytes of the whole column.
            values = column.iloc[start : start + ROWS].to_numpy(object)
            text = pa.array(values, pa.large_string(), from_pandas=True)
            sha256.update(pc.binary_length(text).fill_null(-1).to_numpy().tobytes())
            sha256.update(text.buffers()[2] or b"")
    return digest([list(map(str, table.columns)), sha256.hexdigest()])
