"""Who may look at the pages: members of staff with a session, as the admin and the socket have it."""

from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.views import View


class PageView(View):
    """A page. Strangers are led to the login; a part that asks again after the session ended leads its page there."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Raises PermissionDenied for known people who are no staff: logging in again would not help them."""
        user = request.user
        if user.is_active and user.is_authenticated and user.is_staff:
            return super().dispatch(request, *args, **kwargs)
        login = resolve_url(settings.LOGIN_URL)
        if "HX-Request" in request.headers:
            return HttpResponse(status=401, headers={"HX-Redirect": login})
        if user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.get_full_path(), login)
