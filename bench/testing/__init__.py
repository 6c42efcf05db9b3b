"""Conformance checks: named rules for every kind of plugin.

In the tests of a plugin::

    @pytest.mark.parametrize("check", check_extractor(Mine), ids=str)
    def test_conformance(check):
        check()
"""

from bench.testing.captioners import check_captioner
from bench.testing.checks import Check
from bench.testing.datasets import check_dataset
from bench.testing.engines import check_engine
from bench.testing.extractors import check_extractor
from bench.testing.heads import check_head
from bench.testing.language_models import check_language_model
from bench.testing.tasks import check_task

__all__ = [
    "Check",
    "check_captioner",
    "check_dataset",
    "check_engine",
    "check_extractor",
    "check_head",
    "check_language_model",
    "check_task",
]
