"""A user's reducer: one entry, and for a new class one module."""

from pathlib import Path

import pytest

from bench.store import Store

ENTRY = '[narrow]\nfactory = "{factory}"\nparams = {{ n_components = 13 }}\n'

MODULE = """
from sklearn.base import BaseEstimator, TransformerMixin


class FirstFeatures(TransformerMixin, BaseEstimator):
    def __init__(self, n_components=1):
        self.n_components = n_components

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[:, : self.n_components]
"""


@pytest.mark.parametrize("factory", ["sklearn.decomposition:TruncatedSVD", "my_reducer:FirstFeatures"])
def test_a_reducer_is_one_entry_and_at_most_one_module(bench, digits: Path, tmp_path: Path, factory: str):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / "reducers.toml").write_text(ENTRY.format(factory=factory))
    (tmp_path / "my_reducer.py").write_text(MODULE)
    words = ["--extractors", "mfcc-13", "--heads", "narrow+lda"]
    outcome = bench("run", "--datasets", digits, "--tasks", "speaker", *words)
    assert outcome.exit_code == 0, outcome.output
    heads = {result.head for result in Store(tmp_path / "bench-out").results().values()}
    assert heads == {"dummy", "narrow+lda"}
