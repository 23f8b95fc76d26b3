"""Keys on the wire: what may be asked for, strictly, and what is shown. The text of a key is in two answers only."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from access.models import ApiKey, Scope
from core.clock import iso, iso_or_none, now, parse_zoned

LONGEST_OVERLAP_S = 30 * 86_400
LONGEST_LIFE = timedelta(days=3_653)
MOST_PER_MINUTE = 100_000
_BEYOND = 10**12
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
_SOURCE = r"^[A-Za-z0-9_.:/-]+$"


class TextField(serializers.RegexField):
    """Text only: numbers are not turned into it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Send a text.", "not_a_text")
        return str(super().to_internal_value(data))


class WholeField(serializers.IntegerField):
    """A JSON number without a fraction: no text, no boolean."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | Decimal) or not -_BEYOND < data < _BEYOND or data % 1:
            raise serializers.ValidationError("Send a whole number.", "not_a_number")
        return int(data)


class FutureField(serializers.DateTimeField):
    """RFC 3339 with a zone; still to come, within ten years."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            instant = parse_zoned(data)
        except (TypeError, ValueError, OverflowError) as error:
            raise serializers.ValidationError("Send RFC 3339 with a zone, such as 2026-01-05T09:00:00Z.", "not_a_time") from error
        if not now() < instant < now() + LONGEST_LIFE:
            raise serializers.ValidationError("Must be in the future, within ten years.", "out_of_range")
        return instant


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses names it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (strangers := sorted(set(data) - set(self.fields))):
            unknown = serializers.ErrorDetail("There is no such field.", "unknown_field")
            raise serializers.ValidationError({name[:100]: [unknown] for name in strangers})
        return super().to_internal_value(data)


class NewKey(StrictSerializer):
    """The body of `POST /keys`. A limit that is null or absent follows the installation's; 0 turns that window off."""

    name = TextField(_PRINTABLE, max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices), min_length=1, max_length=len(Scope))
    allowed_sources = serializers.ListField(child=TextField(_SOURCE, max_length=100), max_length=100, required=False, default=list)
    rate_per_minute = WholeField(min_value=0, max_value=MOST_PER_MINUTE, required=False, allow_null=True, default=None)
    burst = WholeField(min_value=0, max_value=MOST_PER_MINUTE, required=False, allow_null=True, default=None)
    expires_at = FutureField(required=False, allow_null=True, default=None)


class Rotation(StrictSerializer):
    """The body of `POST /keys/{id}/rotate`: how long the old key lives on."""

    overlap_s = WholeField(min_value=0, max_value=LONGEST_OVERLAP_S, required=False, default=86_400)


class KeyQuery(StrictSerializer):
    """Which page of keys."""

    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.CharField(required=False)


class KeyItem(serializers.Serializer[Any]):
    """A key as lists show it."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    allowed_sources = serializers.ListField(child=serializers.CharField())
    rate_per_minute = serializers.IntegerField(allow_null=True)
    burst = serializers.IntegerField(allow_null=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    rotated_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class MadeKey(KeyItem):
    """A new key, its text in `key` for this once."""

    key = serializers.CharField()


class KeyPage(serializers.Serializer[Any]):
    """One page of keys, newest first."""

    results = KeyItem(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


def shown(key: ApiKey) -> dict[str, Any]:
    """The key without anything that opens a door."""
    return {
        "id": str(key.pk),
        "name": key.name,
        "prefix": key.prefix,
        "scopes": key.scopes,
        "allowed_sources": key.allowed_sources,
        "rate_per_minute": key.rate_per_minute,
        "burst": key.burst,
        "created_at": iso(key.created_at),
        "expires_at": iso_or_none(key.expires_at),
        "rotated_at": iso_or_none(key.rotated_at),
        "revoked_at": iso_or_none(key.revoked_at),
        "last_used_at": iso_or_none(key.last_used_at),
    }
