"""`/_control`: how a test moves the market, stops the clock, slows the venue, spoils its data, and asks what was requested."""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.exchange.clock import ClockSetting, VenueClock
from sandbox.exchange.damage import DataRule
from sandbox.exchange.venue import SimulatedVenue, Venue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class MarketMove(BaseModel):
    """From now on, a coin's price is higher (or lower) by so many hundredths of a percent."""

    model_config = ConfigDict(extra="forbid")

    coin: str
    shift_bps: Annotated[float, Field(gt=-9_000, lt=90_000)]


class Latency(BaseModel):
    """Every answer waits this long."""

    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[float, Field(ge=0, le=600)]


class Control:
    """The settings in force and their routes: PUT answers the new state, GET shows it, DELETE puts it back to health."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.clock = VenueClock()
        self.latency_s = 0.0
        self.damage: tuple[DataRule, ...] = ()
        self.requests: Counter[tuple[str, str]] = Counter()

    def count(self, tags: dict[str, str]) -> None:
        """Remember one request by endpoint and coin."""
        self.requests[tags["endpoint"], tags.get("coin", "")] += 1

    def routes(self) -> list[web.AbstractRouteDef]:
        """Every control route but the fault script's own."""
        return [
            web.get("/_control/health", self._health),
            web.get("/_control/sources", self._sources),
            *self._resource("/_control/clock", self._show_clock, self._set_clock, self._reset_clock),
            *self._resource("/_control/market", self._show_market, self._move_market, self._reset_market),
            *self._resource("/_control/latency", self._show_latency, self._set_latency, self._reset_latency),
            *self._resource("/_control/data", self._show_damage, self._add_damage, self._reset_damage),
            web.get("/_control/requests", self._show_requests),
            web.delete("/_control/requests", self._reset_requests),
        ]

    @staticmethod
    def _resource(path: str, show: Handler, put: Handler, delete: Handler) -> list[web.AbstractRouteDef]:
        return [web.get(path, show), web.put(path, put), web.delete(path, delete)]

    async def _health(self, _: web.Request) -> web.Response:
        mode = "simulated" if isinstance(self.venue, SimulatedVenue) else "replay"
        return web.json_response({"status": "ok", "mode": mode, **self.clock.facts()})

    async def _sources(self, _: web.Request) -> web.Response:
        return web.json_response(self.venue.facts())

    async def _show_clock(self, _: web.Request) -> web.Response:
        return web.json_response(self.clock.facts())

    async def _set_clock(self, request: web.Request) -> web.Response:
        self.clock.setting = ClockSetting.model_validate_json(await request.read())
        return await self._show_clock(request)

    async def _reset_clock(self, request: web.Request) -> web.Response:
        self.clock.setting = ClockSetting(offset_s=0.0)
        return await self._show_clock(request)

    async def _show_market(self, _: web.Request) -> web.Response:
        shifts = self._market().shifts
        return web.json_response(
            {coin: [{"at_ms": move.at_ms, "factor": move.factor} for move in moves] for coin, moves in shifts.items()}
        )

    async def _move_market(self, request: web.Request) -> web.Response:
        move = MarketMove.model_validate_json(await request.read())
        market = self._market()
        if move.coin not in market.coins:
            raise web.HTTPNotFound(text=f"no coin {move.coin}")
        market.shift(move.coin, 1 + move.shift_bps / 10_000, self.clock.now_ms())
        return await self._show_market(request)

    async def _reset_market(self, request: web.Request) -> web.Response:
        self._market().unshift()
        return await self._show_market(request)

    async def _show_latency(self, _: web.Request) -> web.Response:
        return web.json_response({"seconds": self.latency_s})

    async def _set_latency(self, request: web.Request) -> web.Response:
        self.latency_s = Latency.model_validate_json(await request.read()).seconds
        return await self._show_latency(request)

    async def _reset_latency(self, request: web.Request) -> web.Response:
        self.latency_s = 0.0
        return await self._show_latency(request)

    async def _show_damage(self, _: web.Request) -> web.Response:
        return web.json_response([rule.model_dump() for rule in self.damage])

    async def _add_damage(self, request: web.Request) -> web.Response:
        rule = DataRule.model_validate_json(await request.read())
        self.damage = (*(known for known in self.damage if known != rule), rule)
        return await self._show_damage(request)

    async def _reset_damage(self, request: web.Request) -> web.Response:
        self.damage = ()
        return await self._show_damage(request)

    async def _show_requests(self, _: web.Request) -> web.Response:
        by_endpoint: dict[str, Any] = {}
        for (endpoint, coin), seen in sorted(self.requests.items()):
            by_endpoint.setdefault(endpoint, {})[coin] = seen
        return web.json_response({"total": self.requests.total(), "by_endpoint": by_endpoint})

    async def _reset_requests(self, request: web.Request) -> web.Response:
        self.requests.clear()
        return await self._show_requests(request)

    def _market(self) -> SimulatedVenue:
        if not isinstance(self.venue, SimulatedVenue):
            raise web.HTTPConflict(text="a replay's prices are what was recorded")
        return self.venue


@web.middleware
async def explain_bad_settings(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A control request that does not fit is 400 with the reason, not a server error."""
    try:
        return await handler(request)
    except ValidationError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
