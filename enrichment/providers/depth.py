"""How coarse a book must be to show so much of it: twenty levels a side, whatever the width of a level. Pure.

The venue adds levels up to 5, 4, 3 or 2 significant figures of the price, five figures also in steps of 2 or 5.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.money import BPS

LEVELS = 20


@dataclass(frozen=True, slots=True)
class Aggregation:
    """A width of level: `mantissa` steps of the last of so many significant figures; without figures the book as it is."""

    figures: int | None = None
    mantissa: int | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """The request's keys for it."""
        both = {"nSigFigs": self.figures, "mantissa": self.mantissa}
        return {key: value for key, value in both.items() if value is not None}

    def step(self, price: Decimal) -> Decimal | None:
        """The width of a level in USD around a price; None where nothing is added up."""
        if self.figures is None:
            return None
        return (self.mantissa or 1) * Decimal(1).scaleb(price.adjusted() - self.figures + 1)

    def covers_bps(self, price: Decimal) -> Decimal:
        """How far twenty levels reach at least, if the best one is full."""
        return (LEVELS - 1) * (self.step(price) or Decimal(0)) / price * BPS


RAW = Aggregation()
FINEST_FIRST = tuple(Aggregation(*each) for each in ((5, None), (5, 2), (5, 5), (4, None), (3, None), (2, None)))


def wide_enough(price: Decimal, reach_bps: int) -> Aggregation:
    """The finest aggregation that shows the book at least so far from `price`; the coarsest when none does."""
    return next((grain for grain in FINEST_FIRST if grain.covers_bps(price) >= reach_bps), FINEST_FIRST[-1])
