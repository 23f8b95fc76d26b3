"""What one enrichment saw, before it is judged or written down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.errors import LensError
from enrichment.indicators import Reading
from enrichment.ports import Interval


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The market at `at` (the database's clock). A timeframe that could not be had is the error that kept it away.

    `drift_bps` is the price against the entry, + above; `mid_age_s` how old the price may be.
    """

    market: str
    coin: str
    at: datetime
    mid: Decimal
    mid_age_s: float
    drift_bps: Decimal
    readings: Mapping[Interval, Reading | LensError]
