"""`POST /bare`: what any DRF view costs that takes JSON and inserts one row – no key, no checks, no hand-over."""

from typing import Any

from django.urls import path
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.ids import uuid7
from lens_project.urls import urlpatterns as product
from signals.models import Source


class BareView(APIView):
    """The least a view can do."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (JSONParser,)

    def post(self, request: Request) -> Response:
        """Parse, insert, answer."""
        body: Any = request.data
        row = Source.objects.create(name=f"{body['source']}-{uuid7()}")
        return Response({"name": row.name}, status=201)


urlpatterns = [path("bare", BareView.as_view()), *product]
