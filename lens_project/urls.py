"""Every address. REST under /api/v1, probes with and without the prefix, the admin."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views import defaults

from console import api as console
from console import letters_api, probes, schema
from console.pages import urls as pages
from console.rounds_api import RoundsView, RoundView
from core.problem import problem_response
from lens_project import pipeline
from publishing.api import StreamView
from signals.api import SignalsView, ValidateView
from signals.hooks.api import HookView

admin.autodiscover()

probe_urls = [
    path("health", probes.HealthView.as_view()),
    path("ready", probes.ReadyView.as_view()),
    path("metrics", probes.MetricsView.as_view()),
]
hook = HookView.as_view(start=pipeline.start)
# Senders' address fields like to add a slash.
hooks = [path("hooks/<str:kind>/<str:token>", hook), path("hooks/<str:kind>/<str:token>/", hook)]
v1: list[URLPattern | URLResolver] = [
    *probe_urls,
    *hooks,
    path("signals", SignalsView.as_view()),
    path("signals/validate", ValidateView.as_view()),
    path("signals/<uuid:event_id>", console.EventView.as_view()),
    path("events", console.EventsView.as_view()),
    path("events/reevaluate", RoundsView.as_view()),
    path("events/<uuid:event_id>/reevaluate", RoundView.as_view()),
    path("events/<uuid:event_id>", console.EventView.as_view()),
    path("events/<uuid:event_id>/status", console.EventStatusView.as_view()),
    path("decisions", console.DecisionsView.as_view()),
    path("decisions/stream", StreamView.as_view()),
    path("decisions/<uuid:decision_id>", console.DecisionView.as_view()),
    path("verdicts", console.VerdictsView.as_view()),
    path("dlq", console.LettersView.as_view()),
    path("dlq/retry", letters_api.RetryManyView.as_view()),
    path("dlq/<uuid:letter_id>", console.LetterView.as_view()),
    path("dlq/<uuid:letter_id>/retry", letters_api.RetryView.as_view()),
    path("dlq/<uuid:letter_id>/resolve", letters_api.ResolveView.as_view()),
    path("dlq/<uuid:letter_id>/discard", letters_api.DiscardView.as_view()),
    path("models", console.ModelsView.as_view()),
    path("sources", console.SourcesView.as_view()),
    path("queue/depth", console.QueueDepthView.as_view()),
    path("", include("access.urls")),
]
urlpatterns = [
    *probe_urls,
    *hooks,
    path("api/v1/", include(v1)),
    path("api/schema/", schema.SchemaView.as_view(), name="schema"),
    path("api/docs/", schema.SwaggerView.as_view()),
    path("api/redoc/", schema.RedocView.as_view()),
    re_path(r"^api(?:/|$)", console.unknown_address),
    path("admin/", admin.site.urls),
    path("", include((pages.addresses(pipeline.start), pages.app_name))),
]


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that no view got to see, such as one for a host that is not ours."""
    if _api(request):
        return problem_response("validation_error", "The request cannot be understood.", request)
    return defaults.bad_request(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    """A crash outside a view is still a problem document."""
    if _api(request):
        return problem_response("internal_error", "Something went wrong here.", request)
    return defaults.server_error(request)


def _api(request: HttpRequest) -> bool:
    return request.path.startswith("/api")
