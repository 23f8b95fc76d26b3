"""The feed: the decision stream as it runs. The page is a frame around the socket, which fills it from the newest frames on."""

import json
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from pydantic import ValidationError

from console.pages.viewing import PageView
from console.policy import socket_origins
from evaluation.models import EvaluationModel
from publishing.frames import Kind
from publishing.operations import parse_filter
from publishing.selectors import start_of_newest
from publishing.subscriptions import Filter
from signals.models import EventType

NAMES = ("symbol", "model", "event_type", "kind")
SHOWN = 100
PATH = "/ws/decisions"


class FeedView(PageView):
    """`GET /feed`; the filter is in the address, so that a view can be passed on."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The page, with the position from which the socket tells the newest frames."""
        asked = {name: value for name in NAMES if (value := request.GET.get(name, "").strip())}
        fault, wanted = _understood(asked)
        log, since = start_of_newest(wanted, SHOWN)
        stream = {
            "sockets": [origin + PATH for origin in socket_origins(request)],
            "filter": {} if fault else asked,
            "since": {"epoch": log.epoch, "seq": since},
        }
        models = EvaluationModel.objects.values_list("name", flat=True)
        context = {
            "asked": asked,
            "fault": fault,
            "models": models,
            "events": EventType.values,
            "kinds": [str(kind) for kind in Kind],
            "stream": json.dumps(stream),
            "event_page": resolve_url("pages:signal", UUID(int=0)),
        }
        return render(request, "console/feed.html", context)


def _understood(asked: dict[str, Any]) -> tuple[str, Filter]:
    """What is wrong with the filter (nothing: empty), and the filter; everything when it is wrong."""
    try:
        wanted = parse_filter(asked)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{first['loc'][0]}: {first['msg']}", Filter()
    return "", Filter.of(wanted, frozenset())
