"""The stream as it describes itself: an AsyncAPI 3.0 document drawn from the shapes that are sent and heard. Pure."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from publishing import messages, operations

SAID: tuple[type[BaseModel], ...] = (
    messages.Welcome,
    messages.Subscribed,
    messages.SentDecision,
    messages.SentVerdict,
    messages.Heartbeat,
    messages.Pong,
    messages.Receipted,
    messages.Complaint,
    messages.Resync,
)
HEARD: tuple[type[BaseModel], ...] = (
    operations.Auth,
    operations.Subscribe,
    operations.Unsubscribe,
    operations.Ping,
    operations.Ack,
    operations.ReceiptGiven,
)
CHANNEL = "#/channels/decisions"
ABOUT = """\
One frame per decision of a model and one per verdict, numbered without gaps; each names in `prev_seq` the frame sent before it.
Say who you are with `X-API-Key` or `Authorization: Bearer` in the handshake, with the subprotocol `lens.key.<key>`, or with `auth`
within 5 s; never in the address. Delivery is at least once: keep the last `seq` and resume with `since`.

| close code | meaning | come back? |
|---|---|---|
| 1009 | a message above 16 KiB | not with that message |
| 1011, 1013 | the stream cannot be served just now | yes, with growing pauses |
| 1012 | restart; the reason says `reconnect_ms=<n>` | yes, after that pause |
| 4400 | binary, or ten errors within a minute | after mending the client |
| 4401, 4403 | no valid key; key without `decisions:read` | with another key |
| 4408 | nobody said who this is | yes, and say it |
| 4410 | frames were not read in time | yes, with `since` |
| 4429 | too many connections, or too many that failed | later |
"""


def document() -> dict[str, Any]:
    """The whole description."""
    schemas = _schemas()
    names = [kind.__name__ for kind in (*SAID, *HEARD)]
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "SigmaPilot Lens: the decision stream", "version": "1", "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            "sockets": {"host": "127.0.0.1:8001", "protocol": "ws", "security": [{"$ref": "#/components/securitySchemes/key"}]}
        },
        "channels": {
            "decisions": {
                "address": "/ws/decisions",
                "description": "Alias `/api/v1/ws/stream`. Subprotocol `lens.v1`, optional.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            }
        },
        "operations": {
            "said": _operation("send", "What a client hears.", SAID),
            "heard": _operation("receive", "What a client may say.", HEARD),
        },
        "components": {
            "messages": {kind.__name__: _message(kind) for kind in (*SAID, *HEARD)},
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "httpApiKey", "in": "header", "name": "X-API-Key"}},
        },
    }


def _operation(action: str, summary: str, kinds: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    found = [{"$ref": f"{CHANNEL}/messages/{kind.__name__}"} for kind in kinds]
    return {"action": action, "summary": summary, "channel": {"$ref": CHANNEL}, "messages": found}


def _message(kind: type[BaseModel]) -> dict[str, Any]:
    summary = (kind.__doc__ or "").strip()
    return {"name": kind.__name__, "summary": summary, "payload": {"$ref": f"#/components/schemas/{kind.__name__}"}}


def _schemas() -> dict[str, Any]:
    modes: tuple[tuple[tuple[type[BaseModel], ...], JsonSchemaMode], ...] = ((SAID, "serialization"), (HEARD, "validation"))
    inputs = [(kind, mode) for kinds, mode in modes for kind in kinds]
    _, found = models_json_schema(inputs, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = found["$defs"]
    for kind in SAID:
        _always(schemas[kind.__name__])
    return schemas


def _always(schema: dict[str, Any]) -> None:
    """A message's type is always there, although nobody has to give it."""
    first = "type"
    schema["required"] = [first, *(name for name in schema.get("required", []) if name != first)]
