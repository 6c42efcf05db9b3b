"""Datasets: a card's name, a folder or a table -> labelled clips, and facts of their audio."""

from bench.datasets.cards import from_card
from bench.datasets.kinds import KINDS
from bench.datasets.layouts import from_path, from_stream, from_table

__all__ = ["KINDS", "from_card", "from_path", "from_stream", "from_table"]
