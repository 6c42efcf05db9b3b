"""Open cards of data sets with odd values: each is refused in one line.

python tests/storm/cards.py
"""

import random
from collections.abc import Iterator
from pathlib import Path

import common


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per card; their number and order are those of the tests."""
    yield from common.tested(folder, "tests/test_cards.py")


if __name__ == "__main__":
    common.main(storm, 0)
