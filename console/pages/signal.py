"""One signal for people: what came in, what the market was, what each model said, what that comes to, and when."""

import json
import shlex
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from console import detail
from console.pages import chart, market, waterfall
from console.pages.viewing import PageView
from core.clock import now
from core.money import plain
from enrichment import selectors as enrichments
from evaluation.facts import number
from signals.models import Signal, Status
from signals.selectors import by_id

ENDED = (Status.PUBLISHED, Status.REJECTED, Status.DLQ, Status.FAILED)
STEPS = (("queued", "received"), ("enriched", "enriched"), ("evaluated", "judged"), ("published", "published"))
_SENT = ("event_type", "symbol", "signal_direction", "entry_price", "size", "liquidation_price", "source")


class SignalView(PageView):
    """`GET /events/{event_id}`."""

    template = "console/signal.html"

    def get(self, request: HttpRequest, event_id: UUID) -> HttpResponse:
        """The page; while the signal is on its way its part below asks again every second."""
        return render(request, self.template, shown(request, _found(event_id)))


class LiveSignalView(SignalView):
    """`GET /events/{event_id}/live`: the part of the page that changes."""

    template = "console/parts/signal.html"


class ChartView(PageView):
    """`GET /events/{event_id}/chart`: bars and levels for the chart."""

    def get(self, _: HttpRequest, event_id: UUID) -> JsonResponse:
        """404 where no bars were kept."""
        signal = _found(event_id)
        seen = enrichments.for_signal(signal)
        if seen is None or not seen.series:
            raise Http404
        decisions = detail.whole(signal)["decisions"]
        return JsonResponse(chart.drawing(signal, seen, decisions))


def shown(request: HttpRequest, signal: Signal) -> dict[str, Any]:
    """What the template of a signal needs."""
    event = detail.whole(signal, with_payload=True)
    seen = enrichments.for_signal(signal)
    ended = signal.status in ENDED
    answered = {decision["model"] for decision in event["decisions"]}
    return {
        "signal": signal,
        "event": event,
        "ended": ended,
        "steps": _steps(signal),
        "owed": [] if ended else [model for model in signal.expected or [] if model not in answered],
        "flags": [(name, flags) for name, flags in (event["enrichment"] or {}).get("quality_flags", {}).items() if flags],
        "has_chart": seen is not None and bool(seen.series),
        "enrichment_id": seen and seen.pk,
        "tables": market.tables(seen.payload) if seen else [],
        "dropped": market.dropped(seen.payload) if seen else [],
        "cost_usd": _cost(event["decisions"]),
        "lanes": waterfall.lanes(event["timeline"], event["decisions"], None if ended else now()),
        "commands": _commands(request, event),
    }


def _found(event_id: UUID) -> Signal:
    signal = by_id(event_id)
    if signal is None:
        raise Http404
    return signal


def _steps(signal: Signal) -> list[dict[str, Any]]:
    """The way of a signal, and where it is: each step done, under way, or where it ended."""
    order = [status for status, _ in STEPS]
    if signal.status in order:
        reached, ended = order.index(signal.status), signal.status == Status.PUBLISHED
        return [{"name": name, "done": at <= reached, "now": at == reached + 1 and not ended} for at, (_, name) in enumerate(STEPS)]
    times = (signal.received_at, signal.enriched_at, signal.evaluated_at)
    passed = [{"name": name, "done": True} for (_, name), at in zip(STEPS, times, strict=False) if at is not None]
    return [*passed, {"name": signal.get_status_display().lower(), "ended": True}]


def _cost(decisions: list[dict[str, Any]]) -> str | None:
    """What the answers cost together, in USD; None where none has a price."""
    prices = [price for decision in decisions if (price := number((decision["model_meta"] or {}).get("cost_usd"))) is not None]
    return plain(sum(prices, Decimal(0))) if prices else None


def _commands(request: HttpRequest, event: dict[str, Any]) -> dict[str, str]:
    """For a shell: look this signal up, and send one like it. Stored text is quoted for the shell."""
    base = f"{request.scheme}://{request.get_host()}/api/v1"
    body = json.dumps({**{name: event[name] for name in _SENT}, "ts_utc": "\0"})
    before, after = body.split(json.dumps("\0")[1:-1])
    stamped = f"{shlex.quote(before)}$(date -u +%Y-%m-%dT%H:%M:%SZ){shlex.quote(after)}"
    key = '-H "X-API-Key: $KEY"'
    return {
        "read": f"curl -s {shlex.quote(base + '/events/' + event['event_id'] + '?expand=payload')} {key}",
        "send": f'curl -s {shlex.quote(base + "/signals")} {key} -H "Content-Type: application/json" -d {stamped}',
    }
