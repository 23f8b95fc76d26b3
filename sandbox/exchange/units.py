"""Whole units instead of fractions: a price or size is an integer count of 10^-decimals, and decimal text on the wire."""

import numpy as np
from numpy.typing import NDArray

SIGNIFICANT_FIGURES = 5


def text(count: int, decimals: int) -> str:
    """Decimal text as the venue writes it: at least one decimal, no trailing zeros beyond it (`84723.0`, `0.004411`)."""
    sign = "-" if count < 0 else ""
    whole, part = divmod(abs(count), 10**decimals)
    digits = f"{part:0{decimals}d}".rstrip("0") if decimals else ""
    return f"{sign}{whole}.{digits or '0'}"


def decimal_text(value: float, decimals: int) -> str:
    """The same for a fraction, rounded to so many decimals."""
    return text(round(value * 10**decimals), decimals)


def tick(price: float, decimals: int) -> int:
    """The price step at this level in units: five significant figures, never finer than one unit; whole numbers always allowed."""
    magnitude = int(np.floor(np.log10(price)))
    fraction_digits = min(max(SIGNIFICANT_FIGURES - 1 - magnitude, 0), decimals)
    return int(10 ** (decimals - fraction_digits))


def to_tick(prices: NDArray[np.float64], decimals: int) -> NDArray[np.int64]:
    """Prices in units, each rounded to the tick of its level. Rounding keeps order, so highs stay highs."""
    magnitude = np.floor(np.log10(prices))
    fraction_digits = np.clip(SIGNIFICANT_FIGURES - 1 - magnitude, 0, decimals)
    steps = 10.0 ** (decimals - fraction_digits)
    return np.asarray(np.rint(prices * 10.0**decimals / steps) * steps, dtype=np.int64)
