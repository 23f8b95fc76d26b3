"""Webhooks in the admin: endpoints are made, tried, turned, paused and caught up; deliveries are looked at and sent again."""

from datetime import timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from core.admin import HouseAdmin, ReadOnly
from core.errors import LensError
from publishing.models import WebhookDelivery, WebhookEndpoint
from publishing.operations import LARGEST_SEQ, parse_filter
from publishing.selectors import known_models
from publishing.webhooks import services
from publishing.webhooks.models import check_filter
from publishing.webhooks.services import Revival
from publishing.webhooks.targets import check_target

MOST_AT_ONCE = 200


class EndpointForm(forms.ModelForm[WebhookEndpoint]):
    """Where posts may go is judged by what the name resolves to now; the courier judges again for each connection."""

    class Meta:
        model = WebhookEndpoint
        fields = ["name", "url", "filter", "max_in_flight"]

    def clean_url(self) -> str:
        """Raises ValidationError for an address that posts may not go to."""
        url: str = self.cleaned_data["url"]
        try:
            check_target(url, settings.LENS.webhook_allow_private)
        except ValueError as refusal:
            raise ValidationError(str(refusal)) from refusal
        return url

    def clean_filter(self) -> dict[str, Any]:
        """Raises ValidationError for what is no filter, and for a model that the registry does not know."""
        given = self.cleaned_data["filter"]
        wanted: dict[str, Any] = {} if given is None else given
        check_filter(wanted)
        if wanted.get("model") and (strangers := parse_filter(wanted).strangers(known_models())):
            raise ValidationError(f"model: no such model: {', '.join(strangers)}")
        return wanted


class SinceForm(forms.Form):
    """From where to replay."""

    since = forms.IntegerField(min_value=0, max_value=LARGEST_SEQ, label="after seq")


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(HouseAdmin[WebhookEndpoint]):
    """Secrets are shown in the answer that made them and never again. Endpoints are paused, not deleted: deliveries name them."""

    form = EndpointForm
    list_display = ["name", "state", "reason", "position", "failures", "last_error", "last_success_at"]
    list_filter = ["state"]
    searched = ["name"]
    secret = ["salt", "previous_salt"]
    readonly_fields = [
        *("state", "reason", "state_since", "position", "failures", "failing_since", "rests_until"),
        *("last_success_at", "last_error", "previous_until", "created_at"),
    ]
    change_form_template = "admin/publishing/webhookendpoint/endpoint_form.html"
    actions = ["pause", "resume", "resume_from_now", "export"]

    @admin.action(description="Pause the selected endpoints", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """Their places in the log are kept."""
        self._tell(request, "Paused.", [one for one in queryset if services.pause(one, request.user.get_username())])

    @admin.action(description="Resume the selected endpoints where they stood", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """What they missed is delivered first."""
        self._tell(request, "Resumed.", [one for one in queryset if services.resume(one)])

    @admin.action(description="Resume the selected endpoints from now, skipping what they missed", permissions=["change"])
    def resume_from_now(self, request: HttpRequest, queryset: QuerySet[WebhookEndpoint]) -> None:
        """What they missed can still be replayed."""
        self._tell(request, "Resumed from now.", [one for one in queryset if services.resume(one, skip=True)])

    def has_delete_permission(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        views = {"rotate": self.rotate, "try": self.try_out, "replay": self.replay}
        guarded = self.admin_site.admin_view
        own = [
            path(f"<uuid:pk>/{name}/", guarded(require_POST(view)), name=f"publishing_webhookendpoint_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, change: bool) -> None:
        if change:
            # Only what the form shows: the courier moves the other columns meanwhile.
            obj.save(update_fields=form.Meta.fields)
        else:
            # For the answer to this request only; nothing else ever holds the text.
            request.META["lens.webhook_secret"] = services.begin(obj)
            obj.save()

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, post_url_continue: str | None = None) -> HttpResponse:
        return self._show_secret(request, obj, request.META["lens.webhook_secret"])

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), "since": SinceForm()})

    def rotate(self, request: HttpRequest, pk: str) -> HttpResponse:
        """A new secret; the old one signs along for a day, unless it leaked."""
        endpoint = self._changeable(request, pk)
        overlap = timedelta(0) if "at_once" in request.POST else services.OVERLAP
        text = services.rotate(endpoint, overlap)
        self.log_change(request, endpoint, "Secret rotated.")
        return self._show_secret(request, endpoint, text)

    def try_out(self, request: HttpRequest, pk: str) -> HttpResponse:
        """One test post, its outcome shown at once."""
        endpoint = self._changeable(request, pk)
        try:
            answer = services.try_out(endpoint)
        except LensError as error:
            self.message_user(request, f"{error.detail} {error.facts.get('excerpt', '')}".strip(), messages.ERROR)
        else:
            self.message_user(request, f"Taken: {answer.status} after {answer.duration_ms} ms. {answer.excerpt}".strip())
        return self._back(endpoint)

    def replay(self, request: HttpRequest, pk: str) -> HttpResponse:
        """What never arrived after a seq is owed again."""
        endpoint = self._changeable(request, pk)
        form = SinceForm(request.POST)
        if form.is_valid():
            since = form.cleaned_data["since"]
            ended = services.replay_missing(endpoint, since, Revival(request.user.get_username()))
            self.log_change(request, endpoint, f"Missing frames replayed since {since}.")
            self.message_user(request, f"What never arrived after {since} is on its way; {ended} of it had been given up.")
        else:
            self.message_user(request, "Give the seq after which to replay, a whole number.", messages.ERROR)
        return self._back(endpoint)

    def _changeable(self, request: HttpRequest, pk: str) -> WebhookEndpoint:
        endpoint = get_object_or_404(WebhookEndpoint, pk=pk)
        if not self.has_change_permission(request, endpoint):
            raise PermissionDenied
        return endpoint

    def _back(self, endpoint: WebhookEndpoint) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:publishing_webhookendpoint_change", args=[endpoint.pk]))

    def _show_secret(self, request: HttpRequest, endpoint: WebhookEndpoint, text: str) -> HttpResponse:
        frame = {**self.admin_site.each_context(request), "opts": self.opts, "original": endpoint}
        context = {**frame, "title": f"The signing secret: {endpoint.name}", "secret": text}
        return TemplateResponse(request, "admin/publishing/webhookendpoint/secret.html", context)

    def _tell(self, request: HttpRequest, what: str, changed: list[WebhookEndpoint]) -> None:
        for endpoint in changed:
            self.log_change(request, endpoint, what)
        self.message_user(request, f"{len(changed)} endpoints: {what}")


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnly, HouseAdmin[WebhookDelivery]):
    """What was sent where, and what came of it."""

    list_display = ["id", "endpoint", "seq", "event_id", "state", "attempts", "next_attempt_at", "ended_at", "latest"]
    list_filter = ["state", "endpoint"]
    searched = ["event_id", "seq"]
    list_select_related = ["endpoint"]
    actions = ["send_again", "export"]

    def has_resend_permission(self, request: HttpRequest) -> bool:
        """Looking is not enough: who may change deliveries may send them again."""
        return request.user.has_perm("publishing.change_webhookdelivery")

    @admin.action(description=f"Send again (at most {MOST_AT_ONCE})", permissions=["resend"])
    def send_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        """Under the same `webhook-id`; delivered ones too."""
        chosen = list(queryset.values_list("pk", flat=True)[:MOST_AT_ONCE])
        revived = services.revive(WebhookDelivery.objects.filter(pk__in=chosen), Revival(request.user.get_username()))
        self.message_user(request, f"{revived} deliveries are on their way again.")

    @admin.display(description="latest attempt")
    def latest(self, delivery: WebhookDelivery) -> str:
        """Status or code of the last attempt."""
        last = delivery.history[-1] if delivery.history else {}
        return " ".join(str(last[name]) for name in ("code", "status") if name in last)
