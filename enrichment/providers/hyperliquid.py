"""Hyperliquid's public `POST /info`. The requests and what counts as a broken answer; nothing is retried here.

| answer                          | becomes                                |
|---------------------------------|----------------------------------------|
| 429                             | Transient rate_limited, Retry-After    |
| 5xx, connection refused or cut  | Transient provider_down                |
| no whole answer within 4 s      | Transient timeout                      |
| 3xx, not JSON, wrong or unsound | Transient bad_reply                    |
| other 4xx                       | Permanent provider_refused             |
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2

from core import telemetry
from core.clock import from_ms, now, to_ms
from core.errors import Rejected, Transient
from core.http import bounded_client, deadline
from enrichment.ports import STEP, Candles, Interval, Ticker
from enrichment.providers.hyperliquid_wire import parse_candles, parse_mids, parse_price, parse_universe, refusal
from enrichment.sharing import Shared, landed

CALL_S = 4.0
WAIT_S = CALL_S + 0.5
MIDS_SERVE_S = 0.25
UNIVERSE_SERVES_S = 300.0
UNIVERSE_REST_S = 5.0

Query = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A parsed answer, and when it was asked for by both clocks."""

    values: dict[str, Any]
    as_of: datetime
    asked: float

    def younger_than(self, seconds: float) -> bool:
        return time.monotonic() - self.asked <= seconds


class Hyperliquid:
    """The venue, or the simulator that speaks like it. `allMids` and `meta` answer for every coin, so their answers are shared."""

    def __init__(self, name: str, base_url: str) -> None:
        self.name = name
        self._url = f"{base_url.rstrip('/')}/info"
        self._client = bounded_client(timeout=CALL_S)
        # Two threads for the two shared questions: a price never waits behind candles.
        self._pool = ThreadPoolExecutor(2, thread_name_prefix=f"{name}-quotes")
        self._shared: Shared[str, _Kept] = Shared(self._pool)

    def coin(self, symbol: str) -> str:
        """See MarketDataProvider. An unknown symbol has the list read again, at most every five seconds: it may be new."""
        found = _listed(self._kept("meta", parse_universe, UNIVERSE_SERVES_S), symbol)
        found = found or _listed(self._kept("meta", parse_universe, UNIVERSE_REST_S), symbol)
        if found is None:
            raise Rejected("unknown_symbol", f"{symbol} is not traded on {self.name}.", symbol=symbol)
        return found

    def mid(self, coin: str) -> Ticker:
        """See MarketDataProvider."""
        mids = self._kept("allMids", parse_mids, MIDS_SERVE_S)
        return Ticker(coin, parse_price(mids.values.get(coin), coin), mids.as_of)

    def candles(self, coin: str, interval: Interval, count: int, until: datetime) -> Candles:
        """See MarketDataProvider."""
        step_ms = to_ms(from_ms(0) + STEP[interval])
        end_ms = to_ms(until) // step_ms * step_ms
        span = {"startTime": end_ms - count * step_ms, "endTime": end_ms - 1}
        body = self._ask({"type": "candleSnapshot", "req": {"coin": coin, "interval": interval, **span}})
        return Candles(coin, interval, parse_candles(body, coin, interval, end_ms)[-count:])

    def close(self) -> None:
        """See MarketDataProvider."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def _kept(self, endpoint: str, parse: Callable[[bytes], dict[str, Any]], serves_s: float) -> _Kept:
        def load() -> _Kept:
            as_of, asked = now(), time.monotonic()
            return _Kept(parse(self._ask({"type": endpoint})), as_of, asked)

        return landed(self._shared.ask(endpoint, load, lambda kept: kept.younger_than(serves_s)), WAIT_S)

    def _ask(self, query: Query) -> bytes:
        """The body of a 200 answer."""
        started = time.perf_counter()
        outcome = "unreachable"
        try:
            with deadline(CALL_S):
                response = self._client.post(self._url, json=query)
            outcome = str(response.status_code)
        except httpx2.TimeoutException as error:
            outcome = "timeout"
            raise Transient("timeout", f"{self.name} gave no whole answer within {CALL_S:g} s.") from error
        except httpx2.RequestError as error:
            raise Transient("provider_down", f"{self.name} could not be reached.", cause=type(error).__name__) from error
        finally:
            labels = {"provider": self.name, "endpoint": query["type"]}
            telemetry.provider_requests.labels(**labels, status=outcome).inc()
            telemetry.provider_latency.labels(**labels).observe(time.perf_counter() - started)
        if response.status_code != httpx2.codes.OK:
            raise refusal(self.name, response)
        return response.content


def _listed(universe: _Kept, symbol: str) -> str | None:
    names: dict[str, str | None] = universe.values
    return names.get(symbol) or names.get(symbol.lower())
