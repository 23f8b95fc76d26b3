"""What a client may say on the socket: every operation and the filter it may carry, checked before anything acts on it. Pure."""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, NoReturn, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from publishing.frames import Kind
from signals.models import EventType
from signals.symbols import canonical_symbol

ANY = "*"
MOST_VALUES = 200
LARGEST_SEQ = 2**63 - 1
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"

Id = Annotated[str, Field(max_length=64)] | int | None
Seq = Annotated[int, Field(ge=0, le=LARGEST_SEQ)]


Refusal = Literal["bad_json", "invalid_op", "invalid_filter", "unknown_decision", "receipt_conflict", "unavailable"]


class ReceiptState(StrEnum):
    """How far an executor has come with a decision."""

    RECEIVED = "received"
    ACTED = "acted"
    SKIPPED = "skipped"


class RefusedError(Exception):
    """The message cannot be acted on; `code` is the error frame's."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(message)
        self.code = code
        # It may repeat what the client wrote, lone surrogates included, which no frame could carry.
        self.message = message.encode("utf-8", "replace").decode()


def _listed(value: object) -> object:
    """A filter's value is a list or a single string; a list that holds `*` names everything, as an absent key does."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or not values or not all(isinstance(member, str) for member in values):
        raise ValueError("give a string or a list of strings")
    return None if ANY in values else frozenset(values)


def _one_spelling(symbols: frozenset[str] | None) -> frozenset[str] | None:
    return symbols and frozenset(canonical_symbol(symbol).upper() for symbol in symbols)


T = TypeVar("T")
# As a filter is written down for readers; what is read is always a set.
Star = Literal["*"]
OneOrMore = Annotated[list[T], Field(min_length=1)]

# Checked like any stored text: without it a name that no encoding knows would pass, and break whoever repeats it.
Name = Annotated[str, Field(max_length=100, pattern=PRINTABLE)]
Names = Annotated[
    frozenset[Name] | None, Field(max_length=MOST_VALUES), BeforeValidator(_listed, json_schema_input_type=str | OneOrMore[str])
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Wanted(_Strict):
    """The filter as the client states it; None is everything. Symbols are canonical, in upper case."""

    symbol: Annotated[Names, AfterValidator(_one_spelling)] = None
    model: Names = None
    event_type: Annotated[
        frozenset[Annotated[EventType, Field(strict=False)]] | None,
        BeforeValidator(_listed, json_schema_input_type=EventType | Star | OneOrMore[EventType | Star]),
    ] = None
    kind: Annotated[
        frozenset[Annotated[Kind, Field(strict=False)]] | None,
        BeforeValidator(_listed, json_schema_input_type=Kind | Star | OneOrMore[Kind | Star]),
    ] = None

    def strangers(self, known: set[str]) -> list[str]:
        """The models it names that are not in the registry."""
        return sorted((self.model or frozenset()) - known)


class Since(_Strict):
    """A position in the log. Without an epoch the client does without the check that it is still the same log."""

    seq: Seq
    epoch: Annotated[str, Field(max_length=64)] | None = None


class Auth(_Strict):
    """The key, for clients that cannot set headers."""

    op: Literal["auth"]
    key: Annotated[str, Field(min_length=1, max_length=200)]


class Subscribe(_Strict):
    """Start the stream, in place of whatever this connection was subscribed to."""

    op: Literal["subscribe"]
    id: Id = None
    filter: Wanted = Wanted()
    since: Since | None = None
    window: Annotated[int, Field(ge=1, le=1000)] | None = None
    consumer: Annotated[str, Field(min_length=1, max_length=100, pattern=PRINTABLE)] | None = None


class Unsubscribe(_Strict):
    """Stop the stream; the connection stays."""

    op: Literal["unsubscribe"]
    id: Id = None


class Ping(_Strict):
    """Are you there?"""

    op: Literal["ping"]
    id: Id = None


class Ack(_Strict):
    """Everything up to this seq has been dealt with."""

    op: Literal["ack"]
    seq: Seq


class ReceiptGiven(_Strict):
    """What became of a decision at the executor. Each state is told once; the same again changes nothing."""

    op: Literal["receipt"]
    id: Id = None
    decision_id: Annotated[UUID, Field(strict=False)]
    state: Annotated[ReceiptState, Field(strict=False)]
    reason: Annotated[str, Field(max_length=500, pattern=PRINTABLE)] = ""
    client_order_id: Annotated[str, Field(max_length=100, pattern=PRINTABLE)] = ""


Operation = Auth | Subscribe | Unsubscribe | Ping | Ack | ReceiptGiven
_OPERATIONS: TypeAdapter[Operation] = TypeAdapter(Annotated[Operation, Field(discriminator="op")])


def parse(text: str) -> Operation:
    """The operation in a text message, in the stream's own form or the older one. Raises RefusedError."""
    try:
        message = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RefusedError("bad_json", "the message is not JSON") from error
    if not isinstance(message, dict):
        raise RefusedError("invalid_op", "the message is not a JSON object")
    try:
        return _OPERATIONS.validate_python(_modern(message))
    except ValidationError as error:
        raise _refusal(error) from error


def parse_filter(values: Mapping[str, Any]) -> Wanted:
    """The filter alone. Raises pydantic's ValidationError."""
    return Wanted.model_validate(values)


def _modern(message: dict[str, Any]) -> dict[str, Any]:
    """`{"action":"subscribe","filters":{…}}`, `{"action":"unsubscribe"}` and `{"type":"ping"}` in today's words.

    That form knew decisions only.
    """
    if message.get("type") == "ping" and "op" not in message:
        return {"op": "ping", **{key: value for key, value in message.items() if key != "type"}}
    if "action" not in message or "op" in message:
        return message
    renamed = {"action": "op", "filters": "filter"}
    modern = {renamed.get(key, key): value for key, value in message.items()}
    if modern["op"] == "subscribe" and isinstance(modern.setdefault("filter", {}), dict):
        modern["filter"] = {"kind": [Kind.DECISION], **modern["filter"]}
    return modern


def _refusal(error: ValidationError) -> RefusedError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = [str(part) for part in first["loc"][1:]]
    code: Refusal = "invalid_filter" if place[:1] == ["filter"] else "invalid_op"
    return RefusedError(code, f"{'.'.join(place) or 'op'}: {first['msg']}")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
