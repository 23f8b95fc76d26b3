"""Keys in the admin: made, read out once, revoked. A key's text is in the answer that made it and nowhere else."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from access.models import ApiKey, Scope
from access.services import create_key, revoke_key
from access.windows import Limits
from core.admin import HouseAdmin

ASKED = ("name", "scopes", "allowed_sources", "rate_per_minute", "burst", "expires_at")


class NewKeyForm(forms.ModelForm[ApiKey]):
    """What a key is asked to be."""

    scopes = forms.MultipleChoiceField(choices=Scope.choices, widget=forms.CheckboxSelectMultiple)

    class Meta:
        model = ApiKey
        fields = ASKED
        widgets = {"allowed_sources": forms.TextInput(attrs={"size": 60})}
        help_texts = {
            "allowed_sources": "Comma-separated; empty: all sources.",
            "rate_per_minute": "Signals a minute over ten minutes. Empty: the installation's; 0: no such limit.",
            "burst": "Signals in any 60 s. Empty: the installation's; 0: no such limit.",
            "expires_at": "UTC. Empty: never.",
        }


@admin.register(ApiKey)
class ApiKeyAdmin(HouseAdmin[ApiKey]):
    """Rows are read-only once made; revoking is the one thing done to them."""

    list_display = ["name", "prefix", "listed_scopes", "created_at", "expires_at", "revoked_at", "last_used_at"]
    searched = ["name", "prefix", "id"]
    exclude = ["key_hash"]
    secret = ["key_hash"]
    actions = ["revoke", "export"]

    @admin.display(description="scopes")
    def listed_scopes(self, key: ApiKey) -> str:
        """On one line."""
        return ", ".join(key.scopes)

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Ends the keys within a second, open sockets included."""
        for key in (revoked := [key for key in queryset if revoke_key(str(key.pk))]):
            self.log_change(request, key, "Revoked.")
        self.message_user(request, f"{len(revoked)} keys revoked.")

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if change else {**kwargs, "form": NewKeyForm}))

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return ASKED if obj is None else [field.name for field in ApiKey._meta.fields if field.name != "key_hash"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return [] if obj is None else self.get_fields(request, obj)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        """Makes the key by the one service that makes keys. A row that is there has nothing to save."""
        if change:
            return
        asked = form.cleaned_data
        made, text = create_key(
            asked["name"],
            asked["scopes"],
            allowed_sources=asked["allowed_sources"],
            expires_at=asked["expires_at"],
            limits=Limits(asked["rate_per_minute"], asked["burst"]),
        )
        obj.__dict__.update(made.__dict__)
        # For the answer to this request only; nothing else ever holds the text.
        request.META["lens.key_text"] = text

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "opts": self.opts, "original": obj, "title": f"The key {obj.name}"}
        shown = {**context, "text": request.META["lens.key_text"]}
        return TemplateResponse(request, "admin/access/apikey/made.html", shown, headers={"Cache-Control": "no-store"})
