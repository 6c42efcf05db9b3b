"""Kinds of cards, one module each: ``from_card(card, home, **params)`` -> dataset.

The first two are positional only, so that a param may have any name. No file can name `function`.
"""

from collections.abc import Callable, Mapping

from bench.datasets.kinds import demo, files, mixture, path
from bench.types import Dataset

KINDS: Mapping[str, Callable[..., Dataset]] = {
    "demo": demo.from_card,
    "path": path.from_card,
    "files": files.from_card,
    "mixture": mixture.from_card,
}
"""Kind of a card -> loader, which takes the card, the folder for downloads, and the card's params."""
