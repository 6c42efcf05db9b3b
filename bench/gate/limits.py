"""Limits of a gate: how much worse a score or a cost may get."""

import re
from dataclasses import dataclass
from typing import Self

from bench import catalog
from bench.errors import UsageError
from bench.metrics import METRICS
from bench.types import Cost

COSTS = Cost.names("limit")
"""Costs with a limit; more is worse."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much worse a score or a cost may get.

    Parameters
    ----------
    name : str
        A metric or one of `COSTS`; empty for the metric that a task ranks by.
    most : float
        For a metric, the largest loss, in its unit; for a cost, the largest factor.
    """

    name: str
    most: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the limit that ``METRIC:AMOUNT`` or ``COST:FACTORx`` describes.

        Raises
        ------
        UsageError
            If the text has another form, or the name is no metric and no cost.

        Examples
        --------
        >>> Limit.parse("extract_s:1.5x")
        Limit(name='extract_s', most=1.5)
        """
        name, _, amount = text.partition(":")
        if name in COSTS:
            if re.fullmatch(r"\d+(\.\d+)?x", amount) and float(amount[:-1]) >= 1:
                return cls(name, float(amount[:-1]))
            raise UsageError(f"--fail-on {text}: expected {name}:FACTORx with a factor from 1, such as 1.5x")
        catalog.find("metric or cost", name, dict.fromkeys([*METRICS, *COSTS]))
        if not re.fullmatch(r"\d*\.?\d+", amount):
            raise UsageError(f"--fail-on {text}: expected {name}:AMOUNT, such as {name}:0.02")
        return cls(name, float(amount))

    @property
    def is_cost(self) -> bool:
        """Return whether the limit is a factor of a cost."""
        return self.name in COSTS


DEFAULT = Limit("", 0.02)
"""Limit of a gate without others: of the metric that a task ranks by."""
