"""The price as a pure function of coin and time, and the shifts a test lays over it.

The level at every minute mark is layered value noise. Within a minute the price walks in straight lines from the opening mark
over two turning points to the closing mark, so highs, lows and any instant in between follow from four numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.exchange.coins import Coin
from sandbox.exchange.noise import quarters, value_noise

MINUTE_MS = 60_000
CORNERS_MS = (0, 20_000, 40_000, 60_000)
OCTAVES = 9  # 1 minute, 4, 16 … 65 536 minutes (45 days); doubling amplitudes give the square-root-of-time look of a market


@dataclass(frozen=True, slots=True)
class Shift:
    """From `at_ms` on, prices are `factor` times what they would have been."""

    at_ms: int
    factor: float


Shifts = tuple[Shift, ...]


def marks(coin: Coin, minutes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Undisturbed prices at minute marks (minutes since the epoch, ascending)."""
    level = np.zeros(len(minutes))
    for octave in range(OCTAVES):
        level += coin.vol * 2.0**octave * value_noise(coin.sub_seed("price", octave), minutes, 4**octave)
    return np.asarray(coin.price * np.exp(level))


def corners(coin: Coin, first: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`count` minutes from `first`: prices at the four corners, shape (4, n), and two spare uniforms per minute, shape (2, n)."""
    ends = marks(coin, np.arange(first, first + count + 1, dtype=np.int64))
    opening, closing = ends[:-1], ends[1:]
    up, down, *spare = quarters(coin.sub_seed("minute"), np.arange(first, first + count, dtype=np.int64))
    high = np.maximum(opening, closing) * (1.0 + 1.5 * coin.vol * up * up)
    low = np.minimum(opening, closing) * (1.0 - 1.5 * coin.vol * down * down)
    rises_first = up > down
    return np.array([opening, np.where(rises_first, high, low), np.where(rises_first, low, high), closing]), np.array(spare)


def factor_at(shifts: Shifts, at_ms: int) -> float:
    """The product of the shifts in force at an instant."""
    factor = 1.0
    for shift in shifts:
        if shift.at_ms <= at_ms:
            factor *= shift.factor
    return factor


@lru_cache(maxsize=256)
def minute_corners(coin: Coin, minute: int) -> tuple[float, ...]:
    """The four corner prices of one minute."""
    return tuple(corners(coin, minute, 1)[0][:, 0].tolist())


def price_at(coin: Coin, at_ms: int, shifts: Shifts = ()) -> float:
    """The price at one instant."""
    minute, elapsed = divmod(at_ms, MINUTE_MS)
    return float(np.interp(elapsed, CORNERS_MS, minute_corners(coin, minute))) * factor_at(shifts, at_ms)


def walk(points: Sequence[float], start_ms: int, until_ms: int, shifts: Shifts) -> list[float]:
    """Every turning value of one minute up to `until_ms`: corners passed, both sides of each jump, and the price at the end."""
    stops: list[tuple[int, float]] = [(start_ms + at, factor_at(shifts, start_ms + at)) for at in CORNERS_MS]
    for shift in shifts:
        if start_ms < shift.at_ms <= until_ms:
            stops += [(shift.at_ms, factor_at(shifts, shift.at_ms - 1)), (shift.at_ms, factor_at(shifts, shift.at_ms))]
    stops.append((until_ms, factor_at(shifts, until_ms)))
    passed = sorted((stop for stop in stops if stop[0] <= until_ms), key=lambda stop: stop[0])
    return [float(np.interp(at - start_ms, CORNERS_MS, points)) * factor for at, factor in passed]
