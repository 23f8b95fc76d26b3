"""Taking a hook's message: read, mapped, checked by the same shape as `POST /signals`, stored once; or kept with a hint."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from core.canonical import canonical, digest
from core.clock import now, seconds
from core.problem import Problem, pointers
from signals.api import check_signal
from signals.hooks.bodies import UnreadableError, read_body
from signals.hooks.mapping import Mapped, Plan, map_sample
from signals.hooks.rules import merged
from signals.models import HookSource, RejectedInput, Signal
from signals.services import Submission

KEPT_PER_HOOK = 200
KEPT_BYTES = 65_536
# Where a message names no time of its own, the same bytes within a minute are one delivery repeated, later ones a new signal.
REPEAT_S = 60
_HEARD_EVERY = timedelta(seconds=1)
# Widely copied alerts carry passwords and exchange keys in their body; the inbox does not keep them.
_PASSWORD = re.compile(
    r"""((?:secret|pass(?:word|phrase)|token|api_?key)["']?\s*[:=]\s*)("[^"\r\n]*"?|'[^'\r\n]*'?|[^\s,;}]+)""", re.IGNORECASE
)


@dataclass(frozen=True)
class Delivery(Submission):
    """A submission whose sameness was settled when it was mapped: what time of arrival or a changed mapping add does not count."""

    identity: str = ""

    @property
    def fingerprint(self) -> str:
        return self.identity


@dataclass(frozen=True)
class Interpretation:
    """A message with all its checks behind it: what was mapped and the validated fields; empty where `problems` is not."""

    mapped: Mapped
    valid: dict[str, Any]
    problems: list[str]


def plan_of(hook: HookSource) -> Plan:
    """How this hook reads its messages."""
    return Plan(
        source=hook.name,
        rules=merged(hook.kind, hook.mapping),
        reading=hook.reading,
        default_size=hook.default_size,
        liquidation_distance_pct=hook.liquidation_distance_pct,
        use_arrival_time=hook.use_arrival_time,
    )


def read_message(hook: HookSource, raw: bytes, arrived: datetime) -> Interpretation:
    """What a body means to a hook; stores nothing. Raises UnreadableError when it has no names and values at all."""
    mapped = map_sample(read_body(raw), plan_of(hook), arrived)
    if mapped.problems:
        return Interpretation(mapped, {}, mapped.problems)
    try:
        return Interpretation(mapped, check_signal(mapped.fields), [])
    except ValidationError as error:
        found = [mapped.explain(item["pointer"].lstrip("/") or "message", item["detail"]) for item in pointers(error.detail)]
        return Interpretation(mapped, {}, found)


def delivery(hook: HookSource, raw: bytes, key_of: Callable[[str | None], str | None]) -> Delivery:
    """The submission behind a body. Raises Problem validation_error with every reason.

    `key_of` makes one idempotency key of the body's and the headers'; it raises ValidationError when they disagree.
    """
    arrived = now()
    try:
        reading = read_message(hook, raw, arrived)
    except UnreadableError as error:
        raise Problem("validation_error", str(error)) from error
    if reading.problems:
        raise Problem("validation_error", " ".join(reading.problems))
    fields = dict(reading.valid)
    try:
        own_key = key_of(fields.pop("idempotency_key"))
    except ValidationError as error:
        found = [f"{item['pointer'].lstrip('/')}: {item['detail']}" for item in pointers(error.detail)]
        raise Problem("validation_error", " ".join(found)) from error
    arrival = "ts_utc" in reading.mapped.assumed
    caller = f"hook:{hook.pk}"
    if own_key:
        return Delivery(fields, caller, own_key, _identity(fields, arrival))
    body = hashlib.sha256(raw).hexdigest()
    return Delivery(fields, caller, _derived_key(caller, body, arrived if arrival else None), body)


def reject(hook: HookSource, raw: bytes, content_type: str, hint: str) -> None:
    """Keep a refused message for its author to look at; the oldest beyond the bound go."""
    text = _PASSWORD.sub(r"\1…", _storable(raw[:KEPT_BYTES].decode("utf-8", "replace")))
    with transaction.atomic():
        hook.rejected.create(content_type=_storable(content_type[:100]), hint=_storable(hint), body=text)
        kept = hook.rejected.order_by("-id").values("id")[:KEPT_PER_HOOK]
        RejectedInput.objects.filter(hook=hook).exclude(id__in=kept).delete()


def _storable(text: str) -> str:
    """PostgreSQL keeps every character but one."""
    return text.replace("\x00", "\ufffd")


def heard(hook: HookSource) -> None:
    """Something came in by this address: at most one write a second, so that a burst does not queue for the row."""
    due = Q(last_heard_at__isnull=True) | Q(last_heard_at__lt=Now() - _HEARD_EVERY)
    HookSource.objects.filter(due, pk=hook.pk).update(last_heard_at=Now())


def may_come_from(hook: HookSource, peer: str) -> bool:
    """Whether the hook takes messages from this address; one that is no address comes only to a hook open to all."""
    if not hook.allowed_networks:
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in ip_network(network) for network in hook.allowed_networks)


def _identity(fields: dict[str, Any], arrival: bool) -> str:
    return digest(canonical({name: value for name, value in fields.items() if not (arrival and name == "ts_utc")}))


def _derived_key(caller: str, body: str, arrived: datetime | None) -> str:
    """The body's own hash, scoped to the hook by its caller id; with the minute of its first arrival where it names no time."""
    if arrived is None:
        return f"body:{body}"
    minute = int(arrived.timestamp()) // REPEAT_S
    before = f"body:{body}:{minute - 1}"
    recent = Signal.objects.filter(caller=caller, idempotency_key=before, received_at__gt=arrived - seconds(REPEAT_S))
    return before if recent.exists() else f"body:{body}:{minute}"
