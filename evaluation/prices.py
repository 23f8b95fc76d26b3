"""What answers cost, in US dollars. Pure; an unknown price or count gives None, never zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Decimal
from typing import Final

from core.canonical import canonical
from evaluation.ports import LONGEST_ECHO, Prompt

MILLION = Decimal(1_000_000)
PLACES = Decimal("0.00000001")
# What one call can be booked with. A count that comes to more is not believed.
LARGEST = Decimal(1_000_000)
# What a vendor's framing of a conversation may add to its bytes; a fault named in a re-ask is shorter than that too.
FRAMING_TOKENS: Final = 1_000


@dataclass(frozen=True)
class Rates:
    """Dollars per million tokens."""

    input_usd: Decimal
    output_usd: Decimal
    cached_usd: Decimal


FREE = Rates(Decimal(0), Decimal(0), Decimal(0))


@dataclass(frozen=True)
class Usage:
    """The tokens of one call as the vendor counts them; `cached` is the part of `read` that came from its cache."""

    read: int | None
    written: int | None
    cached: int | None = None


def cost(rates: Rates | None, usage: Usage) -> Decimal | None:
    """What one call cost, rounded up; None when the price or the count is not known. A free judge needs no count."""
    if rates == FREE:
        return Decimal(0)
    if rates is None or usage.read is None or usage.written is None:
        return None
    cached = min(usage.cached or 0, usage.read)
    dollars = (usage.read - cached) * rates.input_usd + cached * rates.cached_usd + usage.written * rates.output_usd
    booked = _rounded(dollars / MILLION)
    return booked if booked < LARGEST else None


def worst_case(rates: Rates, prompt: Prompt, max_tokens: int) -> tuple[Decimal, Decimal]:
    """The most that the first call and the one re-ask can cost: a token is at least one byte of what is sent."""
    turns = sum(len(turn.text.encode()) for turn in prompt.turns)
    sent = len(prompt.system.encode()) + turns + len(canonical(prompt.schema).encode()) + FRAMING_TOKENS
    again = sent + 4 * LONGEST_ECHO + FRAMING_TOKENS
    return _dollars(rates, sent, max_tokens), _dollars(rates, again, max_tokens)


def total(costs: Sequence[Decimal | None]) -> Decimal | None:
    """The sum; None when one of them is not known."""
    known = [one for one in costs if one is not None]
    return sum(known, Decimal(0)) if len(known) == len(costs) else None


def _dollars(rates: Rates, read: int, written: int) -> Decimal:
    return _rounded((read * max(rates.input_usd, rates.cached_usd) + written * rates.output_usd) / MILLION)


def _rounded(dollars: Decimal) -> Decimal:
    return dollars.quantize(PLACES, rounding=ROUND_UP)
