"""Backfill over REST: the frames of the stream, oldest first, for whoever lost the socket or never had one."""

import json
from typing import Any

from pydantic import ValidationError as BadFilter
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.models import Scope
from access.services import Caller
from core.clock import now
from core.problem import Problem
from core.queries import Query
from publishing import selectors
from publishing.operations import LARGEST_SEQ, Since, Wanted, parse_filter
from publishing.selectors import Reading
from publishing.subscriptions import Chain, Filter

FILTERS = ("model", "symbol", "event_type")


class StreamQuery(Query):
    """Where to read on, and how much. Without `after_seq`: from the oldest frame that is kept."""

    after_seq = serializers.IntegerField(min_value=0, max_value=LARGEST_SEQ, required=False)
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)
    epoch = serializers.CharField(max_length=64, required=False)
    model = serializers.CharField(max_length=50, required=False)
    symbol = serializers.CharField(max_length=32, required=False, help_text="Any accepted spelling, in any case.")
    event_type = serializers.CharField(max_length=12, required=False)


class StreamView(APIView):
    """`GET /api/v1/decisions/stream`: one page of the log, with `next_after_seq` to go on from."""

    required_scope = Scope.DECISIONS_READ

    def get(self, request: Request) -> Response:
        query = StreamQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        caller: Caller = request.user  # type: ignore[assignment]  # a Caller is our user
        wanted = Filter.of(_wanted(asked), caller.allowed_sources)
        reading = selectors.read(asked.get("after_seq", 0), asked["limit"], wanted)
        after = _position(asked, reading)
        return Response(
            {
                "epoch": reading.log.epoch,
                "head_seq": reading.log.head,
                "results": _rendered(reading, after),
                "next_after_seq": _next(reading, after, asked["limit"]),
            }
        )


def _wanted(asked: dict[str, Any]) -> Wanted:
    """The filter. Raises DRF's ValidationError naming the parameter."""
    try:
        wanted = parse_filter({name: asked[name] for name in FILTERS if name in asked})
    except BadFilter as error:
        raise ValidationError({str(item["loc"][0]): [item["msg"]] for item in error.errors()}) from error
    if wanted.model and wanted.strangers(selectors.known_models()):
        raise ValidationError({"model": ["no such model"]})
    return wanted


def _position(asked: dict[str, Any], reading: Reading) -> int:
    """Where this page starts. Raises Problem resync (410) when nothing can be continued from there."""
    since = Since(seq=asked.get("after_seq", reading.log.horizon), epoch=asked.get("epoch"))
    if lost := reading.log.lost(since):
        raise Problem("resync", f"{lost}: the position is gone; what is kept starts at {reading.log.rest()}")
    return since.seq


def _rendered(reading: Reading, after: int) -> list[dict[str, Any]]:
    """The frames as a socket would have sent them in a replay."""
    chain = Chain(after, snapshot_until=reading.log.head)
    instant = now()
    return [json.loads(chain.send(frame, instant)) for frame in reading.frames]


def _next(reading: Reading, after: int, limit: int) -> int:
    """After a full page its last frame; else the whole log has been looked at, and the head is as far as one can say."""
    return reading.frames[-1].seq if len(reading.frames) == limit else max(after, reading.log.head)
