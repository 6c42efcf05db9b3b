"""The split that a run would use, as a list of folds."""

import pandas as pd

from bench import splits
from bench.datasets.index import copies
from bench.request import Request
from bench.types import Dataset, Task


def split_table(dataset: Dataset, task: Task, request: Request, column: str) -> pd.DataFrame:
    """Return the split that a run would use, as `splits.listing` lists it.

    Raises
    ------
    UsageError
        If the split or the column does not fit the dataset.
    """
    split = splits.make(dataset, task, request.split, copies(dataset, request))
    return splits.listing(split, dataset, column)
