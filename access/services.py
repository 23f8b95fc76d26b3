"""Making, checking, rotating and revoking keys. One mechanism for HTTP and WebSocket."""

import hmac
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from access.models import ApiKey, Scope
from access.windows import INHERITED, Limits
from core.canonical import digest
from core.clock import now
from core.tokens import Tokens

_TOKENS = Tokens("lens")
# A revocation is seen everywhere within a second: sockets look again every quarter of one.
CACHE_S = 0.7
_USED_EVERY_S = 60.0


@dataclass(frozen=True)
class Caller:
    """Who is asking: a key, or a trusted network peer. Empty `allowed_sources` means all."""

    id: str
    name: str
    scopes: frozenset[str]
    allowed_sources: frozenset[str] = frozenset()
    limits: Limits = INHERITED

    def may(self, scope: str) -> bool:
        """Whether the scope is held; admin implies every other."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, source: str) -> bool:
        """Whether signals of that source are this caller's business."""
        return not self.allowed_sources or source in self.allowed_sources

    @property
    def is_authenticated(self) -> bool:
        """What Django's permission code asks of a user."""
        return True


class NotRotatableError(Exception):
    """The key is revoked, expired or was rotated before."""


def create_key(
    name: str,
    scopes: Iterable[str],
    *,
    allowed_sources: Iterable[str] = (),
    expires_at: datetime | None = None,
    limits: Limits = INHERITED,
) -> tuple[ApiKey, str]:
    """A new key and its text, which is never seen again. Raises ValueError for an unknown scope."""
    wanted = list(scopes)
    if not wanted or (strangers := set(wanted) - set(Scope.values)):
        raise ValueError(f"unknown scope {', '.join(sorted(strangers))}" if wanted else "a key needs at least one scope")
    return _make(
        name=name,
        scopes=wanted,
        allowed_sources=list(allowed_sources),
        expires_at=expires_at,
        rate_per_minute=limits.per_minute,
        burst=limits.burst,
    )


def rotate_key(key_id: str, overlap: timedelta) -> tuple[ApiKey, str]:
    """A successor of the key and its text; the old one ends after the overlap.

    The successor is the same caller: scopes, sources, limits and idempotency keys go on, and so does the length of life.
    Raises ApiKey.DoesNotExist, NotRotatableError.
    """
    with transaction.atomic():
        old = ApiKey.objects.select_for_update().get(pk=key_id)
        at = now()
        if old.revoked_at or old.rotated_at or (old.expires_at and old.expires_at <= at):
            raise NotRotatableError("The key is revoked, expired or was rotated before.")
        made = _make(
            name=old.name,
            scopes=old.scopes,
            allowed_sources=old.allowed_sources,
            expires_at=at + (old.expires_at - old.created_at) if old.expires_at else None,
            rate_per_minute=old.rate_per_minute,
            burst=old.burst,
            family=old.family or old.pk,
        )
        old.rotated_at = at
        old.expires_at = min(at + overlap, old.expires_at or at + overlap)
        old.save(update_fields=["rotated_at", "expires_at"])
    return made


def _make(**columns: Any) -> tuple[ApiKey, str]:
    prefix, text = _TOKENS.make()
    key = ApiKey.objects.create(prefix=prefix, key_hash=digest(text), **columns)
    key.refresh_from_db(fields=["created_at"])
    return key, text


def revoke_key(key_id: str) -> bool:
    """Effective within a second on every process, open sockets included."""
    return ApiKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=Now()) == 1


class _Recent:
    """Answers of the last second, so that a busy key costs one query a second and a revoked one lives no longer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Caller | None]] = {}

    def get(self, digest: str) -> tuple[bool, Caller | None]:
        with self._lock:
            at, caller = self._answers.get(digest, (0.0, None))
        return time.monotonic() - at < CACHE_S and at > 0, caller

    def put(self, digest: str, caller: Caller | None) -> None:
        with self._lock:
            if len(self._answers) > 10_000:
                self._answers.clear()
            self._answers[digest] = (time.monotonic(), caller)


_recent = _Recent()


def authenticate(text: str) -> Caller | None:
    """The caller behind a key's text, or None when it is unknown, expired or revoked. At most 0.7 s old."""
    prefix = _TOKENS.prefix(text)
    if prefix is None:
        return None
    shown = digest(text)
    fresh, caller = _recent.get(shown)
    if not fresh:
        caller = _look_up(prefix, shown)
        _recent.put(shown, caller)
    return caller


def key_names(callers: Iterable[str]) -> dict[str, str]:
    """What the keys behind these callers are called, of a line of rotations the newest; peers and keys that are gone have none."""
    asked = frozenset(callers)
    keys = ApiKey.objects.only("family", "name").order_by("created_at")
    return {caller: key.name for key in keys if (caller := _caller(key)) in asked}


def _look_up(prefix: str, shown: str) -> Caller | None:
    key = _live(prefix)
    if key is None or not hmac.compare_digest(key.key_hash, shown):
        return None
    _touch(key)
    limits = Limits(key.rate_per_minute, key.burst)
    return Caller(_caller(key), key.name, frozenset(key.scopes), frozenset(key.allowed_sources), limits)


def _caller(key: ApiKey) -> str:
    """Every key of a line of rotations is the same caller."""
    return f"key:{key.family or key.pk}"


def _live(prefix: str) -> ApiKey | None:
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=Now())
    return ApiKey.objects.filter(unexpired, prefix=prefix, revoked_at__isnull=True).first()


def _touch(key: ApiKey) -> None:
    """Last use, to the minute: a write a minute, not one a request."""
    if key.last_used_at is None or time.time() - key.last_used_at.timestamp() > _USED_EVERY_S:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=Now())
