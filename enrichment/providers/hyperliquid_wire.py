"""Hyperliquid's answers made into values, or into the error they amount to. Pure but for the clock behind Retry-After dates."""

import json
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

import httpx2
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from core.clock import from_ms, now, to_ms
from core.errors import LensError, Permanent, Transient
from enrichment.ports import STEP, Candle, Interval

Price = Annotated[Decimal, Field(gt=0)]


class WireCandle(TypedDict):
    """A bar on the wire: `t` first and `T` last millisecond (inclusive), `s` coin, `i` interval; numbers are decimal text."""

    t: int
    T: int
    s: str
    i: str
    o: Price
    h: Price
    l: Price  # noqa: E741  the wire's name
    c: Price
    v: Annotated[Decimal, Field(ge=0)]


class WireCoin(BaseModel):
    """An element of the universe."""

    name: str
    delisted: bool = Field(False, alias="isDelisted")


class WireMeta(BaseModel):
    """What is listed."""

    universe: Annotated[list[WireCoin], Field(min_length=1)]


_CANDLES = TypeAdapter(list[WireCandle])


def parse_universe(body: bytes) -> dict[str, Any]:
    """Coin by name and by lower-case name; a delisted one maps to None. Raises Transient `bad_reply`."""
    try:
        listed = WireMeta.model_validate_json(body).universe
    except ValidationError as error:
        raise _broken("meta", str(error.error_count())) from error
    names = {coin.name: None if coin.delisted else coin.name for coin in listed}
    return {**{name.lower(): spelling for name, spelling in names.items()}, **names}


def parse_mids(body: bytes) -> dict[str, Any]:
    """Coin → price as written, looked at only when asked for. Raises Transient `bad_reply`."""
    try:
        mids = json.loads(body)
    except ValueError as error:
        raise _broken("allMids", "not JSON") from error
    if not isinstance(mids, dict):
        raise _broken("allMids", "not an object")
    return mids


def parse_candles(body: bytes, coin: str, interval: Interval, end_ms: int) -> tuple[Candle, ...]:
    """The bars that close at or before `end_ms`. Raises Transient `bad_reply` if any bar is not of this coin, interval and grid."""
    try:
        rows = _CANDLES.validate_json(body)
    except ValidationError as error:
        raise _broken("candleSnapshot", f"{error.error_count()} faults") from error
    step_ms = to_ms(from_ms(0) + STEP[interval])
    bars: list[Candle] = []
    before = -1
    for row in rows:
        start, close = row["t"], row["T"] + 1
        if row["s"] != coin or row["i"] != interval:
            raise _broken("candleSnapshot", "bars of another coin or interval")
        if start <= before or start % step_ms or close - start != step_ms:
            raise _broken("candleSnapshot", "bars out of order or off the grid")
        before = start
        if close <= end_ms:
            bars.append(Candle(from_ms(start), from_ms(close), row["o"], row["h"], row["l"], row["c"], row["v"]))
    return tuple(bars)


def parse_price(text: object, coin: str) -> Decimal:
    """A positive price from decimal text. Raises Transient `bad_reply`, for a missing one too."""
    try:
        price = Decimal(text) if isinstance(text, str) else Decimal("NaN")
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price <= 0:
        raise _broken("allMids", f"no price for {coin}")
    return price


def refusal(name: str, response: httpx2.Response) -> LensError:
    """What an answer other than 200 means."""
    status = response.status_code
    if status == httpx2.codes.TOO_MANY_REQUESTS:
        return Transient("rate_limited", f"{name} asks for patience.", retry_after=_wish(response.headers.get("retry-after", "")))
    if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return Transient("provider_down", f"{name} answered {status}.", status=status)
    if status >= httpx2.codes.BAD_REQUEST:
        return Permanent("provider_refused", f"{name} answered {status}.", status=status)
    return Transient("bad_reply", f"{name} answered {status}.", status=status)


def _broken(endpoint: str, what: str) -> Transient:
    return Transient("bad_reply", f"The {endpoint} answer cannot be used: {what}.", endpoint=endpoint)


def _wish(text: str) -> float | None:
    """Retry-After, seconds or an HTTP date, as seconds from now."""
    if text.isdecimal():
        return float(text)
    try:
        return max((parsedate_to_datetime(text) - now()).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None
