"""Each family of indicators at the newest bar and the one before it: the `ta` library behind a guard. Pure.

`ta` differs from the usual definitions in ways that are met here, once:

| `ta`                                                    | here                                                           |
|---------------------------------------------------------|----------------------------------------------------------------|
| seeds its averages with the first value                 | below `Family.needs` bars nothing is computed                  |
| 0 before the first value of ATR, ADX and DI             | never reached, for the same reason                             |
| NaN in a window without movement                        | RSI, %K, MFI 50, %R −50, CCI and ADX 0, %B 0.5, and `flat`     |
| MFI takes rounding errors for moves                     | typical prices within 1e-12 of each other are one price        |
| OBV adds the volume of an unchanged close; rolling VWAP | our own: OBV as everywhere, VWAP since midnight UTC            |
| `fillna` and `dropna` look ahead or delete bars         | never used; nor KST, Ichimoku, PSAR and `add_all_ta_features`  |

A plain window sees only its own tail: the rest cannot matter. No rounding here.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
from ta.momentum import StochasticOscillator, WilliamsRIndicator
from ta.trend import MACD, CCIIndicator, EMAIndicator, SMAIndicator
from ta.volatility import BollingerBands
from ta.volume import MFIIndicator

from enrichment.bars import Bars, Floats
from enrichment.recursions import QuickAverageTrueRange, QuickDirectionalIndex, QuickRelativeStrength
from enrichment.wanted import Family

SAME_PRICE = 1e-12

Pair = tuple[float, float]  # the newest bar's value and that of the bar before; NaN where there is none


class Found(NamedTuple):
    """A family's values in the order of its names. `flat`: the window did not move, and the value is ours by definition."""

    pairs: tuple[Pair, ...]
    flat: bool = False


class Columns:
    """Bars as `ta` wants them: float series on a plain index, copies because it writes into what it is given."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self._atr: dict[int, pd.Series] = {}
        self._movement: dict[int, QuickDirectionalIndex] = {}
        self._tails: dict[int, Columns] = {}

    @cached_property
    def high(self) -> pd.Series:
        return pd.Series(self.bars.high.copy())

    @cached_property
    def low(self) -> pd.Series:
        return pd.Series(self.bars.low.copy())

    @cached_property
    def close(self) -> pd.Series:
        return pd.Series(self.bars.close.copy())

    @cached_property
    def volume(self) -> pd.Series:
        return pd.Series(self.bars.volume.copy())

    def last(self, count: float) -> "Columns":
        """The newest bars alone, made once."""
        if int(count) not in self._tails:
            self._tails[int(count)] = Columns(self.bars.last(int(count)))
        return self._tails[int(count)]

    def atr(self, period: int) -> pd.Series:
        """The average true range, computed once."""
        if period not in self._atr:
            self._atr[period] = QuickAverageTrueRange(self.high, self.low, self.close, period).average_true_range()
        return self._atr[period]

    def movement(self, period: int) -> QuickDirectionalIndex:
        """The directional movement, computed once."""
        if period not in self._movement:
            self._movement[period] = QuickDirectionalIndex(self.high, self.low, self.close, period)
        return self._movement[period]


def compute(columns: Columns, family: Family) -> Found:
    """The values of a family. There must be at least `family.needs` bars."""
    return _BY_KIND[family.kind](columns, *family.periods)


def _ema(columns: Columns, period: float) -> Found:
    return Found((_pair(EMAIndicator(columns.close, int(period)).ema_indicator()),))


def _macd(columns: Columns, fast: float, slow: float, signal: float) -> Found:
    macd = MACD(columns.close, int(slow), int(fast), int(signal))
    return Found((_pair(macd.macd()), _pair(macd.macd_signal()), _pair(macd.macd_diff())))


def _rsi(columns: Columns, period: float) -> Found:
    if _constant(columns.bars.close):
        return Found(((50.0, 50.0),), flat=True)
    return Found((_pair(QuickRelativeStrength(columns.close, int(period)).rsi()),))


def _atr(columns: Columns, period: float) -> Found:
    return Found((_pair(columns.atr(int(period))),))


def _adx(columns: Columns, period: float) -> Found:
    movement = columns.movement(int(period))
    still = _constant(np.concatenate((columns.bars.high, columns.bars.low)))
    return Found((_pair(movement.adx()), _pair(movement.adx_pos()), _pair(movement.adx_neg())), flat=still)


def _bollinger(columns: Columns, period: float, deviations: float) -> Found:
    tail, span = columns.last(period + 1), int(period)
    bands = BollingerBands(tail.close, span, deviations)
    upper, middle, lower = map(_ends, (bands.bollinger_hband(), bands.bollinger_mavg(), bands.bollinger_lband()))
    close = tail.bars.close
    flat, was_flat = (bool(np.ptp(window) == 0) for window in (close[-span:], close[:span]))
    with np.errstate(divide="ignore", invalid="ignore"):
        place = np.where([was_flat, flat], 0.5, (close[-2:] - lower) / (upper - lower))
        width = (upper - lower) / middle
    return Found(tuple(map(_pair, (upper, middle, lower, width, place))), flat)


def _stochastic(columns: Columns, k: float, d: float) -> Found:
    tail = columns.last(k + d)
    place = StochasticOscillator(tail.high, tail.low, tail.close, int(k), int(d)).stoch().to_numpy()[int(k) - 1 :]
    known = np.where(np.isnan(place), 50.0, place)
    return Found((_pair(known), _pair(pd.Series(known).rolling(int(d)).mean())), flat=bool(np.isnan(place[-1])))


def _williams_r(columns: Columns, period: float) -> Found:
    tail = columns.last(period + 1)
    return _filled(WilliamsRIndicator(tail.high, tail.low, tail.close, int(period)).williams_r(), -50.0)


def _cci(columns: Columns, period: float) -> Found:
    tail = columns.last(period + 1)
    still = _constant(_one_price(tail.bars)[-int(period) :])
    return _filled(CCIIndicator(tail.high, tail.low, tail.close, int(period)).cci(), 0.0, still=still)


def _mfi(columns: Columns, period: float) -> Found:
    tail = columns.last(period + 2)
    typical = pd.Series(_one_price(tail.bars))
    return _filled(MFIIndicator(typical, typical, typical, tail.volume, int(period)).money_flow_index(), 50.0)


def _volume_average(columns: Columns, period: float) -> Found:
    tail = columns.last(period + 1)
    average = _ends(SMAIndicator(tail.volume, int(period)).sma_indicator())
    ratio = np.divide(tail.bars.volume[-2:], average, out=np.full(len(average), np.nan), where=average > 0)
    return Found((_pair(average), _pair(ratio)))


def _obv(columns: Columns, period: float) -> Found:
    """The running sum since the first bar, and its change over the window as a share of the window's volume, −1 to 1."""
    close, volume, span = columns.bars.close, columns.bars.volume, int(period)
    signed = np.append(volume[0], np.sign(np.diff(close)) * volume[1:])
    total = np.cumsum(signed)
    shares = [_share(signed[: len(signed) - back], volume[: len(volume) - back], span) for back in (0, 1)]
    return Found(((float(total[-1]), float(total[-2])), (shares[0], shares[1])))


def _vwap(columns: Columns) -> Found:
    bars = columns.bars
    return Found(((_session_vwap(bars), _session_vwap(bars, back=1)),))


def _session_vwap(bars: Bars, back: int = 0) -> float:
    """The volume-weighted price since the midnight before the newest bar opened; NaN without volume or a midnight in sight."""
    end = len(bars) - back
    opened = bars.start + (end - 1) * bars.step
    first = bars.index(opened.replace(hour=0, minute=0, second=0, microsecond=0))
    if first < 0 or end <= first:
        return float("nan")
    part = slice(first, end)
    volume = bars.volume[part]
    typical = (bars.high[part] + bars.low[part] + bars.close[part]) / 3
    return float((typical * volume).sum() / volume.sum()) if volume.any() else float("nan")


def _share(signed: Floats, volume: Floats, span: int) -> float:
    traded = volume[-span:].sum()
    return float(signed[-span:].sum() / traded) if traded > 0 and len(volume) > span else float("nan")


def _one_price(bars: Bars) -> Floats:
    """Typical prices, those that differ by no more than rounding made equal."""
    typical = (bars.high + bars.low + bars.close) / 3
    for place in range(1, len(typical)):
        if abs(typical[place] - typical[place - 1]) <= SAME_PRICE * typical[place]:
            typical[place] = typical[place - 1]
    return typical


def _filled(series: pd.Series, value: float, *, still: bool = False) -> Found:
    """The series, with `value` where the window has no answer."""
    ends = _ends(series)
    flat = still or bool(np.isnan(ends[-1]))
    last, before = _pair(np.where(np.isnan(ends), value, ends))
    return Found(((value if flat else last, before),), flat)


def _constant(values: Floats) -> bool:
    return bool((values == values[0]).all())


def _ends(values: pd.Series | Floats) -> Floats:
    """The last two values, or the only one."""
    array: Floats = values if isinstance(values, np.ndarray) else values.to_numpy()
    return array[-2:]


def _pair(values: pd.Series | Floats) -> Pair:
    ends = _ends(values)
    return float(ends[-1]), float(ends[0]) if len(ends) > 1 else float("nan")


_BY_KIND: Mapping[str, Callable[..., Found]] = {
    "ema": _ema,
    "macd": _macd,
    "rsi": _rsi,
    "atr": _atr,
    "adx": _adx,
    "bollinger": _bollinger,
    "stochastic": _stochastic,
    "williams_r": _williams_r,
    "cci": _cci,
    "mfi": _mfi,
    "volume_average": _volume_average,
    "obv": _obv,
    "vwap": _vwap,
}
