"""The pages' addresses. The playground hands a signal on as the gateway does, so it is given the same way to start it."""

from collections.abc import Callable

from django.templatetags.static import static
from django.urls import URLPattern, path
from django.views.generic import RedirectView

from console.pages.feed import FeedView
from console.pages.models import ModelsView
from console.pages.playground import PlaygroundView, PriceView
from console.pages.signal import ChartView, LiveSignalView, SignalView
from console.pages.system import SystemNowView, SystemView

app_name = "pages"


def addresses(start: Callable[[str], None]) -> list[URLPattern]:
    """Everything outside the API and the admin."""
    return [
        path("", RedirectView.as_view(pattern_name="pages:feed"), name="front"),
        # Asked for by browsers on pages that name no icon.
        path("favicon.ico", RedirectView.as_view(url=static("console/lens.svg"))),
        path("feed", FeedView.as_view(), name="feed"),
        path("events/<uuid:event_id>", SignalView.as_view(), name="signal"),
        path("events/<uuid:event_id>/live", LiveSignalView.as_view(), name="signal-live"),
        path("events/<uuid:event_id>/chart", ChartView.as_view(), name="signal-chart"),
        path("models", ModelsView.as_view(), name="models"),
        path("system", SystemView.as_view(), name="system"),
        path("system/now", SystemNowView.as_view(), name="system-now"),
        path("playground", PlaygroundView.as_view(start=start), name="playground"),
        path("playground/price", PriceView.as_view(), name="playground-price"),
    ]
