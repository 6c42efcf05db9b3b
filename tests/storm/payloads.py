"""Give the project files that would run code: models, checkpoints, cards and folders of runs.

    python tests/storm/payloads.py

They are the tests marked `payload`: none may run, which a file shows that the code would write.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import common


def storm(folder: Path, n: int, chance: random.Random) -> Iterator[common.Case]:
    """Yield a case per payload; their number and order are those of the tests."""
    yield from common.tested(folder, "-m", "payload", "tests")


if __name__ == "__main__":
    common.main(storm, 0)
