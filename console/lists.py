"""The lists: what was sent, judged, concluded and given up, newest first, and who sends and judges."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet, Subquery
from rest_framework.request import Request
from rest_framework.response import Response

from access.services import Caller
from access.views import caller_of
from audit.models import DeadLetter
from console import detail, items, queries
from console.health import health_of
from console.retention import CLOSED
from core.paging import Order, Row, asked_for, links, opened, read_page
from evaluation.models import Decision, EvaluationModel, Verdict
from evaluation.schemas import WORDS
from signals.models import Signal, Source

Asked = Mapping[str, Any]
Items = list[dict[str, Any]]

_SENT = {
    "symbol": "symbol__in",
    "event_type": "event_type",
    "source": "source",
    "status": "status",
    "event_id": "pk",
    "degraded": "degraded",
    "since": "received_at__gte",
    "until": "received_at__lt",
}
_CONCLUDED = {
    "symbol": "signal__symbol__in",
    "event_type": "signal__event_type",
    "decision": "decision",
    "min_confidence": "confidence__gte",
    "since": "evaluated_at__gte",
    "until": "evaluated_at__lt",
}
_JUDGED = {**_CONCLUDED, "model": "model", "status": "status"}
_BURIED = {
    "status": "status",
    "stage": "stage__in",
    "reason_code": "reason_code",
    "fingerprint": "fingerprint",
    "event_id": "event_id",
    "since": "created_at__gte",
    "until": "created_at__lt",
}
_WAITING = [DeadLetter.Status.OPEN, DeadLetter.Status.REQUEUED]


@dataclass(frozen=True)
class Listing:
    """A list: its order, what may be asked of it, which rows a caller gets and how they are shown."""

    order: Order
    query: type[queries.PageQuery]
    rows: Callable[[Caller, Asked], QuerySet[Any]]
    shown: Callable[[list[Any]], Items]

    def answer(self, request: Request) -> Response:
        """The page that was asked for. Raises ValidationError naming the parameter that is wrong."""
        query = self.query(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        cursor = opened(asked["cursor"], self.order) if "cursor" in asked else None
        page = read_page(self.rows(caller_of(request), asked), self.order, asked["limit"], cursor)
        return Response({"results": self.shown(page.rows), **links(request, page, self.order)})


def sent(caller: Caller, asked: Asked) -> QuerySet[Signal]:
    """Signals."""
    return asked_for(_of_sources(Signal.objects.all(), caller, "source__in"), asked, _SENT)


def judged(caller: Caller, asked: Asked) -> QuerySet[Decision]:
    """Settled decisions, of every round."""
    settled = Decision.objects.filter(evaluated_at__isnull=False).select_related("signal").defer("signal__metadata")
    return asked_for(_said(_of_sources(settled, caller, "signal__source__in"), asked), asked, _JUDGED)


def concluded(caller: Caller, asked: Asked) -> QuerySet[Verdict]:
    """Verdicts; `model` and `status` ask for one and the same vote."""
    vote = {name: asked[name] for name in ("model", "status") if name in asked}
    drawn = Verdict.objects.select_related("signal").defer("signal__metadata")
    drawn = drawn.filter(votes__contains=[vote]) if vote else drawn
    return asked_for(_said(_of_sources(drawn, caller, "signal__source__in"), asked), asked, _CONCLUDED)


def _said(rows: QuerySet[Row], asked: Asked) -> QuerySet[Row]:
    """Only events of the kind to which the word asked for is said: the planner then knows of sources that never send such."""
    kinds = [kind for kind, words in WORDS.items() if asked.get("decision") in words]
    if not kinds:
        return rows
    return rows.filter(signal__event_type__in=kinds) if asked.get("event_type", kinds[0]) in kinds else rows.none()


def buried(caller: Caller, asked: Asked) -> QuerySet[DeadLetter]:
    """Dead letters. They name their event by id alone, so the source is looked up."""
    letters = DeadLetter.objects.all()
    if caller.allowed_sources:
        letters = letters.filter(Exists(Signal.objects.filter(pk=OuterRef("event_id"), source__in=caller.allowed_sources)))
    if "resolved" in asked:
        letters = letters.filter(status__in=CLOSED if asked["resolved"] else _WAITING)
    return asked_for(letters, asked, _BURIED)


def senders(caller: Caller, _: Asked) -> QuerySet[Source]:
    """Sources with their last signal, each found through an index."""
    last = Signal.objects.filter(source=OuterRef("name")).order_by("-received_at").values("received_at")[:1]
    return _of_sources(Source.objects.annotate(last_seen_at=Subquery(last)), caller, "name__in")


def _of_sources(rows: QuerySet[Any], caller: Caller, lookup: str) -> QuerySet[Any]:
    return rows.filter(**{lookup: caller.allowed_sources}) if caller.allowed_sources else rows


def _judges(rows: list[EvaluationModel]) -> Items:
    found = health_of([model.name for model in rows])
    return [items.judge(model, found[model.name]) for model in rows]


EVENTS = Listing(Order("events", "received_at"), queries.EventsQuery, sent, lambda rows: [detail.summary(row) for row in rows])
DECISIONS = Listing(Order("decisions", "evaluated_at"), queries.DecisionsQuery, judged, items.decisions)
VERDICTS = Listing(Order("verdicts", "evaluated_at"), queries.VerdictsQuery, concluded, items.verdicts)
LETTERS = Listing(Order("dlq", "created_at"), queries.LettersQuery, buried, lambda rows: [items.letter(row) for row in rows])
MODELS = Listing(
    Order("models", "created_at", "name"), queries.PageQuery, lambda _caller, _asked: EvaluationModel.objects.all(), _judges
)
SOURCES = Listing(
    Order("sources", "first_seen_at", "name"), queries.PageQuery, senders, lambda rows: [items.sender(row) for row in rows]
)
