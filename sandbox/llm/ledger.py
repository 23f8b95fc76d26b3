"""Every prompt's fate, counted per event and model: the outside proof that nothing is asked, or paid, twice.

A request is *received* when its body has arrived, and *answered* (paid) when the whole answer has been generated, whether or
not the client is still there. *Cut* counts the answered ones that a scripted fault broke on their way back. Everything else
that has ended is *failed*: refused, scripted away, or held until the client left.
"""

import json
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from aiohttp import web

Prompt = Literal["first", "repair"]

KEPT_EVENTS = 250_000
KEPT_BODIES = 200
SHOWN_BODIES = 20


@dataclass(slots=True)
class Counts:
    """Requests of one event to one model. `received` splits into `answered`, `failed` and those still in flight."""

    received_first: int = 0
    received_repair: int = 0
    answered_first: int = 0
    answered_repair: int = 0
    failed: int = 0
    cut: int = 0

    def shown(self) -> dict[str, int]:
        return {
            "received": self.received_first + self.received_repair,
            "answered": self.answered_first + self.answered_repair,
            "failed": self.failed,
            "cut": self.cut,
            "received_first": self.received_first,
            "received_repair": self.received_repair,
            "answered_first": self.answered_first,
            "answered_repair": self.answered_repair,
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One request as the ledger sees it; `-` stands for an event or model that the request does not name."""

    path: str
    model: str = "-"
    event_id: str = "-"
    prompt: Prompt = "first"
    body: bytes = b""


class Ticket:
    """One request in flight."""

    def __init__(self, counts: Counts, prompt: Prompt) -> None:
        self._counts = counts
        self._prompt = prompt
        self.paid = False

    def answered(self, *, cut: bool = False) -> None:
        """The whole answer exists; `cut` says that a fault keeps it from arriving whole."""
        self.paid = True
        self._counts.cut += cut
        if self._prompt == "first":
            self._counts.answered_first += 1
        else:
            self._counts.answered_repair += 1


class Ledger:
    """Counts of the last 250 000 events (each with its models) and the bodies of the last 200 requests."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._events: OrderedDict[str, dict[str, Counts]] = OrderedDict()
        self._bodies: deque[tuple[float, Call]] = deque(maxlen=KEPT_BODIES)
        self._forgotten = 0
        self._in_flight = 0
        self._peak = 0
        self._era = object()

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.get("/_control/calls", self._show),
            web.delete("/_control/calls", self._reset),
            web.get("/_control/calls/last", self._show_last),
        ]

    @contextmanager
    def open(self, call: Call) -> Iterator[Ticket]:
        """Counts the call as received; as failed on leaving, unless it was answered meanwhile."""
        counts = self._counts(call)
        if call.prompt == "first":
            counts.received_first += 1
        else:
            counts.received_repair += 1
        self._bodies.append((time.time(), call))
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)
        era, ticket = self._era, Ticket(counts, call.prompt)
        try:
            yield ticket
        finally:
            counts.failed += not ticket.paid
            if era is self._era:
                self._in_flight -= 1

    def _counts(self, call: Call) -> Counts:
        models = self._events.get(call.event_id)
        if models is None:
            models = self._events[call.event_id] = {}
            if len(self._events) > KEPT_EVENTS:
                self._events.popitem(last=False)
                self._forgotten += 1
        return models.setdefault(call.model, Counts())

    async def _show(self, request: web.Request) -> web.Response:
        wanted = request.query.get("event_id")
        events = self._events.items() if wanted is None else [(wanted, self._events.get(wanted, {}))]
        found = [(event_id, model, counts.shown()) for event_id, models in events for model, counts in models.items()]
        totals = {name: sum(counts[name] for _, _, counts in found) for name in Counts().shown()}
        calls = [{"event_id": event_id, "model": model, **counts} for event_id, model, counts in found]
        state = {"in_flight": self._in_flight, "in_flight_peak": self._peak, "forgotten_events": self._forgotten}
        return web.json_response({**state, "totals": totals, "calls": calls})

    async def _reset(self, request: web.Request) -> web.Response:
        self._clear()
        return await self._show(request)

    async def _show_last(self, request: web.Request) -> web.Response:
        wanted = request.query.get("n", str(SHOWN_BODIES))
        if not wanted.isascii() or not wanted.isdigit() or not 1 <= int(wanted) <= KEPT_BODIES:
            return web.json_response({"error": f"n is a number from 1 to {KEPT_BODIES}"}, status=400)
        return web.json_response([_shown(at, call) for at, call in list(self._bodies)[-int(wanted) :]])


def _shown(at: float, call: Call) -> dict[str, Any]:
    try:
        body = json.loads(call.body)
    except ValueError:
        body = call.body.decode(errors="replace")
    return {"at": at, "path": call.path, "model": call.model, "event_id": call.event_id, "prompt": call.prompt, "body": body}
