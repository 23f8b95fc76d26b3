"""What stands behind `POST /info`: the simulated market, or a replay in its place."""

import json
from functools import singledispatchmethod
from typing import Any, Protocol

from sandbox.exchange import months, wire
from sandbox.exchange.book import Side, Touch, level_rows, mid_text, step_units, touch
from sandbox.exchange.candles import window
from sandbox.exchange.coins import Coin, universe
from sandbox.exchange.contexts import context, delisted_context, funding_history, meta, predicted_fundings
from sandbox.exchange.prices import Shift, Shifts, price_at
from sandbox.exchange.trades import recent_trades
from sandbox.exchange.wire import Answer


class Venue(Protocol):
    """Answers a request at an instant of venue time."""

    def answer(self, query: wire.Query, now_ms: int) -> Answer:
        """The venue's reply in health."""
        ...

    def facts(self) -> list[dict[str, Any]]:
        """What the answers rest on, one row per kind of answer."""
        ...


def reply(payload: Any) -> Answer:
    """A JSON answer in the venue's compact writing."""
    return Answer(200, json.dumps(payload, separators=(",", ":")).encode())


class SimulatedVenue:
    """The market made of noise, and the shifts a test has laid over it."""

    def __init__(self, seed: int = 1) -> None:
        self.coins = universe(seed)
        self.shifts: dict[str, Shifts] = {}
        self._contexts: tuple[int, Answer] = (-1, wire.UNKNOWN_COIN)

    def shift(self, coin: str, factor: float, at_ms: int) -> None:
        """Multiply a coin's price by `factor` from `at_ms` on. Raises KeyError for an unknown coin."""
        name = self.coins[coin].name
        self.shifts[name] = (*self.shifts.get(name, ()), Shift(at_ms, factor))
        self._contexts = (-1, wire.UNKNOWN_COIN)

    def unshift(self) -> None:
        """Forget every shift, past prices included."""
        self.shifts = {}
        self._contexts = (-1, wire.UNKNOWN_COIN)

    def facts(self) -> list[dict[str, Any]]:
        """Everything here is simulated."""
        return [{"type": "*", "coin": "*", "how": "simulated", "note": "a pure function of coin, seed and time"}]

    @singledispatchmethod
    def answer(self, query: wire.Query, now_ms: int) -> Answer:
        """The reply to one request."""
        raise TypeError(f"no answer for {type(query).__name__} at {now_ms}")

    @answer.register
    def _all_mids(self, _: wire.AllMids, now_ms: int) -> Answer:
        return reply({coin.name: mid_text(coin, self._touch(coin, now_ms)) for coin in self._alive()})

    @answer.register
    def _meta(self, _: wire.Meta, now_ms: int) -> Answer:
        return reply(meta(self.coins.values()))

    @answer.register
    def _meta_and_contexts(self, _: wire.MetaAndAssetCtxs, now_ms: int) -> Answer:
        if self._contexts[0] != now_ms:
            self._contexts = (
                now_ms,
                reply([meta(self.coins.values()), [self._context(coin, now_ms) for coin in self.coins.values()]]),
            )
        return self._contexts[1]

    @answer.register
    def _book(self, query: wire.L2Book, now_ms: int) -> Answer:
        coin = self.coins.get(query.coin)
        if coin is None:
            return wire.NO_BOOK
        levels: list[list[dict[str, Any]]] = [[], []]
        if coin.delisted_ms is None:
            best = self._touch(coin, now_ms)
            step = step_units(coin, best, query.nSigFigs, query.mantissa)
            levels = [level_rows(coin, Side(coin, best, sign, now_ms).levels(step)) for sign in (-1, 1)]
        return reply({"coin": coin.name, "time": now_ms, "levels": levels})

    @answer.register
    def _candles(self, query: wire.CandleSnapshot, now_ms: int) -> Answer:
        coin = self.coins.get(query.req.coin)
        if coin is None:
            return wire.UNKNOWN_COIN
        end_ms = now_ms if query.req.endTime is None else query.req.endTime
        span, shifts = (query.req.startTime, end_ms), self._shifts(coin)
        monthly = query.req.interval == months.INTERVAL
        rows = months.window(coin, span, now_ms, shifts) if monthly else window(coin, query.req.interval, span, now_ms, shifts)
        return Answer(200, b"[" + b",".join(rows) + b"]")

    @answer.register
    def _funding(self, query: wire.FundingHistory, now_ms: int) -> Answer:
        coin = self.coins.get(query.coin)
        if coin is None:
            return wire.UNKNOWN_COIN
        last = min(now_ms, now_ms if query.endTime is None else query.endTime, coin.delisted_ms or now_ms)
        return reply(funding_history(coin, (query.startTime, last)))

    @answer.register
    def _predicted(self, _: wire.PredictedFundings, now_ms: int) -> Answer:
        return reply(predicted_fundings(self.coins.values(), now_ms))

    @answer.register
    def _trades(self, query: wire.RecentTrades, now_ms: int) -> Answer:
        coin = self.coins.get(query.coin)
        if coin is None:
            return wire.UNKNOWN_COIN
        return reply(recent_trades(coin, now_ms, self._shifts(coin)) if coin.delisted_ms is None else [])

    def _alive(self) -> list[Coin]:
        return [coin for coin in self.coins.values() if coin.delisted_ms is None]

    def _shifts(self, coin: Coin) -> Shifts:
        return self.shifts.get(coin.name, ())

    def _touch(self, coin: Coin, now_ms: int) -> Touch:
        return touch(coin, price_at(coin, now_ms, self._shifts(coin)), now_ms)

    def _context(self, coin: Coin, now_ms: int) -> dict[str, Any]:
        if coin.delisted_ms is not None:
            return delisted_context(coin, price_at(coin, coin.delisted_ms))
        return context(coin, self._touch(coin, now_ms), now_ms, self._shifts(coin))
