"""Which signals go further: limits themselves still pass, and the refusal carries the numbers."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.errors import Rejected
from enrichment.validation import check_age, check_drift, check_source

RECEIVED = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


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
        assert check_age(sent, RECEIVED, 300, 2) == pytest.approx(age_s)
        return
    with pytest.raises(Rejected) as refused:
        check_age(sent, RECEIVED, 300, 2)
    assert refused.value.code == code
    facts = {"age_s": age_s, "max_age_s": 300} if age_s > 0 else {"ahead_s": -age_s, "max_future_s": 2}
    assert refused.value.facts == pytest.approx(facts)


@pytest.mark.parametrize(
    ("mid", "drift_bps"), [("100", "0"), ("102", "200"), ("98", "-200"), ("102.01", "201"), ("97.99", "-201"), ("0.01", "-9999")]
)
def test_drift_is_signed_and_refused_beyond_the_limit_for_opens_only(mid: str, drift_bps: str) -> None:
    entry, price, expected = Decimal(100), Decimal(mid), Decimal(drift_bps)
    assert check_drift(False, entry, price, 200) == expected
    if abs(expected) <= 200:
        assert check_drift(True, entry, price, 200) == expected
        return
    with pytest.raises(Rejected) as refused:
        check_drift(True, entry, price, 200)
    assert refused.value.code == "price_drift"
    assert refused.value.facts == {"entry_price": "100", "mid": mid, "drift_bps": float(drift_bps), "max_drift_bps": 200}


def test_a_paused_source_is_refused() -> None:
    check_source("desk_7", paused=False)
    with pytest.raises(Rejected, match="source_paused"):
        check_source("desk_7", paused=True)
