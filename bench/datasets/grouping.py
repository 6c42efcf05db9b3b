"""Groups of clips that belong together: by the values that they share, and by time."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bench.types import Labels

RUNNING_OVER = 0.05
"""How far a window may reach into the next one, in s: times in label files are rounded."""


def join_groups(groups: Mapping[str, Labels]) -> Labels:
    """Return one group per clip, shape=(n_clips,): clips that share a value of any column are in one group.

    Groups are the connected components of the graph of clips and values. The name of a group is the value of
    the first column for its first clip.

    Examples
    --------
    >>> session = np.array(["a", "b", "c", "d"])
    >>> recording = np.array(["1", "2", "2", "3"])
    >>> join_groups({"session": session, "recording": recording}).tolist()
    ['a', 'b', 'b', 'd']
    """
    columns = [pd.factorize(column)[0] for column in groups.values()]
    n_clips = len(columns[0])
    ends = np.cumsum([n_clips, *(int(column.max()) + 1 for column in columns)])
    values = np.concatenate([column + start for column, start in zip(columns, ends[:-1], strict=True)])
    clips = np.tile(np.arange(n_clips), len(columns))
    graph = coo_array((np.ones(len(clips), dtype=bool), (clips, values)), shape=(ends[-1], ends[-1]))
    n_groups, component = connected_components(graph, directed=False)
    group, first_clip = component[:n_clips], np.empty(n_groups, dtype=int)
    first_clip[group[::-1]] = np.arange(n_clips)[::-1]  # the last assignment to an index wins
    names: Labels = next(iter(groups.values()))[first_clip][group]
    return names


def overlapping_windows(table: pd.DataFrame) -> Labels:
    """Return the first clip of every chain of windows of one file that overlap, shape=(n_clips,).

    Windows that share `RUNNING_OVER` or less do not overlap.

    Parameters
    ----------
    table : pd.DataFrame
        Of a `Dataset`.
    """
    missing = pd.Series(np.nan, table.index)
    times = pd.DataFrame(
        {
            "clip": table["clip"],
            "path": table["path"],
            "start": table.get("start", missing).fillna(0.0),
            "end": table.get("end", missing).fillna(np.inf) - RUNNING_OVER,
        }
    ).reset_index(drop=True)
    times = times.sort_values(["path", "start"], kind="stable")
    reach = times.groupby("path")["end"].cummax().groupby(times["path"]).shift(fill_value=-np.inf)
    chain = (times["start"] >= reach).cumsum()
    first: Labels = times.groupby(chain)["clip"].transform("first").sort_index().to_numpy(dtype=object)
    return first
