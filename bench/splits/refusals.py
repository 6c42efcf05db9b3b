"""Errors of splits, whose obstacles are values too."""

from typing import TypeVar

from bench import display
from bench.errors import BenchError
from bench.types import CellObstacle

E = TypeVar("E", bound=BenchError)


def refusal(error: type[E], obstacle: CellObstacle) -> E:
    """Return an error that says what an obstacle is, and holds it."""
    refused = error(display.cell_obstacle(obstacle))
    refused.obstacle = obstacle
    return refused
