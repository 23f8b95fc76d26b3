"""Every address. REST under /api/v1, probes with and without the prefix, the admin."""

from django.contrib import admin
from django.http import HttpRequest, JsonResponse
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from console import api as console
from core.problem import problem_response
from publishing.api import StreamView
from signals.api import SignalsView

probes = [
    path("health", console.health),
    path("ready", console.ready),
    path("metrics", console.metrics),
]
v1 = [
    *probes,
    path("signals", SignalsView.as_view()),
    path("signals/<uuid:event_id>", console.EventView.as_view()),
    path("events/<uuid:event_id>", console.EventView.as_view()),
    path("events/<uuid:event_id>/status", console.EventStatusView.as_view()),
    path("decisions/stream", StreamView.as_view()),
    path("queue/depth", console.QueueDepthView.as_view()),
]
urlpatterns = [
    *probes,
    path("api/v1/", include(v1)),
    re_path(r"^api/", console.unknown_address),
    path("admin/", admin.site.urls),
    path("", RedirectView.as_view(pattern_name="admin:index")),
]


def handler500(request: HttpRequest) -> JsonResponse:
    """A crash outside a view is still a problem document."""
    return problem_response("internal_error", "Something went wrong here.", request)
