"""The admin site: its front page, and a door that does not let anybody guess for long."""

from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from access.peers import peer_of
from access.throttling import LoginTries
from console.overview import overview


class ThrottledLogin(AuthenticationForm):  # type: ignore[misc]  # the theme has no types
    """Counts a try before the password is looked at, and forgets it when the password was right."""

    def clean(self) -> Any:
        tries = LoginTries(peer_of(self.request), str(self.cleaned_data.get("username", "")))
        if wait := tries.begin():
            raise ValidationError(f"Too many tries; the next one counts in {wait} s.", "throttled", {"wait": wait})
        cleaned = super().clean()
        tries.forgive()
        return cleaned


class LensAdminSite(UnfoldAdminSite):  # type: ignore[misc]
    """Everything registered, behind one login."""

    index_template = "console/admin_index.html"
    index_title = "Overview"
    login_form = ThrottledLogin

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """429 with the time to wait when there were too many tries."""
        answer: HttpResponse = super().login(request, extra_context)
        form = getattr(answer, "context_data", None) and answer.context_data.get("form")  # type: ignore[attr-defined]
        if form is not None and form.is_bound and form.has_error(NON_FIELD_ERRORS, "throttled"):
            (error,) = form.errors.as_data()[NON_FIELD_ERRORS]
            answer.status_code = 429
            answer["Retry-After"] = str(error.params["wait"])
        return answer

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        """What a person on call wants to know first."""
        page: TemplateResponse = super().index(request, {**(extra_context or {}), "overview": overview(request.user)})
        return page

    def extra_urls(self) -> list[URLPattern]:
        """The front page's tiles, for themselves."""
        return [path("overview/", self.admin_view(self.tiles), name="overview")]

    def tiles(self, request: HttpRequest) -> TemplateResponse:
        """Fetched again every few seconds."""
        return TemplateResponse(request, "console/admin_tiles.html", {"overview": overview(request.user)})
