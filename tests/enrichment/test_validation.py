"""Which signals go further: limits themselves still pass, and the refusal carries the numbers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.errors import Rejected
from enrichment.validation import Limits, check_age, check_drift, check_drift_in_atr, check_source

RECEIVED = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LIMITS = Limits(max_age_s=300, max_future_s=2, max_drift_bps=200)


@pytest.mark.parametrize(
    ("age_s", "code"),
    [
        (0, None),
        (300, None),
        (300.001, "signal_too_old"),
        (86_400 * 365, "signal_too_old"),
        (-2, None),
        (-2.001, "signal_in_future"),
        (-86_400 * 26_000, "signal_in_future"),
    ],
)
def test_age_is_judged_from_receipt(age_s: float, code: str | None) -> None:
    sent = RECEIVED - timedelta(seconds=age_s)
    if code is None:
        assert check_age(sent, RECEIVED, LIMITS) == pytest.approx(age_s)
        return
    with pytest.raises(Rejected) as refused:
        check_age(sent, RECEIVED, LIMITS)
    assert refused.value.code == code
    facts = {"age_s": age_s, "max_age_s": 300} if age_s > 0 else {"ahead_s": -age_s, "max_future_s": 2}
    assert refused.value.facts == pytest.approx(facts)


@pytest.mark.parametrize(
    ("mid", "drift_bps"), [("100", "0"), ("102", "200"), ("98", "-200"), ("102.01", "201"), ("97.99", "-201"), ("0.01", "-9999")]
)
def test_drift_is_signed_and_refused_beyond_the_limit_for_opens_only(mid: str, drift_bps: str) -> None:
    entry, price, expected = Decimal(100), Decimal(mid), Decimal(drift_bps)
    assert check_drift(False, entry, price, LIMITS) == expected
    if abs(expected) <= 200:
        assert check_drift(True, entry, price, LIMITS) == expected
        return
    with pytest.raises(Rejected) as refused:
        check_drift(True, entry, price, LIMITS)
    assert refused.value.code == "price_drift"
    assert refused.value.facts == {"entry_price": "100", "mid": mid, "drift_bps": float(drift_bps), "max_drift_bps": 200}


def test_a_paused_source_is_refused() -> None:
    check_source("desk_7", paused=False)
    with pytest.raises(Rejected, match="source_paused"):
        check_source("desk_7", paused=True)


@pytest.mark.parametrize(
    ("opens", "drift_atr", "limit", "refused"),
    [
        (True, 1.5, 1.5, False),
        (True, 1.51, 1.5, True),
        (True, -1.51, 1.5, True),
        (True, 9.0, None, False),
        (True, None, 1.5, False),
        (False, 9.0, 1.5, False),
    ],
)
def test_drift_in_ranges_is_judged_where_a_source_sets_it(
    opens: bool, drift_atr: float | None, limit: float | None, refused: bool
) -> None:
    limits = Limits(300, 2, 200, limit)
    if not refused:
        check_drift_in_atr(opens, Decimal(50), drift_atr, limits)
        return
    with pytest.raises(Rejected) as rejected:
        check_drift_in_atr(opens, Decimal(50), drift_atr, limits)
    assert rejected.value.code == "price_drift"
    assert rejected.value.facts == {"drift_bps": 50.0, "drift_atr": drift_atr, "max_drift_atr": limit}


def test_a_source_keeps_the_usual_limits_it_does_not_replace() -> None:
    assert LIMITS.narrowed([None] * 4) == LIMITS
    assert LIMITS.narrowed([0, None, 50, 2]) == Limits(0, 2, 50, 2)
