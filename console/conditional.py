"""Answers that say when nothing has changed: a strong `ETag` from the content, 304 for whoever already holds it."""

import hashlib
from typing import Any

from django.utils.http import parse_etags
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.status import HTTP_304_NOT_MODIFIED


def tagged(request: Request, body: dict[str, Any]) -> Response:
    """The body with its tag, or 304 without a body when the tag is among `If-None-Match`."""
    tag = f'"{hashlib.sha256(JSONRenderer().render(body)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, X-API-Key"}
    held = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in held or tag in {one.removeprefix("W/") for one in held}:
        return Response(status=HTTP_304_NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers)
