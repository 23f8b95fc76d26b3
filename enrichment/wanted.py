"""Which features a profile asks for, and how much history each needs. Every process reads it, so it loads no numeric library."""

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Period = Annotated[int, Field(ge=2, le=200)]

# Bars after which the start-up error is below 1e-6 of the value: so many periods of an exponential (k = 2/(p+1)), of Wilder's
# average (k = 1/p), and of Wilder's average of Wilder's averages.
EMA_PERIODS = 7
WILDER_PERIODS = 18
ADX_PERIODS = 22


class Family(NamedTuple):
    """Indicators that are computed together. `needs` bars, below which they are null; `memory` is the share of the past that one
    more bar leaves in the value (0 for a plain window, which forgets)."""

    kind: str
    periods: tuple[float, ...]
    names: tuple[str, ...]
    needs: int
    memory: float = 0.0


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MacdPeriods(_Part):
    """Two averages and the average of their difference."""

    fast: Period
    slow: Period
    signal: Period

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.fast >= self.slow:
            raise ValueError("fast must be shorter than slow")
        return self


class BollingerPeriods(_Part):
    """A mean, and a band of so many standard deviations around it."""

    period: Period
    deviations: Annotated[float, Field(gt=0, le=5)]


class StochasticPeriods(_Part):
    """The fast stochastic: the place of the close within `k` bars, and its mean over `d`."""

    k: Period
    d: Annotated[int, Field(ge=1, le=50)]


class LevelSearch(_Part):
    """Support and resistance from so many bars, at most so many on each side."""

    lookback: Annotated[int, Field(ge=30, le=500)]
    max_levels: Annotated[int, Field(ge=1, le=5)]


class IndicatorSet(_Part):
    """Which indicators, with which periods. Hashable: readings are shared by it."""

    ema: Annotated[tuple[Period, ...], Field(max_length=5)]
    macd: MacdPeriods
    rsi: Period
    atr: Period
    adx: Period | None = None
    bollinger: BollingerPeriods | None = None
    stochastic: StochasticPeriods | None = None
    williams_r: Period | None = None
    cci: Period | None = None
    mfi: Period | None = None
    volume_average: Period | None = None
    obv: Period | None = None
    vwap: bool = False
    regime: bool = False
    levels: LevelSearch | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.regime and self.adx != 14:
            raise ValueError("regime is judged by adx: 14")
        return self

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """What is to be computed, in the order in which it is shown."""
        return (*self._averages(), *self._places(), *self._flows())

    @property
    def names(self) -> list[str]:
        """Every value's name."""
        return [name for family in self.families for name in family.names]

    @property
    def needs(self) -> int:
        """Bars needed for every value to be there."""
        return max(family.needs for family in self.families)

    def _averages(self) -> Iterator[Family]:
        for period in self.ema:
            yield Family("ema", (period,), (f"ema_{period}",), EMA_PERIODS * period, _ema_memory(period))
        fast, slow, signal = self.macd.fast, self.macd.slow, self.macd.signal
        needs, memory = EMA_PERIODS * (slow + signal), _ema_memory(max(slow, signal))
        yield Family("macd", (fast, slow, signal), ("macd", "macd_signal", "macd_hist"), needs, memory)
        yield Family("rsi", (self.rsi,), (f"rsi_{self.rsi}",), WILDER_PERIODS * self.rsi, 1 - 1 / self.rsi)
        yield Family("atr", (self.atr,), (f"atr_{self.atr}",), WILDER_PERIODS * self.atr, 1 - 1 / self.atr)
        if self.adx:
            names = (f"adx_{self.adx}", f"plus_di_{self.adx}", f"minus_di_{self.adx}")
            # An average of averages: its memory fades about two thirds as fast.
            yield Family("adx", (self.adx,), names, ADX_PERIODS * self.adx, (1 - 1 / self.adx) ** (1 / 1.5))

    def _places(self) -> Iterator[Family]:
        if self.bollinger:
            period, deviations = self.bollinger.period, self.bollinger.deviations
            names = ("bb_upper", "bb_middle", "bb_lower", "bb_width", "bb_pct_b")
            yield Family("bollinger", (period, deviations), names, period)
        if self.stochastic:
            k, d = self.stochastic.k, self.stochastic.d
            yield Family("stochastic", (k, d), ("stoch_k", "stoch_d"), k + d - 1)
        if self.williams_r:
            yield Family("williams_r", (self.williams_r,), (f"williams_r_{self.williams_r}",), self.williams_r)
        if self.cci:
            yield Family("cci", (self.cci,), (f"cci_{self.cci}",), self.cci)

    def _flows(self) -> Iterator[Family]:
        if self.mfi:
            yield Family("mfi", (self.mfi,), (f"mfi_{self.mfi}",), self.mfi + 1)
        if self.volume_average:
            names = (f"volume_avg_{self.volume_average}", "volume_ratio")
            yield Family("volume_average", (self.volume_average,), names, self.volume_average)
        if self.obv:
            yield Family("obv", (self.obv,), ("obv", f"obv_share_{self.obv}"), self.obv + 1)
        if self.vwap:
            yield Family("vwap", (), ("vwap",), 1)


def _ema_memory(period: int) -> float:
    return 1 - 2 / (period + 1)
