"""How the API describes itself: fields, keys and the doors of storeys below that know nothing of it; the pages that show it."""

from copy import deepcopy
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension, OpenApiViewExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularRedocView, SpectacularSwaggerSplitView
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from console import shapes
from console.described import PROBLEM_TYPE
from publishing.api import StreamQuery
from signals.api import SignalSerializer

# Schema of the fields that only signals/api.py has.
AMOUNT = {
    "oneOf": [
        {"type": "number", "minimum": 1e-8, "maximum": 1e12},
        {"type": "string", "pattern": r"^\d{1,13}(\.\d{1,8})?$"},
    ],
    "description": "A number or a plain decimal text from 0.00000001 to 1000000000000, at most 8 decimals and 20 digits.",
}
SYMBOL = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9][A-Za-z0-9:/@._-]{0,31}$",
    "description": "Any accepted spelling: `BTC`, `btc-perp`, `BTC/USDT`, `BINANCE:BTCUSDT.P`.",
}
ZONED = {"type": "string", "format": "date-time", "description": "RFC 3339 with a zone."}

LONG = {
    "event_type": "OPEN_SIGNAL",
    "symbol": "BTC",
    "signal_direction": "long",
    "entry_price": "60000.5",
    "size": "0.1",
    "liquidation_price": "54000",
    "ts_utc": "2026-01-05T09:00:00Z",
    "source": "desk_7",
}
CLOSE = {**LONG, "event_type": "CLOSE_SIGNAL", "signal_direction": "close_long", "liquidation_price": None}
EXAMPLES = [
    OpenApiExample("Open a long", LONG, request_only=True),
    OpenApiExample("Close it", CLOSE, request_only=True),
]
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="The same key gives the same signal. Alias: `X-Idempotency-Key`, or the body's `idempotency_key`.",
)


class KeyScheme(OpenApiAuthenticationExtension):
    """A key, in either of two headers."""

    target_class = "access.authentication.ApiKeyAuthentication"
    name = ["ApiKey", "Bearer"]

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:
        return [
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "`lens_<prefix>_<secret>`"},
            {"type": "http", "scheme": "bearer", "description": "The same key as a bearer token."},
        ]


class AmountScheme(OpenApiSerializerFieldExtension):
    """Prices and sizes."""

    target_class = "signals.api.AmountField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return deepcopy(AMOUNT)


class SymbolScheme(OpenApiSerializerFieldExtension):
    """Assets, in requests and in filters."""

    target_class = "signals.api.SymbolField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return deepcopy(SYMBOL)


class ZonedScheme(OpenApiSerializerFieldExtension):
    """Instants."""

    target_class = "signals.api.ZonedField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return deepcopy(ZONED)


class SubmitDoor(OpenApiViewExtension):
    """`POST /signals`."""

    target_class = "signals.api.SignalsView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            """The door with its description."""

            described_problems = (409, 422, 429)

            @extend_schema(
                summary="Hand over a signal",
                parameters=[IDEMPOTENCY_KEY],
                request=SignalSerializer,
                responses={201: shapes.Accepted, 200: shapes.Accepted},
                examples=EXAMPLES,
            )
            def post(self, request: Any) -> Any:
                """Shape and consistency are judged at once; age, drift and the asset afterwards, on the signal's timeline.

                201 with the new event, or 200 with the first answer again when the idempotency key was used for the same body.
                """

        return Described


class HookDoor(OpenApiViewExtension):
    """`POST /hooks/{kind}/{token}`."""

    target_class = "signals.hooks.api.HookView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            """The door with its description."""

            described_problems = (400, 403, 404, 409, 413, 422, 429, 503)

            @extend_schema(
                summary="An alert from a sender that cannot set headers",
                parameters=[
                    OpenApiParameter("kind", str, OpenApiParameter.PATH, enum=["tradingview", "generic"]),
                    OpenApiParameter("token", str, OpenApiParameter.PATH, description="The hook's secret."),
                    IDEMPOTENCY_KEY,
                ],
                request={"application/json": OpenApiTypes.OBJECT, "text/plain": OpenApiTypes.STR},
                responses={201: shapes.Accepted, 200: shapes.Accepted},
            )
            def post(self, request: Any, kind: str, token: str) -> Any:
                """Read with the hook's mapping, whatever the content type says, then checked as `POST /signals` checks.

                A refused message is answered with a hint for its author and kept in the inbox of rejected inputs.
                """

        return Described


class ValidateDoor(OpenApiViewExtension):
    """`POST /signals/validate`."""

    target_class = "signals.api.ValidateView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            """The door with its description."""

            @extend_schema(
                summary="Check a signal",
                parameters=[IDEMPOTENCY_KEY],
                request=SignalSerializer,
                responses={200: shapes.Canonical},
                examples=EXAMPLES,
            )
            def post(self, request: Any) -> Any:
                """The checks of `POST /signals`, and the form that would have been stored. Nothing is; it costs no limit."""

        return Described


class StreamDoor(OpenApiViewExtension):
    """`GET /decisions/stream`."""

    target_class = "publishing.api.StreamView"

    def view_replacement(self) -> type[APIView]:
        class Described(self.target_class):  # type: ignore[misc, name-defined]
            """The door with its description."""

            described_problems = (410,)

            @extend_schema(summary="The stream over REST, oldest first", parameters=[StreamQuery], responses=shapes.StreamPage)
            def get(self, request: Any) -> Any:
                """The frames a socket would have sent. Read on from `next_after_seq`; a position that is gone is a 410."""

        return Described


class _Faithful:
    """Errors of pages that are no JSON are problems all the same."""

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response.exception:
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), PROBLEM_TYPE
        return super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]


class SchemaView(_Faithful, SpectacularAPIView):
    """`GET /api/schema/`."""


class SwaggerView(_Faithful, SpectacularSwaggerSplitView):
    """`GET /api/docs/`; its script has an address of its own, so that none stands in the page."""


class RedocView(_Faithful, SpectacularRedocView):
    """`GET /api/redoc/`."""
