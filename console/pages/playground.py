"""The playground: a signal made by hand, taken in like everybody's, and watched on its way."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from rest_framework.exceptions import ValidationError

from access.windows import INHERITED
from console.pages.signal import shown
from console.pages.viewing import PageView
from core.clock import iso, now
from core.errors import LensError
from core.money import plain, significant
from core.problem import Problem
from enrichment.ports import MarketDataProvider
from enrichment.profiles import profiles
from enrichment.providers import PROVIDERS
from signals.api import SignalSerializer
from signals.intake import leave_to_the_sweep, take
from signals.models import Direction, EventType
from signals.services import Submission
from signals.symbols import canonical_symbol

PERMISSION = "signals.add_signal"
# A plausible liquidation, so that a newcomer has nothing to work out: this far from the entry, in percent.
DISTANCE_PCT = 10
FIELDS = ("symbol", "signal_direction", "entry_price", "size", "liquidation_price", "source", "feature_profile")


class PlaygroundView(PageView):
    """`GET` and `POST /playground`. Looking is free; sending needs the permission to add signals."""

    start: Callable[[str], None] = staticmethod(leave_to_the_sweep)

    def get(self, request: HttpRequest) -> HttpResponse:
        """The form, filled in with the market's present price."""
        symbol = request.GET.get("symbol", "BTC")[:32]
        first = {"symbol": symbol, "signal_direction": "long", "size": "0.1", "source": "playground", "feature_profile": ""}
        return render(request, "console/playground.html", _form(request, {**first, **_quote(symbol, "long")}))

    def post(self, request: HttpRequest) -> HttpResponse:
        """The form again with what is wrong with it, or emptied of faults with the signal below it."""
        given = {name: request.POST.get(name, "").strip() for name in FIELDS}
        form = _form(request, given)
        if not form["may_send"]:
            return render(request, "console/parts/playground.html", form, status=403)
        try:
            shape = SignalSerializer(data=_body(given))
            shape.is_valid(raise_exception=True)
            fields = dict(shape.validated_data)
            caller, key = f"user:{request.user.pk}", fields.pop("idempotency_key")
            signal = take(Submission(fields, caller, key), INHERITED, self.start).signal
        except ValidationError as error:
            form["faults"] = error.detail
        except Problem as problem:
            form["refusal"] = problem.detail
        else:
            form |= shown(request, signal)
        return render(request, "console/parts/playground.html", form)


class PriceView(PageView):
    """`GET /playground/price`: the two prices of the form, as of now."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """For the symbol and side the form holds."""
        given = {name: request.GET.get(name, "") for name in FIELDS}
        quoted = _quote(given["symbol"], given["signal_direction"])
        return render(request, "console/parts/prices.html", {"given": {**given, **quoted}, "quoted": True})


def _form(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "given": given,
        "may_send": request.user.has_perm(PERMISSION),
        "directions": Direction.values,
        "profiles": sorted(profiles()),
        "default_profile": settings.LENS.feature_profile,
    }


def _body(given: dict[str, str]) -> dict[str, Any]:
    """As a source would have sent it."""
    opens = given["signal_direction"] in (Direction.LONG, Direction.SHORT)
    return {
        **given,
        "event_type": EventType.OPEN if opens else EventType.CLOSE,
        "liquidation_price": given["liquidation_price"] or None,
        "feature_profile": given["feature_profile"] or settings.LENS.feature_profile,
        "ts_utc": iso(now()),
    }


def _quote(symbol: str, direction: str) -> dict[str, str]:
    """The present price and a liquidation price on the right side of it; empty, with the reason, when it cannot be had."""
    try:
        venue = _venue()
        mid = venue.ticker(venue.coin(canonical_symbol(symbol))).mid
    except ValueError as error:
        return {"entry_price": "", "liquidation_price": "", "no_price": str(error)}
    except LensError as error:
        return {"entry_price": "", "liquidation_price": "", "no_price": error.detail}
    sign = -1 if direction in (Direction.LONG, Direction.CLOSE_LONG) else 1
    return {"entry_price": plain(mid), "liquidation_price": significant(mid * (100 + sign * DISTANCE_PCT) / 100), "no_price": ""}


@cache
def _venue() -> MarketDataProvider:
    """This process's own client: the workers' desk would bring pandas along."""
    return PROVIDERS[settings.LENS.market](settings.LENS.market, settings.LENS.hyperliquid_url)
