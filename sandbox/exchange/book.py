"""The order book: touch, depth and aggregation.

Depth is a cumulative function of the distance from the touch, and a level's size is the difference of that function at its edges.
So whatever the aggregation, levels add up to the same book, and any depth is reached without listing orders.
"""

from dataclasses import dataclass
from math import log1p, log10, sin, tau
from typing import Any

from sandbox.exchange.coins import Coin
from sandbox.exchange.noise import draw
from sandbox.exchange.units import text, tick

LEVELS = 20
RESHAPED_MS = 2_000  # how long the sizes in the book stay as they are while the price moves under them
REACH = 0.3  # nobody quotes further away than this fraction of the price
KNEE = 0.0002  # depth grows linearly up to about this distance, then ever more slowly
TURNOVER_SHARE = 0.03  # of a day's volume rests within one percent of the touch
FOLDS_TO_ONE_PERCENT = 3.9
RIPPLES = ((3.0, 0.4), (17.0, 0.3), (90.0, 0.25))  # frequency and strength; strengths sum below 1, so depth never shrinks
ORDER_USD = 9_000.0


@dataclass(frozen=True, slots=True)
class Level:
    """Price and size in units, and how many orders make it up."""

    px: int
    sz: int
    n: int


@dataclass(frozen=True, slots=True)
class Touch:
    """Best prices and their distance grid, all in price units."""

    bid: int
    ask: int
    tick: int

    @property
    def mid_text_units(self) -> int:
        """The mid in tenths of a unit, which is exact."""
        return (self.bid + self.ask) * 5


def touch(coin: Coin, price: float, at_ms: int) -> Touch:
    """The best bid and ask around a price: one tick apart, sometimes two."""
    step = tick(price, coin.price_decimals)
    bid = int(price * 10**coin.price_decimals) // step * step
    ticks = 2 if draw(coin.sub_seed("spread"), at_ms // RESHAPED_MS) % 4 == 0 else 1
    return Touch(bid, bid + ticks * step, step)


def mid_text(coin: Coin, best: Touch) -> str:
    """The mid as the venue writes it."""
    return text(best.mid_text_units, coin.price_decimals + 1)


def step_units(coin: Coin, best: Touch, figures: int | None, mantissa: int | None) -> int:
    """The aggregation step in price units: the raw tick, or `mantissa` steps of so many significant figures, whichever is wider."""
    if figures is None:
        return best.tick
    magnitude = int(log10(best.bid))
    return max(best.tick, int(10 ** max(magnitude - figures + 1, 0)) * (mantissa or 1))


class Side:
    """One side of the book at one moment. `sign` is −1 for bids (prices fall away from the touch) and +1 for asks."""

    def __init__(self, coin: Coin, best: Touch, sign: int, at_ms: int) -> None:
        self.sign, self.tick = sign, best.tick
        self.best = best.ask if sign > 0 else best.bid
        bits = draw(coin.sub_seed("depth", sign), at_ms // RESHAPED_MS)
        self.phases = [(bits >> (16 * index) & 0xFFFF) / 65_536 * tau for index in range(len(RIPPLES))]
        per_usd = 10**coin.sz_decimals / (self.best / 10**coin.price_decimals)
        self.scale = TURNOVER_SHARE * coin.turnover / FOLDS_TO_ONE_PERCENT * per_usd
        self.order = max(ORDER_USD * per_usd, 1.0)

    def levels(self, step: int) -> list[Level]:
        """The first twenty levels that hold anything, best first. Bids are rounded down to a level, asks up."""
        found: list[Level] = []
        edge = -(-self.best // step) * step if self.sign > 0 else self.best // step * step
        furthest = self.best * (1 + self.sign * REACH)
        near = 0
        while len(found) < LEVELS and (furthest - edge) * self.sign > 0:
            far = self._depth(edge)
            if far > near:
                found.append(Level(edge, far - near, max(1, round(far / self.order) - round(near / self.order))))
            near = far
            edge += self.sign * step
        return found

    def _depth(self, edge: int) -> int:
        """Size resting from the touch to the price `edge`, in size units."""
        ticks = (edge - self.best) * self.sign // self.tick + 1
        folds = log1p(ticks * self.tick / self.best / KNEE)
        ripple = sum(
            strength / frequency * (sin(frequency * folds + phase) - sin(phase))
            for (frequency, strength), phase in zip(RIPPLES, self.phases, strict=True)
        )
        return 1 + int(self.scale * (folds + ripple))


def level_rows(coin: Coin, levels: list[Level]) -> list[dict[str, Any]]:
    """Levels as the wire shows them."""
    return [{"px": text(row.px, coin.price_decimals), "sz": text(row.sz, coin.sz_decimals), "n": row.n} for row in levels]


def impact_price(levels: list[Level], notional: float, scale: float) -> float:
    """Average price, in price units, of taking so much notional; `scale` turns price units times size units into USD."""
    left, paid, taken = notional, 0.0, 0.0
    for level in levels:
        size = min(level.sz, left / (level.px * scale))
        paid, taken, left = paid + size * level.px, taken + size, left - size * level.px * scale
        if left <= 0:
            break
    return paid / taken
