"""Money, time and canonical JSON: exact or refused."""

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.canonical import canonical, digest
from core.clock import from_ms, iso, parse_zoned, to_ms
from core.ids import uuid7
from core.money import drift_bps, plain, significant

AMOUNTS = st.decimals(min_value=Decimal("1e-8"), max_value=Decimal("1e12"), places=8)


@pytest.mark.parametrize(
    ("value", "text"),
    [("100", "100"), ("1E+3", "1000"), ("0.50", "0.5"), ("1E-8", "0.00000001"), ("0.0", "0"), ("12.3400", "12.34")],
)
def test_amounts_are_plain_text(value: str, text: str) -> None:
    assert plain(Decimal(value)) == text


@given(AMOUNTS)
def test_plain_text_is_the_same_amount(amount: Decimal) -> None:
    assert Decimal(plain(amount)) == amount
    assert "E" not in plain(amount)


@pytest.mark.parametrize(
    ("value", "text"),
    [("123456.789", "123460"), ("0.000012345678", "0.000012346"), ("99999.9", "100000"), ("-4.5", "-4.5"), ("0", "0")],
)
def test_significant_figures(value: str, text: str) -> None:
    assert significant(Decimal(value)) == text


def test_drift_is_signed_and_measured_from_the_reference() -> None:
    assert drift_bps(Decimal(102), Decimal(100)) == Decimal(200)
    assert drift_bps(Decimal(99), Decimal(100)) == Decimal(-100)


@pytest.mark.parametrize(
    "text", ["2026-01-05", "2026-01-05T09:00:00", "1767603600", "", "noon", "2026-13-01T00:00:00Z", "9999-12-31T23:59:59-23:00"]
)
def test_times_without_a_zone_or_sense_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_zoned(text)


def test_times_are_turned_to_utc() -> None:
    expected = datetime(2026, 1, 5, 9, tzinfo=UTC)
    assert parse_zoned("2026-01-05T10:00:00+01:00") == expected == parse_zoned("2026-01-05T09:00:00Z")
    assert iso(expected.astimezone(timezone(timedelta(hours=5)))) == "2026-01-05T09:00:00.000Z"


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_milliseconds_survive_the_round_trip(value: int) -> None:
    assert to_ms(from_ms(value)) == value


def test_canonical_json_is_one_form_for_one_value() -> None:
    value = {"b": Decimal("1.50"), "a": [None, True, "é"], "at": datetime(2026, 1, 5, tzinfo=UTC), "id": UUID(int=1)}
    shuffled = dict(reversed(list(value.items())))
    assert canonical(value) == canonical(shuffled)
    assert canonical(value).startswith('{"a":[null,true,"é"],"at":"2026-01-05T00:00:00.000Z","b":"1.5"')
    assert len(digest(canonical(value))) == 64


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_canonical_json_refuses_what_json_has_not(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"x": value})


def test_identifiers_are_ordered_by_time() -> None:
    made = [uuid7() for _ in range(50)]
    assert made == sorted(made)
    assert {one.version for one in made} == {7}
