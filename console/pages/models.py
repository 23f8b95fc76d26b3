"""The models side by side: how quick, how valid, how covering, how agreeing and how dear."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.health import health_of
from console.pages.viewing import PageView
from console.rollup import DAY, HOUR, hours_since
from console.scorecards import Scorecard, by_model, trend
from core.clock import now
from evaluation.models import EvaluationModel


@dataclass(frozen=True)
class Span:
    """How far the page looks back, and in which steps its charts go."""

    title: str
    back: timedelta
    step: timedelta
    step_title: str


SPANS = {
    "24h": Span("24 hours", DAY, HOUR, "hour"),
    "7d": Span("7 days", 7 * DAY, 6 * HOUR, "6 hours"),
    "30d": Span("30 days", 30 * DAY, DAY, "day"),
}


class ModelsView(PageView):
    """`GET /models?span=24h|7d|30d`."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """An unknown span is the shortest one."""
        chosen = request.GET.get("span", "")
        chosen = chosen if chosen in SPANS else "24h"
        span = SPANS[chosen]
        begins = (now() - span.back).replace(minute=0, second=0, microsecond=0)
        cards = by_model(hours_since(begins))
        registered = list(EvaluationModel.objects.all())
        health = health_of([model.name for model in registered])
        nothing = Scorecard(())
        rows = [(model, health[model.name], cards.get(model.name, nothing)) for model in registered]
        context = {"spans": SPANS, "chosen": chosen, "span": span, "rows": rows, "charts": _charts(cards, span)}
        return render(request, "console/models.html", context)


def _charts(cards: dict[str, Scorecard], span: Span) -> list[dict[str, Any]]:
    """Title, what a reader without the picture should know, unit, and the data for the script."""
    money_step = max(span.step, DAY) if span.back > DAY else span.step
    per = "day" if money_step == DAY else span.step_title
    return [
        _chart("Median answer time", "ms", span, trend(cards, span.step, lambda card: card.p50_ms)),
        _chart("95th percentile of answer time", "ms", span, trend(cards, span.step, lambda card: card.p95_ms)),
        _chart("Valid answers", "%", span, trend(cards, span.step, _percent(lambda card: card.validity))),
        _chart("Coverage", "%", span, trend(cards, span.step, _percent(lambda card: card.coverage))),
        _chart("Agreement with the verdict", "%", span, trend(cards, span.step, _percent(lambda card: card.agreement))),
        _chart(f"Cost per {per}", "USD", span, trend(cards, money_step, lambda card: _float(card.cost_usd))),
    ]


def _chart(title: str, unit: str, span: Span, data: dict[str, Any]) -> dict[str, Any]:
    shown = any(value is not None for values in data["models"].values() for value in values)
    until = now()
    edges = {"since": int((until - span.back - span.step).timestamp()), "until": int(until.timestamp())}
    return {"title": title, "unit": unit, "shown": shown, "data": json.dumps({**data, **edges, "unit": unit})}


def _percent(measure: Callable[[Scorecard], float | None]) -> Callable[[Scorecard], float | None]:
    def in_percent(card: Scorecard) -> float | None:
        value = measure(card)
        return None if value is None else round(value * 100, 1)

    return in_percent


def _float(value: Any) -> float | None:
    return None if value is None else float(value)
