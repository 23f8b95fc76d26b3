"""Everything that can be looked up over REST, across the storeys. Shapes and examples are in docs/openapi.yaml."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from access.models import Scope
from access.views import caller_of
from console import detail, items, letter_shapes, lists, shapes
from console.conditional import tagged
from console.queries import DecisionsQuery, EventsQuery, ExpandQuery, LettersQuery, PageQuery, VerdictsQuery
from core.broker import queue_depths
from core.problem import Problem, problem_response
from core.queries import Query
from signals.models import Signal
from signals.selectors import by_id


class EventsView(APIView):
    """`GET /api/v1/events`."""

    required_scope = Scope.EVENTS_READ

    @extend_schema(summary="Signals, newest first", parameters=[EventsQuery], responses=shapes.EventPage)
    def get(self, request: Request) -> Response:
        """Accepted signals and where each stands. `since` and `until` speak of `received_at`."""
        return lists.EVENTS.answer(request)


class EventView(APIView):
    """`GET /api/v1/events/{event_id}`, alias `/signals/{event_id}`."""

    required_scope = Scope.EVENTS_READ

    @extend_schema(
        summary="One signal whole", parameters=[ExpandQuery, *shapes.CONDITIONAL], responses=shapes.unless_held(shapes.Event)
    )
    def get(self, request: Request, event_id: UUID) -> Response:
        """The signal, its timeline, what the market was, what each model said and what that comes to."""
        wanted = _asked(request, ExpandQuery)
        return tagged(request, detail.whole(_visible(request, event_id), with_payload=wanted.get("expand") == "payload"))


class EventStatusView(APIView):
    """`GET /api/v1/events/{event_id}/status`."""

    required_scope = Scope.EVENTS_READ

    @extend_schema(summary="Where a signal stands", parameters=shapes.CONDITIONAL, responses=shapes.unless_held(shapes.EventStatus))
    def get(self, request: Request, event_id: UUID) -> Response:
        """Status, stage and times; `duration_ms` stops when the signal has come to its end."""
        _asked(request, Query)
        return tagged(request, detail.standing(_visible(request, event_id)))


class DecisionsView(APIView):
    """`GET /api/v1/decisions`."""

    required_scope = Scope.DECISIONS_READ

    @extend_schema(summary="Decisions, newest first", parameters=[DecisionsQuery], responses=shapes.DecisionPage)
    def get(self, request: Request) -> Response:
        """What single models answered, as the stream shows it. `since` and `until` speak of `evaluated_at`."""
        return lists.DECISIONS.answer(request)


class DecisionView(APIView):
    """`GET /api/v1/decisions/{decision_id}`."""

    required_scope = Scope.DECISIONS_READ

    @extend_schema(
        summary="One decision with what it rests on",
        parameters=shapes.CONDITIONAL,
        responses=shapes.unless_held(shapes.RestedDecision),
    )
    def get(self, request: Request, decision_id: UUID) -> Response:
        """The decision, the prompt's version, every hash, and what the call took."""
        _asked(request, Query)
        row = lists.judged(caller_of(request), {}).filter(pk=decision_id).first()
        if row is None:
            raise Problem("not_found", "No such decision.")
        return tagged(request, items.decisions([row], rested=True)[0])


class VerdictsView(APIView):
    """`GET /api/v1/verdicts`."""

    required_scope = Scope.DECISIONS_READ

    @extend_schema(summary="Verdicts, newest first", parameters=[VerdictsQuery], responses=shapes.VerdictPage)
    def get(self, request: Request) -> Response:
        """What the models' answers come to together. `model` and `status` ask for a vote by that model, with that status."""
        return lists.VERDICTS.answer(request)


class LettersView(APIView):
    """`GET /api/v1/dlq`."""

    required_scope = Scope.EVENTS_READ

    @extend_schema(summary="Dead letters, newest first", parameters=[LettersQuery], responses=shapes.LetterPage)
    def get(self, request: Request) -> Response:
        """Work that was given up, and why. `since` and `until` speak of `created_at`."""
        return lists.LETTERS.answer(request)


class LetterView(APIView):
    """`GET /api/v1/dlq/{letter_id}`."""

    required_scope = Scope.EVENTS_READ

    @extend_schema(
        summary="One dead letter whole",
        parameters=shapes.CONDITIONAL,
        responses=shapes.unless_held(letter_shapes.WholeLetter),
    )
    def get(self, request: Request, letter_id: UUID) -> Response:
        """The letter with the work it stands for and where that broke."""
        _asked(request, Query)
        row = lists.buried(caller_of(request), {}).filter(pk=letter_id).first()
        if row is None:
            raise Problem("not_found", "No such dead letter.")
        return tagged(request, items.letter(row, whole=True))


class ModelsView(APIView):
    """`GET /api/v1/models`."""

    required_scope = Scope.DECISIONS_READ

    @extend_schema(summary="The registered models and how they do", parameters=[PageQuery], responses=shapes.ModelPage)
    def get(self, request: Request) -> Response:
        """The registry, newest first, each model with its health over its latest answers."""
        return lists.MODELS.answer(request)


class SourcesView(APIView):
    """`GET /api/v1/sources`."""

    required_scope = Scope.EVENTS_READ

    @extend_schema(summary="Who sends signals", parameters=[PageQuery], responses=shapes.SourcePage)
    def get(self, request: Request) -> Response:
        """Every source that ever had a signal accepted, newest first, and when it was last heard."""
        return lists.SOURCES.answer(request)


class QueueDepthView(APIView):
    """`GET /api/v1/queue/depth`."""

    required_scope = Scope.EVENTS_READ

    @extend_schema(summary="Messages waiting in the broker", responses=shapes.QueueDepths)
    def get(self, _: Request) -> Response:
        """By queue. Work itself is never lost with the broker: the rows are the queue of record."""
        depths = queue_depths()
        if depths is None:
            raise Problem("unavailable", "The broker did not answer.")
        return Response({"queues": depths})


@csrf_exempt
def unknown_address(request: HttpRequest, **_: Any) -> JsonResponse:
    """404 as a problem for everything under `/api/` that is no address of ours, whatever the method."""
    return problem_response("not_found", "No such address.", request)


def _asked(request: Request, query: type[Query]) -> dict[str, Any]:
    """The parameters. Raises ValidationError naming the one that is wrong or unknown."""
    given = query(data=request.query_params)
    given.is_valid(raise_exception=True)
    asked: dict[str, Any] = given.validated_data
    return asked


def _visible(request: Request, event_id: UUID) -> Signal:
    """The signal, if it exists and is this caller's business; otherwise 404, so that nobody learns of others' ids."""
    signal = by_id(event_id)
    if signal is None or not caller_of(request).sees(signal.source):
        raise Problem("not_found", "No such event.")
    return signal
