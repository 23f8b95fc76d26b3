"""The log as people see it: to read, never to touch."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from publishing.models import Frame
from publishing.webhooks.admin import WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = ["FrameAdmin", "WebhookDeliveryAdmin", "WebhookEndpointAdmin"]


@admin.register(Frame)
class FrameAdmin(admin.ModelAdmin[Frame]):
    """Frames, newest first."""

    list_display = ["seq", "kind", "model", "symbol", "event_type", "source", "event_id", "created_at"]
    list_filter = ["kind", "model", "event_type"]
    search_fields = ["event_id", "symbol", "source"]
    ordering = ["-seq"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> Any:
        """The list does without the payload; the page of one frame loads it."""
        return super().get_queryset(request).defer("payload")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Frame | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Frame | None = None) -> bool:
        return False
