"""Strict JSON: everything the standard parser lets through and the database would choke on."""

from decimal import Decimal

import pytest

from core.parsing import strict_loads


def test_numbers_are_decimals_from_the_first_byte() -> None:
    assert strict_loads(b'{"a": 0.1, "b": 12, "c": 1e3}') == {"a": Decimal("0.1"), "b": Decimal(12), "c": Decimal(1000)}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"a": "\\u0000"}', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'{"a": ["\\ud800"]}', "surrogate"),
        (b"[" * 17 + b"]" * 17, "nested"),
        (b"[" * 20_000, "nested"),
        (b'{"a": ' + b"1" * 65 + b"}", "characters"),
        (b"{", "Expecting"),
        (b"\xff", "utf-8"),
        (b"", "Expecting"),
    ],
)
def test_hostile_text_is_refused_with_the_reason(body: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        strict_loads(body)


def test_a_huge_exponent_stays_an_exact_number() -> None:
    assert strict_loads(b"1e999") == Decimal("1e999")
