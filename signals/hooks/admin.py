"""Hooks in the admin: made, read out once, turned, tried with a pasted message; and the inbox of what was refused."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from core.admin import HouseAdmin, ReadOnly, clipped
from core.canonical import canonical
from core.clock import now
from signals.hooks.bodies import UnreadableError
from signals.hooks.selectors import silent_sources
from signals.hooks.services import KEPT_BYTES, read_message
from signals.hooks.tokens import issue_token, revoke_token
from signals.models import HookSource, RejectedInput

ALERT = """{
  "ticker": "{{ticker}}",
  "action": "{{strategy.order.action}}",
  "market_position": "{{strategy.market_position}}",
  "prev_market_position": "{{strategy.prev_market_position}}",
  "market_position_size": "{{strategy.market_position_size}}",
  "price": "{{strategy.order.price}}",
  "contracts": "{{strategy.order.contracts}}",
  "order_id": "{{strategy.order.id}}",
  "timenow": "{{timenow}}"
}"""


class SampleForm(forms.Form):
    """A message as the sender would post it."""

    body = forms.CharField(max_length=KEPT_BYTES, strip=False, widget=forms.Textarea(attrs={"rows": 12, "cols": 90}))


@admin.register(HookSource)
class HookSourceAdmin(HouseAdmin[HookSource]):
    """The secret is shown in the answer that made it and never again; a hook is revoked, not deleted, for signals name it."""

    list_display = ["name", "kind", "enabled", "prefix", "last_heard_at", "heartbeat", "revoked_at"]
    list_filter = ["kind", "enabled"]
    searched = ["name", "prefix"]
    secret = ["token_hash"]
    readonly_fields = ["prefix", "created_at", "last_heard_at", "revoked_at"]
    change_form_template = "admin/signals/hooksource/hook_form.html"
    actions = ["revoke", "export"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[HookSource]:
        return super().get_queryset(request).annotate(silent=Exists(silent_sources().filter(pk=OuterRef("pk"))))

    @admin.display(description="heartbeat")
    def heartbeat(self, hook: Any) -> str:
        """Whether what is expected was heard."""
        if hook.expected_every_s is None:
            return "not watched"
        return "silent" if hook.silent else "heard"

    @admin.action(description="Revoke the selected hooks", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[HookSource]) -> None:
        """Their addresses answer 404 from now on."""
        for hook in (revoked := [hook for hook in queryset if revoke_token(hook)]):
            self.log_change(request, hook, "Revoked.")
        self.message_user(request, f"{len(revoked)} hooks revoked.")

    def has_delete_permission(self, request: HttpRequest, obj: HookSource | None = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        return [
            path("<uuid:pk>/rotate/", guarded(require_POST(self.rotate)), name="signals_hooksource_rotate"),
            path("<uuid:pk>/try/", guarded(require_POST(self.try_sample)), name="signals_hooksource_try"),
            *super().get_urls(),
        ]

    def save_model(self, request: HttpRequest, obj: HookSource, form: Any, change: bool) -> None:
        if not change:
            # For the answer to this request only; nothing else ever holds the text.
            request.META["lens.hook_token"] = issue_token(obj)
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: HookSource, post_url_continue: str | None = None) -> HttpResponse:
        return self._show_token(request, obj, request.META["lens.hook_token"])

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        return super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), "sample": SampleForm(), "alert": ALERT}
        )

    def rotate(self, request: HttpRequest, pk: str) -> HttpResponse:
        """A new secret at once in place of the old one."""
        hook = self._changeable(request, pk)
        text = issue_token(hook)
        hook.save(update_fields=["prefix", "token_hash", "revoked_at"])
        self.log_change(request, hook, "Secret rotated.")
        return self._show_token(request, hook, text)

    def try_sample(self, request: HttpRequest, pk: str) -> HttpResponse:
        """What a pasted message means under the saved mapping; nothing is stored."""
        hook = self._changeable(request, pk)
        form = SampleForm(request.POST)
        found = _tried(hook, form.cleaned_data["body"]) if form.is_valid() else {}
        context = {**self._frame(request, hook, "Try a message"), **found, "sample": form}
        return TemplateResponse(request, "admin/signals/hooksource/try.html", context)

    def _changeable(self, request: HttpRequest, pk: str) -> HookSource:
        hook = get_object_or_404(HookSource, pk=pk)
        if not self.has_change_permission(request, hook):
            raise PermissionDenied
        return hook

    def _show_token(self, request: HttpRequest, hook: HookSource, text: str) -> HttpResponse:
        address = request.build_absolute_uri(f"/api/v1/hooks/{hook.kind}/{text}")
        context = {**self._frame(request, hook, "The secret address"), "address": address, "alert": ALERT}
        return TemplateResponse(request, "admin/signals/hooksource/token.html", context)

    def _frame(self, request: HttpRequest, hook: HookSource, title: str) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "original": hook, "title": f"{title}: {hook.name}"}


@admin.register(RejectedInput)
class RejectedInputAdmin(ReadOnly, HouseAdmin[RejectedInput]):
    """What hooks refused, and what its author can do about it."""

    list_display = ["received_at", "hook", clipped("hint", "hint", "40rem"), "content_type"]
    list_filter = ["hook"]
    list_select_related = ["hook"]
    wide = ["body"]


def _tried(hook: HookSource, body: str) -> dict[str, Any]:
    """`signal` as canonical JSON lines, or `problems`; and which fields the hook's defaults added."""
    try:
        reading = read_message(hook, body.encode("utf-8", "replace"), now())
    except UnreadableError as error:
        return {"problems": [str(error)]}
    metadata = reading.valid.get("metadata") or {}
    found = {**reading.valid, "metadata": None, **{f"metadata.{name}": value for name, value in metadata.items()}}
    signal = {name: canonical(value).strip('"') for name, value in found.items() if value not in (None, "")}
    return {"problems": reading.problems, "signal": signal, "assumed": reading.mapped.assumed}
