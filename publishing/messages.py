"""What the socket says, each shape defined once; docs/asyncapi.yaml is drawn from here. Pure."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from publishing.frames import DecisionFrame, VerdictFrame
from publishing.operations import Id, ReceiptState, Refusal, Since

Seq = Annotated[int, Field(ge=0)]
Stamp = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


class Message(BaseModel):
    """A text message to a client. What is None is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def text(self) -> str:
        """The JSON."""
        return self.model_dump_json(exclude_none=True)


class Welcome(Message):
    """Who you are is known; nothing is sent before a subscription."""

    type: Literal["welcome"] = "welcome"
    conn_id: UUID
    epoch: str
    head_seq: Seq
    heartbeat_s: float


class Subscribed(Message):
    """The stream follows; not `recovered` when it could not go on where it should. `since` is the kept position of a consumer."""

    type: Literal["subscribed"] = "subscribed"
    id: Id = None
    epoch: str
    head_seq: Seq
    recovered: bool
    since: Since | None = None


class Heartbeat(Message):
    """All is well: whoever has seen a frame less than `head_seq` that it asked for should have had it by now."""

    type: Literal["heartbeat"] = "heartbeat"
    epoch: str
    head_seq: Seq
    ts: Stamp


class Pong(Message):
    """The answer to a ping."""

    type: Literal["pong"] = "pong"
    id: Id = None


class Receipted(Message):
    """The receipt is stored; sent to whoever gave it an id."""

    type: Literal["receipt"] = "receipt"
    id: Id = None
    decision_id: UUID
    state: ReceiptState


class Complaint(Message):
    """The last message could not be acted on; the socket stays."""

    type: Literal["error"] = "error"
    code: Refusal
    message: str


class Resync(Message):
    """Something was missed for good; what is still kept can be read at `rest`, and the stream goes on from `head_seq`."""

    type: Literal["resync"] = "resync"
    reason: Literal["epoch_changed", "before_retention"]
    head_seq: Seq
    rest: str


class _Sent(BaseModel):
    """What a frame is given as it is appended, and what depends on the subscription and the hour."""

    epoch: str
    seq: Annotated[int, Field(ge=1)]
    prev_seq: Seq
    snapshot: bool
    stale: bool
    published_at: Stamp


class SentDecision(_Sent, DecisionFrame):
    """One model's judgement of a signal."""


class SentVerdict(_Sent, VerdictFrame):
    """What the judgements of a signal come to."""
