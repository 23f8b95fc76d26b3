"""Prices and sizes: Decimal from the first byte, decimal strings out."""

from decimal import Decimal

BPS = Decimal(10_000)


def plain(value: Decimal) -> str:
    """The shortest plain decimal text: `100`, `0.00000001`, never an exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_or_none(value: Decimal | None) -> str | None:
    """The same, where the amount may be missing."""
    return None if value is None else plain(value)


def drift_bps(price: Decimal, reference: Decimal) -> Decimal:
    """How far `price` lies above (+) or below (−) `reference`, in hundredths of a percent of the reference."""
    return (price - reference) / reference * BPS


def significant(value: float | Decimal, figures: int = 5) -> str:
    """Plain decimal text rounded to so many significant figures, for payloads models read."""
    number = Decimal(value)
    if number == 0:
        return "0"
    exponent = number.adjusted() - figures + 1
    return plain(number.quantize(Decimal(1).scaleb(exponent)))
