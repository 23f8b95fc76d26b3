"""The log as people see it: to read, never to touch."""

from django.contrib import admin

from core.admin import HouseAdmin, ReadOnly
from publishing.models import Frame
from publishing.webhooks.admin import WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = ["FrameAdmin", "WebhookDeliveryAdmin", "WebhookEndpointAdmin"]


@admin.register(Frame)
class FrameAdmin(ReadOnly, HouseAdmin[Frame]):
    """Frames, newest first."""

    list_display = ["seq", "created_at", "kind", "model", "symbol", "event_type", "source", "event_id"]
    searched = ["seq", "event_id"]
    ordering = ["-seq"]
    wide = ["payload"]
