"""Engines: what each keeps to, and how each follows its index."""

import pytest

from bench.retrieval.engines.exact import Exact
from bench.retrieval.engines.hnsw import Hnsw
from bench.retrieval.engines.ivf import Ivf
from bench.retrieval.engines.lance import Lance
from bench.testing import check_engine

KEEPS_NOTHING = "an index tells an exact search its ids"

CHECKS = [
    *check_engine(
        Exact,
        dict.fromkeys(
            ["removed_ids_never_come_back", "opens_as_it_was_saved", "adds_after_a_save"], KEEPS_NOTHING
        ),
    ),
    *check_engine(Hnsw),
    *check_engine(Ivf),
    *check_engine(Lance),
]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_conformance(check):
    check()
