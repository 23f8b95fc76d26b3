"""The front door for signal sources: shape checked here, everything else after the 201."""

from decimal import Context, Decimal
from typing import Any

from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from access.models import Scope
from access.services import Caller
from access.views import WatchedView, caller_of
from core.clock import iso, parse_zoned
from core.money import plain_or_none
from core.parsing import MAX_NUMBER
from core.problem import Problem
from lens_project import pipeline
from signals.intake import Taken, take
from signals.models import Direction, EventType
from signals.services import Submission
from signals.symbols import canonical_symbol

LOWEST = Decimal("0.00000001")
HIGHEST = Decimal(10) ** 12
# As many digits as a number may be long: taking the zeros off its end rounds nothing.
_WHOLE = Context(prec=MAX_NUMBER)
_TEXT = r"^[A-Za-z0-9_.:/-]+$"
_PRINTABLE = r"^[\x21-\x7e]+$"


class AmountField(serializers.Field[Decimal, Any, str, Any]):
    """A JSON number or a plain decimal string, positive, within the contract's bounds. No float is ever made."""

    def to_internal_value(self, data: Any) -> Decimal:
        amount = Decimal(data) if isinstance(data, str) and _is_plain(data) else data
        if isinstance(amount, bool) or not isinstance(amount, Decimal):
            raise serializers.ValidationError("Send a number or a plain decimal string.", "not_a_number")
        if not LOWEST <= amount <= HIGHEST:
            raise serializers.ValidationError("Must be between 0.00000001 and 1000000000000.", "out_of_range")
        least = amount.normalize(_WHOLE).as_tuple()
        if not isinstance(least.exponent, int) or least.exponent < -8 or len(least.digits) > 20:
            raise serializers.ValidationError("At most 8 decimals and 20 digits.", "too_precise")
        return amount


class ZonedField(serializers.Field[Any, Any, str, Any]):
    """RFC 3339 with a zone; naive times and epoch numbers are refused."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return parse_zoned(data)
        except (TypeError, ValueError) as error:
            raise serializers.ValidationError("Send RFC 3339 with a zone, such as 2026-01-05T09:00:00Z.", "not_a_time") from error


class SymbolField(serializers.Field[str, Any, str, Any]):
    """Any accepted spelling; kept in canonical form."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return canonical_symbol(data)
        except (TypeError, ValueError) as error:
            raise serializers.ValidationError(str(error), "not_a_symbol") from error


class StrictTextField(serializers.RegexField):
    """Text only: numbers and booleans are not turned into it."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Send a text.", "not_a_text")
        return str(super().to_internal_value(data))


class SignalSerializer(serializers.Serializer[Any]):
    """The body of `POST /signals`: unknown keys are refused, direction and liquidation price must agree with the event."""

    event_type = serializers.ChoiceField(EventType.choices)
    symbol = SymbolField()
    signal_direction = serializers.ChoiceField(Direction.choices)
    entry_price = AmountField()
    size = AmountField()
    liquidation_price = AmountField(allow_null=True)
    ts_utc = ZonedField()
    source = StrictTextField(_TEXT, max_length=100)  # type: ignore[assignment]  # DRF takes declared fields off the class
    feature_profile = StrictTextField(_TEXT, max_length=50, required=False, default="")
    idempotency_key = StrictTextField(_PRINTABLE, max_length=255, required=False, default=None, allow_null=True)
    metadata = serializers.DictField(required=False, default=dict)

    def to_internal_value(self, data: Any) -> Any:
        strangers = sorted(set(data) - set(self.fields)) if isinstance(data, dict) else []
        if strangers:
            raise serializers.ValidationError(
                {name[:100]: [serializers.ErrorDetail("There is no such field.", "unknown_field")] for name in strangers}
            )
        return super().to_internal_value(data)

    def validate_metadata(self, value: dict[str, Any]) -> dict[str, Any]:
        """A flat object of scalars, at most 2 KiB as JSON text."""
        if not all(isinstance(member, str | Decimal | bool | None) for member in value.values()):
            raise serializers.ValidationError("Only texts, numbers, true, false and null.", "not_flat")
        if sum(len(str(key).encode()) + len(str(member).encode()) + 6 for key, member in value.items()) > 2048:
            raise serializers.ValidationError("At most 2 KiB.", "too_large")
        return {key: str(member) if isinstance(member, Decimal) else member for key, member in value.items()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The fields must agree with each other."""
        opens = attrs["event_type"] == EventType.OPEN
        if opens != (attrs["signal_direction"] in (Direction.LONG, Direction.SHORT)):
            raise serializers.ValidationError({"signal_direction": "Does not agree with event_type."}, "disagrees")
        self._check_liquidation(attrs, opens)
        return attrs

    def _check_liquidation(self, attrs: dict[str, Any], opens: bool) -> None:
        level = attrs["liquidation_price"]
        if level is None:
            if opens:
                raise serializers.ValidationError({"liquidation_price": "Required for OPEN_SIGNAL."}, "required")
            return
        long = attrs["signal_direction"] in (Direction.LONG, Direction.CLOSE_LONG)
        if (level >= attrs["entry_price"]) if long else (level <= attrs["entry_price"]):
            side = "below" if long else "above"
            raise serializers.ValidationError({"liquidation_price": f"Must lie {side} entry_price."}, "wrong_side")


class SignalsView(WatchedView):
    """`POST /api/v1/signals`."""

    required_scope = Scope.SIGNALS_WRITE

    def post(self, request: Request) -> Response:
        """201 with the new event, or 200 with the first answer again for a repeated key."""
        caller = caller_of(request)
        fields, key = _read(request, caller)
        return accepted(take(Submission(fields, caller.id, key), caller.limits, pipeline.start))


class ValidateView(WatchedView):
    """`POST /api/v1/signals/validate`."""

    required_scope = Scope.SIGNALS_WRITE

    def post(self, request: Request) -> Response:
        """The checks of `POST /signals` and the canonical form; nothing is stored."""
        fields, key = _read(request, caller_of(request))
        return Response({**_canonical(fields), "idempotency_key": key})


# One instance checks every body, as a list's child does: building the fields anew costs more than checking them.
_SHAPE = SignalSerializer()


def check_signal(data: Any) -> dict[str, Any]:
    """The validated fields of a body. Raises serializers.ValidationError naming every fault."""
    return dict(_SHAPE.run_validation(data))


def _read(request: Request, caller: Caller) -> tuple[dict[str, Any], str | None]:
    """What the caller sent, checked, and its idempotency key. Raises Problem forbidden for a source that is not the caller's."""
    fields = check_signal(request.data)
    key = idempotency_key(request, fields.pop("idempotency_key"))
    if not caller.sees(fields["source"]):
        raise Problem("forbidden", "This key may not send signals for that source.")
    return fields, key


def _canonical(fields: dict[str, Any]) -> dict[str, Any]:
    """The signal as it is shown: decimal texts, UTC with milliseconds, null where there is nothing."""
    amounts = {name: plain_or_none(fields[name]) for name in ("entry_price", "size", "liquidation_price")}
    return {**fields, **amounts, "ts_utc": iso(fields["ts_utc"]), "feature_profile": fields["feature_profile"] or None}


def idempotency_key(request: Request, in_body: str | None) -> str | None:
    """The key from the header, its alias or the body; if several are given they must be the same."""
    headers = [request.headers.get("Idempotency-Key"), request.headers.get("X-Idempotency-Key")]
    given = {key for key in (*headers, in_body) if key is not None}
    if len(given) > 1:
        raise serializers.ValidationError({"idempotency_key": "Header and body differ."}, "disagrees")
    key = next(iter(given), None)
    if key is not None and not (0 < len(key) <= 255 and all("\x21" <= character <= "\x7e" for character in key)):
        raise serializers.ValidationError({"idempotency_key": "1–255 printable characters."}, "invalid")
    return key


def accepted(taken: Taken) -> Response:
    """201 for a new signal, 200 with the first answer again for one that was there."""
    signal, new = taken.signal, taken.new
    at = f"/api/v1/events/{signal.pk}"
    answer = {
        "event_id": str(signal.pk),
        "status": "queued",
        "received_at": iso(signal.received_at),
        "duplicate": not new,
        "links": {"self": at, "status": f"{at}/status"},
    }
    headers = {**taken.headers, **({"Location": at} if new else {"Idempotent-Replayed": "true"})}
    return Response(answer, status.HTTP_201_CREATED if new else status.HTTP_200_OK, headers=headers)


def _is_plain(text: str) -> bool:
    return len(text) <= 40 and text.isascii() and text.count(".") <= 1 and text.replace(".", "").isdigit() and text[:1] != "."
