"""What kind of market a timeframe is in, and how strong its trend. Pure, closed bars only.

Every market without any trend shows some: on a random walk ADX stands above 25 two bars in five. So the readings are compared with
what chance alone yields (`BY_CHANCE`: quantiles over 800 000 bars of a random walk of 30 steps each), and not with round numbers.
"""

from dataclasses import dataclass

import numpy as np

from enrichment.bars import Bars, Floats
from enrichment.ta_batch import Columns

SPAN = 20
ADX_PERIOD = 14
HISTORY = 500
_AT = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0)
BY_CHANCE = {
    "adx": (6.0, 12.2, 13.7, 15.9, 17.9, 19.9, 22.0, 24.5, 27.4, 29.2, 31.4, 37.5, 42.9, 53.6, 80.0),
    "efficiency": (0.0, 0.018, 0.036, 0.073, 0.111, 0.151, 0.194, 0.241, 0.295, 0.326, 0.362, 0.458, 0.538, 0.683, 0.95),
}
# A trend begins when both stand this high for two bars, and lasts until ADX falls to the middle or the direction turns.
ADX_BEGINS, ADX_LASTS, EFFICIENCY_BEGINS = 0.75, 0.5, 0.7
CONFIRMED_BARS = 2
BREAKOUT_ATR, BREAKOUT_VOLUME = 0.25, 1.5
WILD, CALM = 0.9, 0.1
# In a market that trades, hardly a bar of a hundred passes without one.
ILLIQUID = "ILLIQUID"
IDLE, IDLE_SPAN = 0.25, 100


@dataclass(frozen=True, slots=True)
class Trend:
    """One timeframe's market. Percentiles 0 to 1: `adx_pctl` and `efficiency_pctl` against chance, `volatility_pctl` against the
    timeframe's own last 500 bars. `slope_atr` is the line through the last 20 closes, in ATRs per bar; `fit` its R².
    """

    regime: str
    adx: float
    adx_pctl: float
    efficiency: float
    efficiency_pctl: float
    volatility_pctl: float
    slope_atr: float
    fit: float

    def strength(self, stacked: float) -> float:
        """0 to 1; `stacked` is the share of timeframes whose averages stand in one order."""
        slope = abs(self.slope_atr) / (abs(self.slope_atr) + 0.1)
        return float(np.mean([slope, self.fit, self.efficiency, min(self.adx / 50, 1.0), stacked]))


def trend(columns: Columns, atr_period: int) -> Trend | None:
    """The market at the newest bar. None when nothing moved. ADX and ATR must be warmed up."""
    bars, atr = columns.bars, float(columns.atr(atr_period).iloc[-1])
    if atr <= 0:
        return None
    movement = columns.movement(ADX_PERIOD)
    adx = movement.adx().to_numpy()
    direction = np.sign(movement.adx_pos().to_numpy() - movement.adx_neg().to_numpy())
    efficiency = _efficiency(bars.close)
    volatility = _volatility(bars)
    percentile = _rank(volatility[-HISTORY - 1 :])
    slope, fit = _line(bars.close[-SPAN:])
    adx_pctl, efficiency_pctl = by_chance("adx", adx), by_chance("efficiency", efficiency)
    trending = _trending(adx_pctl[-HISTORY:], efficiency_pctl[-HISTORY:], direction[-HISTORY:])
    return Trend(
        regime=_illiquid(bars) or _breakout(bars, atr) or _named(trending, percentile),
        adx=float(adx[-1]),
        adx_pctl=float(adx_pctl[-1]),
        efficiency=float(efficiency[-1]),
        efficiency_pctl=float(efficiency_pctl[-1]),
        volatility_pctl=percentile,
        slope_atr=slope / atr,
        fit=fit,
    )


def by_chance(name: str, values: Floats) -> Floats:
    """The share of bars of a random walk that show less."""
    return np.interp(values, BY_CHANCE[name], _AT)


def _efficiency(close: Floats) -> Floats:
    """Distance over path of the last 20 bars, per bar; 0 where there are not so many or nothing moved."""
    found = np.zeros(len(close))
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(np.diff(close)), SPAN)
    path = windows.sum(axis=1)
    found[SPAN:] = np.divide(np.abs(close[SPAN:] - close[:-SPAN]), path, out=np.zeros_like(path), where=path > 0)
    return found


def _volatility(bars: Bars) -> Floats:
    """The Garman–Klass variance of each bar, averaged over 20."""
    spread, body = np.log(bars.high / bars.low), np.log(bars.close / bars.open)
    variance = 0.5 * spread**2 - (2 * np.log(2) - 1) * body**2
    averaged: Floats = np.lib.stride_tricks.sliding_window_view(variance, SPAN).mean(axis=1)
    return averaged


def _rank(values: Floats) -> float:
    """The newest value's place among those before it, from 0 to 1."""
    before = values[:-1]
    below = float((before < values[-1]).sum() + 0.5 * (before == values[-1]).sum())
    return (below + 0.5) / (len(before) + 1)


def _line(close: Floats) -> tuple[float, float]:
    """The slope per bar of the least-squares line, and its R²; a still market has neither."""
    x = np.arange(len(close)) - (len(close) - 1) / 2
    y = close - close.mean()
    across, up = float((x * x).sum()), float((y * y).sum())
    along = float((x * y).sum())
    return along / across, (along * along / (across * up) if up > 0 else 0.0)


def _trending(adx: Floats, efficiency: Floats, direction: Floats) -> int:
    """1, −1, or 0 for no trend, after the newest bar. Percentiles and the DI's sign, bar by bar."""
    state = run = heading = 0
    for strong, lasts, side in zip(
        ((adx >= ADX_BEGINS) & (efficiency >= EFFICIENCY_BEGINS)).tolist(),
        (adx > ADX_LASTS).tolist(),
        direction.astype(int).tolist(),
        strict=True,
    ):
        run = (run + 1 if side == heading else 1) if strong else 0
        heading = side
        if state and not (lasts and side == state):
            state = 0
        if run >= CONFIRMED_BARS:
            state = side
    return state


def _illiquid(bars: Bars) -> str | None:
    """Whether so often nothing was traded that the rest is the doing of single orders."""
    return ILLIQUID if (bars.volume[-IDLE_SPAN:] == 0).mean() >= IDLE else None


def _breakout(bars: Bars, atr: float) -> str | None:
    """Whether the newest close left the range of the 20 bars before it, on volume or by a margin."""
    high, low, close = bars.high[-SPAN - 1 : -1].max(), bars.low[-SPAN - 1 : -1].min(), bars.close[-1]
    usual = bars.volume[-SPAN - 1 : -1].mean()
    loud = usual > 0 and bars.volume[-1] >= BREAKOUT_VOLUME * usual
    for word, beyond in (("BREAKOUT_UP", close - high), ("BREAKOUT_DOWN", low - close)):
        if beyond > 0 and (loud or beyond >= BREAKOUT_ATR * atr):
            return word
    return None


def _named(trending: int, volatility: float) -> str:
    if trending:
        return "TREND_UP" if trending > 0 else "TREND_DOWN"
    if volatility > WILD:
        return "HIGH_VOL"
    return "LOW_VOL" if volatility < CALM else "RANGE"
