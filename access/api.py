"""Keys over HTTP, for administrators: make, list, end, rotate."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from access.models import ApiKey, Scope
from access.services import Caller, NotRotatableError, create_key, revoke_key, rotate_key
from access.shapes import KeyPage, KeyQuery, MadeKey, NewKey, Rotation, shown
from access.views import WatchedView
from access.windows import Limits
from core.paging import Order, links, opened, read_page
from core.problem import Problem

_ORDER = Order("keys", "created_at")


class AdminView(WatchedView):
    """For keys with scope admin that are not confined to sources: a confined one could make itself an unconfined one."""

    required_scope = Scope.ADMIN

    def check_permissions(self, request: Request) -> None:
        """DRF's hook, called before the handler."""
        super().check_permissions(request)
        caller: Any = request.user
        if not isinstance(caller, Caller) or caller.allowed_sources:
            raise Problem("forbidden", "A key that is confined to sources may not manage keys.")


class KeysView(AdminView):
    """`GET` and `POST /api/v1/keys`."""

    @extend_schema(summary="Keys, newest first", parameters=[KeyQuery], responses=KeyPage)
    def get(self, request: Request) -> Response:
        """Every key that was ever made, without its text."""
        query = KeyQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        cursor = opened(asked["cursor"], _ORDER) if "cursor" in asked else None
        page = read_page(ApiKey.objects.all(), _ORDER, asked["limit"], cursor)
        return Response({"results": [shown(key) for key in page.rows], **links(request, page, _ORDER)})

    @extend_schema(summary="Make a key", request=NewKey, responses={201: MadeKey})
    def post(self, request: Request) -> Response:
        """201 with the key's text, which is never shown again."""
        asked = _checked(NewKey(data=request.data))
        key, text = create_key(
            asked["name"],
            asked["scopes"],
            allowed_sources=asked["allowed_sources"],
            expires_at=asked["expires_at"],
            limits=Limits(asked["rate_per_minute"], asked["burst"]),
        )
        return _made(key, text)


class KeyView(AdminView):
    """`DELETE /api/v1/keys/{id}`."""

    @extend_schema(summary="End a key", request=None, responses={204: None})
    def delete(self, _: Request, key_id: UUID) -> Response:
        """204; the key opens nothing within a second, open sockets included. Ending it again changes nothing."""
        if not revoke_key(str(key_id)) and not ApiKey.objects.filter(pk=key_id).exists():
            raise Problem("not_found", "No such key.")
        return Response(status=status.HTTP_204_NO_CONTENT)


class RotateView(AdminView):
    """`POST /api/v1/keys/{id}/rotate`."""

    @extend_schema(summary="Exchange a key for a new one", request=Rotation, responses={201: MadeKey})
    def post(self, request: Request, key_id: UUID) -> Response:
        """201 with the successor's text; the old key ends after `overlap_s`. 409 unless the key is alive and was never rotated."""
        asked = _checked(Rotation(data=request.data))
        try:
            key, text = rotate_key(str(key_id), timedelta(seconds=asked["overlap_s"]))
        except ApiKey.DoesNotExist as error:
            raise Problem("not_found", "No such key.") from error
        except NotRotatableError as error:
            raise Problem("conflict", str(error)) from error
        return _made(key, text)


def _checked(body: NewKey | Rotation) -> dict[str, Any]:
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


def _made(key: ApiKey, text: str) -> Response:
    return Response({**shown(key), "key": text}, status.HTTP_201_CREATED, headers={"Cache-Control": "no-store"})
