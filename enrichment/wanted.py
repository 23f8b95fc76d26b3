"""Which indicators a profile asks for, and how much history each needs. Every process reads it, so it loads no numeric library."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Period = Annotated[int, Field(ge=2, le=200)]

# Bars after which the start-up error is below 1e-6 of the value: so many periods of an exponential (k = 2/(p+1)) or of Wilder's
# average (k = 1/p).
EMA_PERIODS = 7
WILDER_PERIODS = 18


class MacdPeriods(BaseModel):
    """Two averages and the average of their difference."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fast: Period
    slow: Period
    signal: Period

    @model_validator(mode="after")
    def _in_order(self) -> "MacdPeriods":
        if self.fast >= self.slow:
            raise ValueError("fast must be shorter than slow")
        return self


class IndicatorSet(BaseModel):
    """Which indicators, with which periods. Hashable: readings are shared by it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ema: Annotated[tuple[Period, ...], Field(max_length=5)]
    macd: MacdPeriods
    rsi: Period
    atr: Period

    @property
    def needs(self) -> int:
        """Bars needed for every value to be there."""
        return max(*(EMA_PERIODS * period for period in self.ema), macd_needs(self.macd), WILDER_PERIODS * max(self.rsi, self.atr))


def macd_needs(macd: MacdPeriods) -> int:
    """Bars needed for MACD and its signal line."""
    return EMA_PERIODS * (macd.slow + macd.signal)
