"""What somebody on call sees first: is it running, what died and when, how the models do, what waits."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.core.cache import cache
from django.db.models import Count, Max, Q
from django.http import HttpRequest
from django.urls import reverse

from audit.models import DeadLetter
from console.health import Health, health_of
from console.readiness import ready
from core.clock import iso, now
from evaluation.models import Decision, EvaluationModel
from publishing.models import Frame, StreamHead
from signals.models import Signal
from signals.selectors import overdue

# The older edge of each column of the matrix; the last has none.
AGES = (
    ("< 15 min", timedelta(minutes=15)),
    ("< 1 h", timedelta(hours=1)),
    ("< 24 h", timedelta(hours=24)),
    ("< 7 d", timedelta(days=7)),
    ("older", None),
)
MOST_KINDS = 20
RECENT = timedelta(hours=1)


@dataclass(frozen=True)
class Tile:
    """One figure, its words, whether it asks for attention, and where to look further."""

    title: str
    figure: str
    words: str = ""
    alarm: bool = False
    link: str = ""


@dataclass(frozen=True)
class Kind:
    """Open letters of one stage and reason: a number and a link for each age."""

    stage: str
    reason: str
    ages: list[tuple[int, str]]
    link: str


@dataclass(frozen=True)
class Overview:
    """The front page's figures, as of `at`."""

    at: datetime
    tiles: list[Tile]
    kinds: list[Kind]
    models: list[tuple[str, bool, Health]]
    queues: dict[str, int]
    dependencies: dict[str, str]
    ages: list[str] = field(default_factory=lambda: [words for words, _ in AGES])


def overview(user: Any) -> Overview | None:
    """The figures of this moment; nothing for somebody who may not see signals."""
    if not user.has_perm("signals.view_signal"):
        return None
    _, report = ready()
    names = dict(EvaluationModel.objects.values_list("name", "enabled"))
    found = health_of(list(names))
    return Overview(
        at=now(),
        tiles=[*_signals(), *_letters(), *_stream()],
        kinds=_kinds(now()),
        models=[(name, enabled, found[name]) for name, enabled in names.items()],
        queues=report["queues"],
        dependencies=report["dependencies"],
    )


def open_letters(_: HttpRequest) -> str:
    """The badge beside the dead letters; at most ten seconds old."""
    number = cache.get_or_set("lens.open_letters", lambda: _open().count(), 10)
    return str(number) if number else ""


def _signals() -> Iterator[Tile]:
    since = now() - RECENT
    received = Signal.objects.filter(received_at__gte=since).aggregate(
        number=Count("pk"), rejected=Count("pk", filter=Q(status="rejected")), last=Max("received_at")
    )
    listed = reverse("admin:signals_signal_changelist")
    yield Tile("Signals, last hour", str(received["number"]), f"{received['rejected']} rejected", link=f"{listed}?within=1h")
    judged = Decision.objects.filter(evaluated_at__gte=since).aggregate(
        number=Count("pk"), fallback=Count("pk", filter=Q(fallback=True))
    )
    decided = reverse("admin:evaluation_decision_changelist")
    yield Tile("Decisions, last hour", str(judged["number"]), _counted(judged["fallback"], "fallback"), link=f"{decided}?within=1h")
    stalled = overdue().count()
    yield Tile("Work overdue", str(stalled), "the sweep sends it again" if stalled else "nothing waits", alarm=stalled > 20)


def _letters() -> Iterator[Tile]:
    number = _open().count()
    oldest = _open().order_by("created_at").values_list("created_at", flat=True).first()
    words = f"oldest since {oldest:%Y-%m-%d %H:%M}" if oldest else "nothing was given up"
    listed = reverse("admin:audit_deadletter_changelist")
    yield Tile("Open dead letters", str(number), words, alarm=number > 0, link=f"{listed}?status__exact=open")


def _stream() -> Iterator[Tile]:
    head = StreamHead.objects.first()
    last = Frame.objects.order_by("-seq").values_list("created_at", flat=True).first()
    words = f"last at {last:%H:%M:%S}" if last else "no frame yet"
    link = reverse("admin:publishing_frame_changelist")
    yield Tile("Stream head", str(head.last_seq if head else 0), words, link=link)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _open() -> Any:
    return DeadLetter.objects.filter(status=DeadLetter.Status.OPEN)


def _kinds(at: datetime) -> list[Kind]:
    """The commonest kinds of open letters, each with its numbers by age."""
    edges = _edges(at)
    numbers = {f"age_{k}": Count("pk", filter=Q(**_between(*edge))) for k, edge in enumerate(edges)}
    groups = _open().order_by().values("stage", "reason_code").annotate(number=Count("pk"), **numbers).order_by("-number")
    return [
        Kind(
            row["stage"],
            row["reason_code"],
            [(row[f"age_{k}"], _listed(row, _between(*edge))) for k, edge in enumerate(edges)],
            _listed(row, {}),
        )
        for row in groups[:MOST_KINDS]
    ]


def _edges(at: datetime) -> list[tuple[datetime | None, datetime | None]]:
    """From and until of each column, newest first."""
    older = [None if age is None else at - age for _, age in AGES]
    return list(zip(older, [None, *older[:-1]], strict=True))


def _between(since: datetime | None, until: datetime | None) -> dict[str, Any]:
    bounds = {"created_at__gte": since, "created_at__lt": until}
    return {lookup: edge for lookup, edge in bounds.items() if edge is not None}


def _listed(row: dict[str, Any], bounds: dict[str, Any]) -> str:
    query = {"status__exact": "open", "stage": row["stage"], "reason_code": row["reason_code"]}
    edges = {lookup: iso(edge) for lookup, edge in bounds.items()}
    return f"{reverse('admin:audit_deadletter_changelist')}?{urlencode({**query, **edges})}"
