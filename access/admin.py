"""Keys in the admin: seen and revoked here, made by command, since the text is shown once."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from access.models import ApiKey
from access.services import revoke_key


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin[ApiKey]):
    """Read-only rows and one action."""

    list_display = ["name", "prefix", "scopes", "expires_at", "revoked_at", "last_used_at"]
    search_fields = ["name", "prefix"]
    exclude = ["key_hash"]
    actions = ["revoke"]

    @admin.action(description="Revoke the selected keys", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        """Ends the keys within a second, open sockets included."""
        revoked = sum(revoke_key(str(key.pk)) for key in queryset)
        self.message_user(request, f"{revoked} keys revoked.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [field.name for field in ApiKey._meta.fields if field.name != "key_hash"]
