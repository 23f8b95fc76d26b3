"""May this signal go further? Each rule raises Rejected with the numbers it was judged by. Pure."""

from datetime import datetime
from decimal import Decimal

from core.errors import Rejected
from core.money import drift_bps, plain


def check_source(source: str, paused: bool) -> None:
    """A paused source is heard and answered, but not judged."""
    if paused:
        raise Rejected("source_paused", f"Signals of {source} are paused.", source=source)


def check_age(ts_utc: datetime, received_at: datetime, max_age_s: float, max_future_s: float) -> float:
    """Seconds from the source's own time to the receipt (negative: from the future). Waiting in here never makes a signal older.

    Raises Rejected `signal_too_old` or `signal_in_future`; exactly at the limit is still good.
    """
    age_s = (received_at - ts_utc).total_seconds()
    if age_s > max_age_s:
        raise Rejected("signal_too_old", f"{age_s:.1f} s old, {max_age_s:g} s allowed.", age_s=age_s, max_age_s=max_age_s)
    if -age_s > max_future_s:
        told = f"{-age_s:.1f} s in the future, {max_future_s:g} s allowed."
        raise Rejected("signal_in_future", told, ahead_s=-age_s, max_future_s=max_future_s)
    return age_s


def check_drift(opens: bool, entry: Decimal, mid: Decimal, max_drift_bps: float) -> Decimal:
    """How far the price stands above (+) or below (−) the entry, in bps of the entry.

    Raises Rejected `price_drift` beyond the limit in either direction, for opening signals only: an exit is never held back.
    """
    drift = drift_bps(mid, entry)
    if opens and abs(drift) > Decimal(str(max_drift_bps)):
        prices = {"entry_price": plain(entry), "mid": plain(mid)}
        told = f"The price moved {drift:+.1f} bps from the entry, {max_drift_bps:g} allowed."
        raise Rejected("price_drift", told, **prices, drift_bps=round(float(drift), 2), max_drift_bps=max_drift_bps)
    return drift
