"""What answers look like, for the description of the API. Tests hold every answer against these."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from pydantic import BaseModel, Field

from console.letter_shapes import Letter
from core.problem import TITLES
from evaluation.models import DecisionStatus
from evaluation.schemas import Word
from publishing.frames import DecisionData
from signals.models import Direction, EventType, ExitWord, Status

Amount = Annotated[str, Field(pattern=r"^\d+(\.\d+)?$", examples=["60000.5"], description="A plain decimal.")]
Share = Annotated[float, Field(ge=0, le=1)]
Hash = Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$", description="SHA-256, or empty where there is none.")]
Stage = Literal["enrich", "evaluate", "publish", "done", "rejected", "dlq", "failed"]
Code = Annotated[str, Field(json_schema_extra={"enum": [*TITLES]})]

IF_NONE_MATCH = OpenApiParameter("If-None-Match", OpenApiTypes.STR, OpenApiParameter.HEADER, description="Tags already held.")
ETAG = OpenApiParameter(
    "ETag", OpenApiTypes.STR, OpenApiParameter.HEADER, description="Changes with the content.", response=[200, 304]
)
CONDITIONAL = [IF_NONE_MATCH, ETAG]


def unless_held(shape: type[BaseModel]) -> dict[int, Any]:
    """The shape, or nothing when the caller already has it."""
    return {200: shape, 304: OpenApiResponse(description="Not changed since the tag in `If-None-Match`.")}


class FieldProblem(BaseModel):
    """One thing that is wrong, and where."""

    pointer: Annotated[str, Field(examples=["/entry_price"])]
    code: Annotated[str, Field(examples=["out_of_range"])]
    detail: str


class Problem(BaseModel):
    """Every error, RFC 9457. `code` is stable; texts are for people."""

    type: Annotated[str, Field(examples=["urn:lens:problem:validation_error"])]
    title: str
    status: int
    detail: str
    instance: str
    code: Code
    request_id: str
    errors: list[FieldProblem]


class Links(BaseModel):
    """Where to look next."""

    self: str
    status: str


class Accepted(BaseModel):
    """A signal that was taken, now or before."""

    event_id: UUID
    status: Literal["queued"]
    received_at: datetime
    duplicate: bool
    links: Links


class SignalFields(BaseModel):
    """A signal in canonical form."""

    event_type: EventType
    symbol: Annotated[str, Field(examples=["BTC"])]
    signal_direction: Direction
    entry_price: Amount
    size: Amount
    liquidation_price: Amount | None
    ts_utc: datetime
    source: Annotated[str, Field(examples=["desk_7"])]
    feature_profile: str | None


class Canonical(SignalFields):
    """What would have been stored."""

    idempotency_key: str | None
    metadata: dict[str, Any]


class Rejection(BaseModel):
    """Why a signal went no further."""

    code: Annotated[str, Field(examples=["price_drift"])]
    detail: str


class Standing(BaseModel):
    """Where a signal stands, and when it came there."""

    event_id: UUID
    status: Status
    current_stage: Stage
    received_at: datetime
    enriched_at: datetime | None
    evaluated_at: datetime | None
    published_at: datetime | None


class EventStatus(Standing):
    """The same, with how long it took so far."""

    duration_ms: int


class EventItem(SignalFields, Standing):
    """A signal in a list."""

    evaluation: int
    degraded: Annotated[bool, Field(description="No model answered; the verdict is the fallback.")]
    rejection: Rejection | None


class Step(BaseModel):
    """One thing that happened to a signal."""

    status: str
    timestamp: datetime
    details: dict[str, Any]


class QualityFlags(BaseModel):
    """What was wrong with the market data; all empty on a healthy run."""

    missing_data: list[str]
    stale_data: list[str]
    out_of_range: list[str]
    provider_errors: list[str]


class EnrichmentFacts(BaseModel):
    """The market the signal was judged by. `payload` only where it was asked for."""

    profile: str
    provider: str
    quality_flags: QualityFlags
    quality_score: float | None
    enriched_at: datetime
    duration_ms: int
    payload_bytes: int
    payload_hash: Hash
    payload: str | None = None


class DecisionItem(BaseModel):
    """One model's judgement, as its frame on the stream shows it. `epoch` and `published_at` are null until it is there."""

    id: UUID
    event_id: UUID
    evaluation: int
    epoch: str | None
    symbol: str
    event_type: EventType
    source: str
    market: str
    model: str
    decision: Word
    confidence: Share | None
    status: DecisionStatus
    fallback: bool
    evaluated_at: datetime
    published_at: datetime | None
    valid_until: datetime
    data: DecisionData


class RestedDecision(DecisionItem):
    """The same, with what it rests on."""

    prompt_version: str
    prompt_hash: Hash
    payload_hash: Hash
    schema_hash: Hash
    ungrounded_ratio: Annotated[Share | None, Field(description="Of the numbers cited as evidence; null when none was.")]
    carried_from: Annotated[UUID | None, Field(description="The decision of an earlier round that was taken over.")]
    model_meta: dict[str, Any]


class Vote(BaseModel):
    """One model's part in a verdict."""

    model: str
    decision: Word
    confidence: Share | None
    status: DecisionStatus


class Conclusion(BaseModel):
    """What the models' answers come to."""

    id: UUID
    decision: Word
    confidence: Share | None
    fallback: bool
    reason: str | None
    policy: str
    policy_version: int
    votes: list[Vote]
    disagreement: float
    evaluated_at: datetime


class VerdictItem(Conclusion):
    """A verdict with the signal it is about."""

    event_id: UUID
    evaluation: int
    symbol: str
    event_type: EventType
    source: str
    market: str


class ReceiptItem(BaseModel):
    """An executor's own word on a decision, as it came over the socket."""

    decision_id: UUID
    by: str
    state: Literal["received", "acted", "skipped"]
    reason: str | None
    client_order_id: str | None
    received_at: datetime


class Event(EventItem, EventStatus):
    """A signal with everything that became of it."""

    metadata: dict[str, Any]
    timeline: list[Step]
    enrichment: EnrichmentFacts | None
    decisions: list[RestedDecision]
    verdict: Conclusion | None
    receipts: list[ReceiptItem]


class ModelHealth(BaseModel):
    """Over the latest answers, at most 50: `usable` ones are `ok` or `repaired`."""

    state: Literal["unknown", "ok", "degraded", "failing"]
    answers: int
    usable: int
    last_answer_at: datetime | None
    last_usable_at: datetime | None
    median_latency_ms: float | None
    breaker: Annotated[
        Literal["closed", "half_open", "open"], Field(description="Whether it is asked; half open: the next call finds out.")
    ]
    breaker_cause: Annotated[str | None, Field(description="The code of the latest failure; null when the latest call went well.")]
    spent_today_usd: Annotated[str | None, Field(description="Of its daily budget; null while nothing was counted.")]
    reserved_usd: Annotated[str | None, Field(description="Set aside for calls in flight.")]


class ModelItem(BaseModel):
    """A model of the registry."""

    name: str
    vendor: str
    model_id: str
    prompt_version: str
    enabled: bool
    timeout_ms: int
    max_in_flight: int | None
    calls_per_minute: int | None
    daily_budget_usd: str | None
    created_at: datetime
    health: ModelHealth


class SourceLimits(BaseModel):
    """Beyond these a signal ends rejected."""

    max_age_s: float | None
    max_future_s: float | None
    max_drift_bps: float | None
    max_drift_atr: float | None


class SourceItem(BaseModel):
    """A sender."""

    name: str
    paused: bool
    limits: Annotated[SourceLimits, Field(description="Its own; null: the installation's.")]
    close_fallback: Annotated[ExitWord, Field(description="What is said of a CLOSE signal that nobody judged.")]
    first_seen_at: datetime
    last_seen_at: datetime | None


class _Page(BaseModel):
    next: Annotated[str | None, Field(description="The address of the older rows.")]
    previous: Annotated[str | None, Field(description="The address of the newer rows.")]


class EventPage(_Page):
    """Signals, newest first."""

    results: list[EventItem]


class DecisionPage(_Page):
    """Decisions, newest first."""

    results: list[DecisionItem]


class VerdictPage(_Page):
    """Verdicts, newest first."""

    results: list[VerdictItem]


class LetterPage(_Page):
    """Dead letters, newest first."""

    results: list[Letter]


class ModelPage(_Page):
    """Models, newest first."""

    results: list[ModelItem]


class SourcePage(_Page):
    """Sources, newest first."""

    results: list[SourceItem]


class StreamFrame(BaseModel):
    """A frame of the decision stream, as a socket would have sent it in a replay."""

    type: Literal["decision", "verdict"]
    epoch: str
    seq: int
    prev_seq: int
    snapshot: bool
    stale: bool
    event_id: UUID
    evaluation: int
    symbol: str
    event_type: EventType
    source: str
    market: str
    model: str | None
    decision: Word
    confidence: Share | None
    status: DecisionStatus | None = None
    fallback: bool
    published_at: datetime
    valid_until: datetime
    data: dict[str, Any]


class StreamPage(BaseModel):
    """Frames, oldest first, and where to read on."""

    epoch: str
    head_seq: int
    results: list[StreamFrame]
    next_after_seq: int


class QueueDepths(BaseModel):
    """Messages waiting, by queue."""

    queues: dict[str, int]


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class Readiness(BaseModel):
    """Each dependency's state: `ok`, or what is wrong with it."""

    status: Literal["ready", "not_ready"]
    dependencies: dict[str, str]
    queues: dict[str, int]
    timestamp: datetime
