"""Hyperliquid's answers made into values, or into the error they amount to. Pure.

Shapes have grown over the years: keys that came later are optional here, keys nobody reads are ignored.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import chain, pairwise
from operator import itemgetter
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from core.clock import from_ms, to_ms
from core.errors import Transient
from enrichment.grid import Interval, closings, slots
from enrichment.ports import Level, Texts

Millis = Annotated[int, Field(ge=0, lt=2**47)]
# No market has larger numbers than that, and nothing that is made of smaller ones overflows.
LARGEST = 10**24
Rate = Annotated[Decimal, Field(gt=-LARGEST, lt=LARGEST)]
Amount = Annotated[Decimal, Field(ge=0, lt=LARGEST)]
Price = Annotated[Decimal, Field(gt=0, lt=LARGEST)]
T = TypeVar("T")


class WireCandle(TypedDict):
    """A bar on the wire: `t` first and `T` last millisecond (inclusive), `s` coin, `i` interval; numbers are decimal text."""

    t: Millis
    T: Millis
    s: str
    i: str
    o: str
    h: str
    l: str  # noqa: E741  the wire's name
    c: str
    v: str


class WireLevel(TypedDict):
    """A price and the size there, in coins; where nothing rests there is no level."""

    px: Price
    sz: Price


class WireBook(BaseModel):
    """Both sides of a book, bids first, best first; `time` in milliseconds."""

    coin: str
    time: Millis
    levels: tuple[list[WireLevel], list[WireLevel]]


class WireCoin(BaseModel):
    """An element of the universe."""

    name: str
    delisted: bool = Field(False, alias="isDelisted")


class WireMeta(BaseModel):
    """What is listed."""

    universe: Annotated[list[WireCoin], Field(min_length=1)]


class WireContext(BaseModel):
    """What is published of one coin; a delisted one has nulls, an answer of 2023 fewer keys."""

    funding: Rate | None = None
    premium: Rate | None = None
    open_interest: Amount | None = Field(None, alias="openInterest")
    mark: Price | None = Field(None, alias="markPx")
    oracle: Price | None = Field(None, alias="oraclePx")
    volume_24h: Amount | None = Field(None, alias="dayNtlVlm")
    previous_day: Price | None = Field(None, alias="prevDayPx")


class WirePrediction(BaseModel):
    """One venue's next funding; without an interval it is hourly."""

    rate: Rate = Field(alias="fundingRate")
    pays_at: Millis = Field(alias="nextFundingTime")
    hours: Annotated[int, Field(ge=1, le=24)] = Field(1, alias="fundingIntervalHours")


class Levels(NamedTuple):
    """A book as it was sent. Never crossed."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    time: datetime


def _one_each(both: tuple[WireMeta, list[Any]]) -> tuple[WireMeta, list[Any]]:
    if len(both[0].universe) != len(both[1]):
        raise ValueError("coins and contexts do not pair up")
    return both


class Chart(NamedTuple):
    """Bars as they were sent; see `ports.Candles`."""

    starts: Sequence[int]
    texts: Sequence[Texts]
    numbers: Sequence[float]


_BAR: Callable[[WireCandle], Texts] = itemgetter("o", "h", "l", "c", "v")
_CANDLES = TypeAdapter(list[WireCandle])
_BOOK = TypeAdapter(WireBook)
_META = TypeAdapter(WireMeta)
_MIDS = TypeAdapter(dict[str, Any])
_CONTEXTS = TypeAdapter(Annotated[tuple[WireMeta, list[Any]], AfterValidator(_one_each)])
_CONTEXT = TypeAdapter(WireContext)
_PREDICTIONS = TypeAdapter(list[tuple[str, list[tuple[str, Any]]]])
_PREDICTION = TypeAdapter(WirePrediction | None)


def parse_universe(body: bytes) -> Mapping[str, str | None]:
    """Coin by name and by lower-case name; a delisted one maps to None. Raises Transient `bad_reply`."""
    names = {coin.name: None if coin.delisted else coin.name for coin in _whole("meta", _META, body).universe}
    return {**{name.lower(): spelling for name, spelling in names.items()}, **names}


def parse_mids(body: bytes) -> Mapping[str, Any]:
    """Coin → price as written, looked at only when asked for. Raises Transient `bad_reply`."""
    return _whole("allMids", _MIDS, body)


def parse_candles(body: bytes, coin: str, interval: Interval, until: datetime) -> Chart:
    """The bars that close at or before `until`. Raises Transient `bad_reply` if any bar is not of this coin, interval and grid."""
    rows = _whole("candleSnapshot", _CANDLES, body)
    if {(row["s"], row["i"]) for row in rows} - {(coin, interval)}:
        raise broken("candleSnapshot", "bars of another coin or interval")
    starts = [row["t"] for row in rows]
    closing = closings(interval, starts)
    if slots(interval, starts) is None or closing != [row["T"] + 1 for row in rows]:
        raise broken("candleSnapshot", "bars out of order or off the grid")
    texts = list(map(_BAR, rows))
    closed = bisect_right(closing, to_ms(until))
    return Chart(starts[:closed], texts[:closed], _numbers(texts)[: 5 * closed])


def _numbers(texts: Sequence[Texts]) -> Sequence[float]:
    """Raises Transient `bad_reply` for text that is no number or no price. The sum is a number only if each of its parts is."""
    try:
        numbers = array("d", map(float, chain.from_iterable(texts)))
    except ValueError as error:
        raise broken("candleSnapshot", "text in place of a number") from error
    prices = (numbers[place::5] for place in range(4))
    if texts and not (sum(numbers) < LARGEST and min(numbers) >= 0 and all(min(column) > 0 for column in prices)):
        raise broken("candleSnapshot", "a number that is no price or volume")
    return numbers


def parse_book(body: bytes, coin: str) -> Levels:
    """A book of this coin. Raises Transient `bad_reply`, or `book_crossed` when its best bid is not below its best ask."""
    book = _whole("l2Book", _BOOK, body)
    if book.coin != coin:
        raise broken("l2Book", "a book of another coin")
    bids, asks = (tuple(Level(row["px"], row["sz"]) for row in side) for side in book.levels)
    if bids and asks and bids[0].price >= asks[0].price:
        raise Transient("book_crossed", f"The best bid of {coin} is not below its best ask.", coin=coin)
    if any(near.price <= far.price for near, far in pairwise(bids)) or any(near.price >= far.price for near, far in pairwise(asks)):
        raise broken("l2Book", "levels out of order")
    return Levels(bids, asks, from_ms(book.time))


def parse_contexts(body: bytes) -> Mapping[str, Any]:
    """Listed coin → its context as sent, looked at only when asked for. Raises Transient `bad_reply`."""
    meta, contexts = _whole("metaAndAssetCtxs", _CONTEXTS, body)
    return {coin.name: context for coin, context in zip(meta.universe, contexts, strict=True) if not coin.delisted}


def parse_context(contexts: Mapping[str, Any], coin: str) -> WireContext:
    """One coin's context. Raises Transient `bad_reply` when it is not there or one of its values is not possible."""
    if coin not in contexts:
        raise broken("metaAndAssetCtxs", f"no context for {coin}")
    try:
        return _CONTEXT.validate_python(contexts[coin])
    except ValidationError as error:
        raise broken("metaAndAssetCtxs", f"{coin}: {_first(error)}") from error


def parse_predictions(body: bytes) -> Mapping[str, Any]:
    """Coin → what this venue (not the others it reports) predicts, looked at when asked for. Raises Transient `bad_reply`."""
    return {coin: dict(venues).get("HlPerp") for coin, venues in _whole("predictedFundings", _PREDICTIONS, body)}


def parse_prediction(predictions: Mapping[str, Any], coin: str) -> WirePrediction | None:
    """One coin's prediction, None when there is none. Raises Transient `bad_reply`."""
    try:
        return _PREDICTION.validate_python(predictions.get(coin))
    except ValidationError as error:
        raise broken("predictedFundings", f"{coin}: {_first(error)}") from error


def parse_price(mids: Mapping[str, Any], coin: str) -> Decimal:
    """A coin's positive price from decimal text. Raises Transient `bad_reply`, for a missing one too."""
    text = mids.get(coin)
    try:
        price = Decimal(text) if isinstance(text, str) else Decimal("NaN")
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or not 0 < price < LARGEST:
        raise broken("allMids", f"no price for {coin}")
    return price


def broken(endpoint: str, what: str) -> Transient:
    """An answer that cannot be trusted."""
    return Transient("bad_reply", f"The {endpoint} answer cannot be used: {what}.", endpoint=endpoint)


def _whole(endpoint: str, shape: TypeAdapter[T], body: bytes) -> T:
    try:
        return shape.validate_json(body)
    except ValidationError as error:
        raise broken(endpoint, f"{error.error_count()} faults, first {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """Where and what, without the venue's own text."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return f"{fault['type']} at {'.'.join(str(part) for part in fault['loc']) or 'the top'}"
