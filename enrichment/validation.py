"""May this signal go further? Each rule raises Rejected with the numbers it was judged by. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from core.errors import Rejected
from core.money import drift_bps, plain


@dataclass(frozen=True, slots=True)
class Limits:
    """What a signal is held to. `max_drift_atr`, in average true ranges of an hour, is judged only where a source sets it."""

    max_age_s: float
    max_future_s: float
    max_drift_bps: float
    max_drift_atr: float | None = None

    def narrowed(self, own: Sequence[float | None]) -> "Limits":
        """A source's own limits, in the order above; what it leaves open stays as it is."""
        age, future, bps, atr = own
        return Limits(
            self.max_age_s if age is None else age,
            self.max_future_s if future is None else future,
            self.max_drift_bps if bps is None else bps,
            self.max_drift_atr if atr is None else atr,
        )


def check_source(source: str, paused: bool) -> None:
    """A paused source is heard and answered, but not judged."""
    if paused:
        raise Rejected("source_paused", f"Signals of {source} are paused.", source=source)


def check_age(ts_utc: datetime, received_at: datetime, limits: Limits) -> float:
    """Seconds from the source's own time to the receipt (negative: from the future). Waiting in here never makes a signal older.

    Raises Rejected `signal_too_old` or `signal_in_future`; exactly at the limit is still good.
    """
    age_s = (received_at - ts_utc).total_seconds()
    max_age_s, max_future_s = limits.max_age_s, limits.max_future_s
    if age_s > max_age_s:
        raise Rejected("signal_too_old", f"{age_s:.1f} s old, {max_age_s:g} s allowed.", age_s=age_s, max_age_s=max_age_s)
    if -age_s > max_future_s:
        told = f"{-age_s:.1f} s in the future, {max_future_s:g} s allowed."
        raise Rejected("signal_in_future", told, ahead_s=-age_s, max_future_s=max_future_s)
    return age_s


def check_drift(opens: bool, entry: Decimal, mid: Decimal, limits: Limits) -> Decimal:
    """How far the price stands above (+) or below (−) the entry, in bps of the entry.

    Raises Rejected `price_drift` beyond the limit in either direction, for opening signals only: an exit is never held back.
    """
    drift, max_drift_bps = drift_bps(mid, entry), limits.max_drift_bps
    if opens and abs(drift) > Decimal(str(max_drift_bps)):
        prices = {"entry_price": plain(entry), "mid": plain(mid)}
        told = f"The price moved {drift:+.1f} bps from the entry, {max_drift_bps:g} allowed."
        raise Rejected("price_drift", told, **prices, drift_bps=round(float(drift), 2), max_drift_bps=max_drift_bps)
    return drift


def check_drift_in_atr(opens: bool, drift: Decimal, drift_atr: float | None, limits: Limits) -> None:
    """The same by what the market usually moves in an hour. Says nothing when that is not known: a missing number judges nobody.

    Raises Rejected `price_drift`, for opening signals only.
    """
    most = limits.max_drift_atr
    if opens and most is not None and drift_atr is not None and abs(drift_atr) > most:
        told = f"The price moved {drift_atr:+.2f} ATR from the entry, {most:g} allowed."
        raise Rejected("price_drift", told, drift_bps=round(float(drift), 2), drift_atr=round(drift_atr, 2), max_drift_atr=most)
