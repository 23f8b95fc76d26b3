"""EMA, MACD, RSI and ATR of the newest closed bar, by the `ta` library behind a guard. Pure.

`ta` seeds its averages with the first value, so it agrees with the usual definitions (SMA seed, as in TA-Lib) to 1e-6 only after
the minimum lengths below; with fewer bars a value is None, never a guess. `fillna` is never used: it looks ahead. No rounding here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd
from ta.momentum import RSIIndicator
from ta.trend import MACD, EMAIndicator
from ta.volatility import AverageTrueRange

from enrichment.bars import Bars, columns
from enrichment.ports import Candles, Interval
from enrichment.series import drawn
from enrichment.wanted import EMA_PERIODS, WILDER_PERIODS, IndicatorSet, macd_needs

FLAT_RSI = 50.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One timeframe. `values` are of the newest closed bar, `previous` of the one before it; None where history is too short.

    `n_bars` is the length of the unbroken history used, `missing` the number of bars the venue left out of the whole window.
    `warmup_err` bounds what the start of the history still weighs in the slowest value, relative to the close. `flat` means that
    the close never moved. `series` is the newest bars as text, for people; see `series.py`.
    """

    interval: Interval
    n_bars: int
    last_close: datetime | None
    close: float | None
    values: dict[str, float | None] = field(default_factory=dict)
    previous: dict[str, float | None] = field(default_factory=dict)
    warmup_err: float | None = None
    missing: int = 0
    flat: bool = False
    series: str = ""

    @property
    def short(self) -> bool:
        """Whether a value is missing because the history is too short."""
        return None in self.values.values()


class QuickAverageTrueRange(AverageTrueRange):  # type: ignore[misc]
    """ATR as `ta` has it, bit for bit; its loop, the dearest part of a reading, over plain floats instead of a pandas index."""

    def _run(self) -> None:
        ranges = self._true_range(self._high, self._low, self._close.shift(1))
        window = self._window
        smooth = [0.0] * (window - 1) + [float(ranges[:window].mean())]
        for value in ranges[window:].tolist():
            smooth.append((smooth[-1] * (window - 1) + value) / window)
        self._atr = pd.Series(smooth, index=ranges.index)


def read(candles: Candles, wanted: IndicatorSet) -> Reading:
    """Every indicator of the set. Raises Transient `bad_candles` for candles that are no market."""
    bars = columns(candles)
    n_bars = len(bars.close)
    if not n_bars:
        return Reading(candles.interval, 0, None, None, dict.fromkeys(_names(wanted)))
    flat = bool((bars.close == bars.close[0]).all())
    series = dict(_series(bars, wanted, flat))
    return Reading(
        interval=candles.interval,
        n_bars=n_bars,
        last_close=candles.bars[-1].close_time,
        close=float(bars.close[-1]),
        values={name: _at(series.get(name), -1) for name in _names(wanted)},
        previous={name: _at(series.get(name), -2) for name in _names(wanted)},
        warmup_err=_warmup_error(bars, wanted),
        missing=bars.missing,
        flat=flat,
        series=drawn(candles),
    )


def _names(wanted: IndicatorSet) -> list[str]:
    averages = [f"ema_{period}" for period in wanted.ema]
    return [*averages, "macd", "macd_signal", "macd_hist", f"rsi_{wanted.rsi}", f"atr_{wanted.atr}"]


def _series(bars: Bars, wanted: IndicatorSet, flat: bool) -> Iterator[tuple[str, pd.Series]]:
    """The indicators the history is long enough for, each a column as long as the bars."""
    n_bars = len(bars.close)
    # `ta` writes into what it is given and relies on a plain float index.
    high, low, close = (pd.Series(column.copy()) for column in (bars.high, bars.low, bars.close))
    for period in wanted.ema:
        if n_bars >= EMA_PERIODS * period:
            yield f"ema_{period}", EMAIndicator(close, period).ema_indicator()
    if n_bars >= macd_needs(wanted.macd):
        macd = MACD(close, wanted.macd.slow, wanted.macd.fast, wanted.macd.signal)
        yield from (("macd", macd.macd()), ("macd_signal", macd.macd_signal()), ("macd_hist", macd.macd_diff()))
    if n_bars >= WILDER_PERIODS * wanted.rsi:
        yield f"rsi_{wanted.rsi}", pd.Series([FLAT_RSI] * n_bars) if flat else RSIIndicator(close, wanted.rsi).rsi()
    if n_bars >= WILDER_PERIODS * wanted.atr:
        yield f"atr_{wanted.atr}", QuickAverageTrueRange(high, low, close, wanted.atr).average_true_range()


def _at(series: pd.Series | None, position: int) -> float | None:
    if series is None:
        return None
    value = float(series.iloc[position])
    return value if math.isfinite(value) else None


def _warmup_error(bars: Bars, wanted: IndicatorSet) -> float:
    spread = float((bars.high.max() - bars.low.min()) / bars.close[-1])
    slowest = min(*(2 / (period + 1) for period in (*wanted.ema, wanted.macd.slow)), 1 / wanted.rsi, 1 / wanted.atr)
    return spread * (1 - slowest) ** len(bars.close)
