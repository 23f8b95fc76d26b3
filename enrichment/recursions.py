"""ATR, ADX and RSI as `ta` has them, bit for bit, over plain arrays instead of a pandas index. Pure.

They are the dearest part of a reading. `tests/enrichment` holds the results to the library's own.
"""

import numpy as np
import pandas as pd
from ta.momentum import RSIIndicator
from ta.trend import ADXIndicator
from ta.volatility import AverageTrueRange

from enrichment.bars import Floats


class QuickAverageTrueRange(AverageTrueRange):  # type: ignore[misc]
    """Wilder's average of the true range; 0 before bar `window` − 1."""

    def _run(self) -> None:
        high, low, close, window = self._high.to_numpy(), self._low.to_numpy(), self._close.to_numpy(), self._window
        ranges = high - low
        # The first bar has no close before it.
        ranges[1:] = np.maximum(ranges[1:], np.maximum(np.abs(high[1:] - close[:-1]), np.abs(low[1:] - close[:-1])))
        smooth = [0.0] * (window - 1) + [float(pd.Series(ranges[:window]).mean())]
        for value in ranges[window:].tolist():
            smooth.append((smooth[-1] * (window - 1) + value) / window)
        self._atr = pd.Series(smooth, index=self._close.index)


class QuickRelativeStrength(RSIIndicator):  # type: ignore[misc]
    """Wilder's averages of ups and downs against each other; NaN before bar `window` − 1."""

    def _run(self) -> None:
        change = np.diff(self._close.to_numpy(), prepend=np.nan)
        ups, downs = (self._averaged(moves) for moves in (np.where(change > 0, change, 0.0), -np.where(change < 0, change, 0.0)))
        with np.errstate(divide="ignore", invalid="ignore"):
            strength = np.where(downs == 0, 100, 100 - (100 / (1 + ups / downs)))
        self._rsi = pd.Series(strength, index=self._close.index)

    def _averaged(self, moves: Floats) -> Floats:
        found: Floats = pd.Series(moves).ewm(alpha=1 / self._window, min_periods=self._window, adjust=False).mean().to_numpy()
        return found


class QuickDirectionalIndex(ADXIndicator):  # type: ignore[misc]
    """Wilder's directional movement. `ta` shifts its sums by one and leaves the last place unused; so does this."""

    def _run(self) -> None:
        high, low, close, window = self._high.to_numpy(), self._low.to_numpy(), self._close.to_numpy(), self._window
        true_range = np.maximum(high[1:], close[:-1]) - np.minimum(low[1:], close[:-1])
        up, down = np.diff(high), -np.diff(low)
        plus = np.abs(np.where((up > down) & (up > 0), up, 0.0))
        minus = np.abs(np.where((down > up) & (down > 0), down, 0.0))
        self._trs, self._dip, self._din = (_sums(values, window) for values in (true_range, plus, minus))

    def adx(self) -> pd.Series:
        """ADX; 0 before bar 2 × `window` − 1."""
        window = self._window
        plus, minus = self._share(self._dip), self._share(self._din)
        index = 100 * np.abs(_over(plus - minus, plus + minus))
        smooth = [0.0] * window + [float(index[:window].mean())]
        for value in index[window:-1].tolist():
            smooth.append((smooth[-1] * (window - 1) + value) / window)
        return pd.Series(np.concatenate((np.zeros(window - 1), smooth)), index=self._close.index)

    def adx_pos(self) -> pd.Series:
        """+DI; 0 before bar `window` + 1."""
        return self._shifted(self._dip)

    def adx_neg(self) -> pd.Series:
        """−DI; 0 before bar `window` + 1."""
        return self._shifted(self._din)

    def _share(self, sums: Floats) -> Floats:
        return 100 * _over(sums, self._trs)

    def _shifted(self, sums: Floats) -> pd.Series:
        return pd.Series(np.concatenate((np.zeros(self._window + 1), self._share(sums)[1:-1])), index=self._close.index)


def _over(part: Floats, whole: Floats) -> Floats:
    """Quotients; 0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)


def _sums(values: Floats, window: int) -> Floats:
    """Wilder's running sums of what happened since the bar before, from bar `window` on, and an unused place at the end."""
    sums = [float(values[:window].sum())]
    for value in values[window:].tolist():
        sums.append(sums[-1] - sums[-1] / window + value)
    return np.array([*sums, 0.0])
