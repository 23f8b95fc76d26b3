"""Having signals judged again over REST."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from access.models import Scope
from access.shapes import StrictSerializer
from access.views import WatchedView, caller_of
from console import rounds, rounds_shapes
from console.letters import UnfilteredError
from console.letters_api import checked, note_field
from console.queries import RoundsFilter
from core.clock import iso
from core.problem import Problem
from signals.api import ZonedField
from signals.models import Status
from signals.selectors import by_id


class RoundBody(StrictSerializer):
    """The body of a re-evaluation; may be left out."""

    note = note_field(required=False, default="")
    dry_run = serializers.BooleanField(default=False, help_text="Only say what it would cost.")


class RoundsBody(RoundBody):
    """A frozen selection: what matches the filter and was received by `as_of`."""

    filter = RoundsFilter(help_text="At least one of them.")
    as_of = ZonedField(required=False, help_text="What came later is not selected; by default now.")


class RoundDoor(WatchedView):
    """For keys that may spend money."""

    required_scope = Scope.ADMIN
    described_problems = (409, 429)


class RoundView(RoundDoor):
    """`POST /api/v1/events/{event_id}/reevaluate`."""

    @extend_schema(
        summary="Judge one signal again",
        request=RoundBody,
        responses={200: rounds_shapes.RoundOpened, 202: rounds_shapes.RoundOpened},
    )
    def post(self, request: Request, event_id: UUID) -> Response:
        """202: a new round on the same frozen market, by the models enabled now; 200 on a dry run. 409 unless published."""
        asked = checked(RoundBody(data=request.data))
        signal = by_id(event_id)
        if signal is None or not caller_of(request).sees(signal.source):
            raise Problem("not_found", "No such event.")
        opens: int | None = signal.evaluation + 1 if signal.status == Status.PUBLISHED else None
        if not asked["dry_run"]:
            opens = next(rounds.start([event_id], caller_of(request).name, asked["note"]))
        if opens is None:
            raise Problem("conflict", "Only a signal whose verdict is published can be judged again.")
        body = {"event_id": str(event_id), "evaluation": opens, "dry_run": asked["dry_run"], "preview": rounds.preview(1)}
        return Response(body, status=200 if asked["dry_run"] else 202)


class RoundsView(RoundDoor):
    """`POST /api/v1/events/reevaluate`."""

    @extend_schema(
        summary="Judge a frozen selection again",
        request=RoundsBody,
        responses={200: rounds_shapes.RoundsOpened, 202: rounds_shapes.RoundsOpened},
    )
    def post(self, request: Request) -> Response:
        """Everything published that matches and was received by `as_of`, oldest first, at most 1000 a call; 200 on a dry run."""
        asked = checked(RoundsBody(data=request.data))
        try:
            selection = rounds.matching(asked["filter"], asked.get("as_of"), caller_of(request))
        except UnfilteredError as error:
            raise serializers.ValidationError({"filter": ["Name at least one filter."]}, "required") from error
        selected = selection.rows.count()
        preview = rounds.preview(selected)
        ids = [] if asked["dry_run"] else selection.oldest()
        done = list(rounds.start(ids, caller_of(request).name, asked["note"]))
        started = sum(opened is not None for opened in done)
        body: dict[str, Any] = {
            "dry_run": asked["dry_run"],
            "as_of": iso(selection.as_of),
            "selected": selected,
            "preview": preview,
            "started": started,
            "skipped": len(done) - started,
            "remaining": 0 if asked["dry_run"] else max(selected - len(ids), 0),
        }
        return Response(body, status=200 if asked["dry_run"] else 202)
