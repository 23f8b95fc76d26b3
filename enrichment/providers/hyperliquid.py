"""Hyperliquid's public requests. Answers that serve many are shared, and what counts as a broken one is in `hyperliquid_wire`."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.clock import from_ms
from core.errors import Rejected, Transient
from enrichment.grid import Interval, window
from enrichment.ports import Book, Candles, PerpContext, PredictedFunding, Ticker
from enrichment.providers import hyperliquid_wire as wire
from enrichment.providers.answers import Answer, Parse, Query, V
from enrichment.providers.depth import LEVELS, RAW, Aggregation, wide_enough
from enrichment.providers.line import CALL_S, Cost, Line
from enrichment.sharing import Shared, landed

WAIT_S = CALL_S + 0.5
THREADS = 8
# How long an answer serves those who ask next, from the moment it was asked for.
TOUCH_SERVES_S = 1.0
BOOK_SERVES_S = 2.0
CONTEXTS_SERVE_S = 5.0
PREDICTIONS_SERVE_S = 30.0
UNIVERSE_SERVES_S = 300.0
UNIVERSE_REST_S = 5.0
CANDLES_SERVE_S = 2.0
# What the venue counts a request as; of candles, one more for every sixty.
COSTS = {
    "allMids": Cost(2, first=True),
    "meta": Cost(20, first=True),
    "l2Book": Cost(2),
    "metaAndAssetCtxs": Cost(20),
    "predictedFundings": Cost(20),
}
BARS_PER_WEIGHT = 60


class Hyperliquid:
    """The venue, or the simulator that speaks like it."""

    def __init__(self, name: str, base_url: str, per_minute: int | None = None) -> None:
        self.name = name
        self._line = Line(name, base_url, per_minute)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix=f"{name}-quotes")
        self._shared: Shared[tuple[Any, ...], Answer[Any]] = Shared(self._pool)

    def coin(self, symbol: str) -> str:
        """See MarketDataProvider. An unknown symbol has the list read again, at most every five seconds: it may be new."""
        found = _listed(self._universe(UNIVERSE_SERVES_S), symbol) or _listed(self._universe(UNIVERSE_REST_S), symbol)
        if found is None:
            raise Rejected("unknown_symbol", f"{symbol} is not traded on {self.name}.", symbol=symbol)
        return found

    def ticker(self, coin: str) -> Ticker:
        """See MarketDataProvider. Without a usable book, or budget for it, the venue's own mid, asked for once for all coins."""
        try:
            kept = self._levels(coin, RAW, TOUCH_SERVES_S)
            mid = _middle(kept.value, coin)
        except Transient as fault:
            if fault.code == "rate_limited" and fault.facts.get("why") != "budget":
                raise
            return self._mid_only(coin, fault)
        bid, ask = kept.value.bids[0].price, kept.value.asks[0].price
        return Ticker(coin, mid, bid, ask, kept.value.time, kept.seen)

    def candles(self, coin: str, interval: Interval, count: int, until: datetime) -> Candles:
        """See MarketDataProvider. The venue sends whatever overlaps the span, so the grid's beginning does not matter."""
        first, last = window(interval, until, count)
        span = {"startTime": first, "endTime": last}
        query = {"type": "candleSnapshot", "req": {"coin": coin, "interval": interval, **span}}
        cost = Cost(20 + -(-count // BARS_PER_WEIGHT))
        answer = self._line.ask(query, cost, CANDLES_SERVE_S, lambda body: wire.parse_candles(body, coin, interval, until))
        return Candles(coin, interval, *answer.value, answer.seen).last(count)

    def book(self, coin: str, reach_bps: int) -> Book:
        """See MarketDataProvider. The unaggregated book gives the mid, and serves itself where it reaches."""
        raw = self._levels(coin, RAW, BOOK_SERVES_S)
        mid = _middle(raw.value, coin)
        finest = _book(coin, mid, RAW, raw)
        if finest.reaches(reach_bps):
            return finest
        wide = wide_enough(mid, reach_bps)
        seen = self._levels(coin, wide, BOOK_SERVES_S)
        _middle(seen.value, coin)  # the same book has two sides from near and from afar
        return _book(coin, mid, wide, seen)

    def context(self, coin: str) -> PerpContext:
        """See MarketDataProvider."""
        return _context(self._contexts(CONTEXTS_SERVE_S), coin)

    def contexts(self) -> Sequence[PerpContext]:
        """See MarketDataProvider."""
        kept = self._contexts(CONTEXTS_SERVE_S)
        return [context for coin in kept.value if (context := _sound(kept, coin)) is not None]

    def predicted_funding(self, coin: str) -> PredictedFunding | None:
        """See MarketDataProvider."""
        kept = self._kept({"type": "predictedFundings"}, wire.parse_predictions, PREDICTIONS_SERVE_S)
        found = wire.parse_prediction(kept.value, coin)
        return None if found is None else PredictedFunding(coin, found.rate / found.hours, from_ms(found.pays_at), kept.seen)

    def close(self) -> None:
        """See MarketDataProvider."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._line.close()

    def _mid_only(self, coin: str, fault: Transient) -> Ticker:
        mids = self._kept({"type": "allMids"}, wire.parse_mids, TOUCH_SERVES_S)
        return Ticker(coin, wire.parse_price(mids.value, coin), None, None, None, mids.seen, fault)

    def _universe(self, serves_s: float) -> Mapping[str, str | None]:
        return self._kept({"type": "meta"}, wire.parse_universe, serves_s).value

    def _contexts(self, serves_s: float) -> Answer[Mapping[str, Any]]:
        return self._kept({"type": "metaAndAssetCtxs"}, wire.parse_contexts, serves_s)

    def _levels(self, coin: str, grain: Aggregation, serves_s: float) -> Answer[wire.Levels]:
        query = {"type": "l2Book", "coin": coin, **grain.asked}
        return self._kept(query, lambda body: wire.parse_book(body, coin), serves_s)

    def _kept(self, query: Query, parse: Parse[V], serves_s: float) -> Answer[V]:
        """The parsed answer, asked for at most `serves_s` ago."""

        def load() -> Answer[V]:
            return self._line.ask(query, COSTS[query["type"]], serves_s, parse)

        flight = self._shared.ask(tuple(query.items()), load, lambda kept: kept.younger_than(serves_s))
        return landed(flight, WAIT_S)


def _listed(universe: Mapping[str, str | None], symbol: str) -> str | None:
    return universe.get(symbol) or universe.get(symbol.lower())


def _middle(levels: wire.Levels, coin: str) -> Decimal:
    if not levels.bids or not levels.asks:
        raise Transient("book_empty", f"A side of the {coin} book is empty.", coin=coin)
    return (levels.bids[0].price + levels.asks[0].price) / 2


def _book(coin: str, mid: Decimal, grain: Aggregation, kept: Answer[wire.Levels]) -> Book:
    levels = kept.value
    return Book(
        coin=coin,
        mid=mid,
        bids=levels.bids,
        asks=levels.asks,
        figures=grain.figures,
        step=grain.step(mid),
        whole_bids=len(levels.bids) < LEVELS,
        whole_asks=len(levels.asks) < LEVELS,
        venue_time=levels.time,
        seen=kept.seen,
    )


def _context(kept: Answer[Mapping[str, Any]], coin: str) -> PerpContext:
    found = wire.parse_context(kept.value, coin)
    return PerpContext(coin=coin, seen=kept.seen, **found.model_dump())


def _sound(kept: Answer[Mapping[str, Any]], coin: str) -> PerpContext | None:
    try:
        return _context(kept, coin)
    except Transient:
        return None
