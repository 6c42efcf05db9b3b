"""Datasets: a card's name, a folder or a table -> labelled clips, and what their audio holds."""

from bench.datasets.cards import KINDS, from_card, from_path, from_table

__all__ = ["KINDS", "from_card", "from_path", "from_table"]
