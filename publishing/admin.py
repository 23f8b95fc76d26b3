"""The log, its durable readers and what executors made of it, as people see them: to read, never to touch."""

from django.contrib import admin

from core.admin import HouseAdmin, ReadOnly, clipped
from publishing.models import Frame, Position, Receipt
from publishing.webhooks.admin import WebhookDeliveryAdmin, WebhookEndpointAdmin

__all__ = ["FrameAdmin", "PositionAdmin", "ReceiptAdmin", "WebhookDeliveryAdmin", "WebhookEndpointAdmin"]


@admin.register(Frame)
class FrameAdmin(ReadOnly, HouseAdmin[Frame]):
    """Frames, newest first."""

    list_display = ["seq", "created_at", "kind", "model", "symbol", "event_type", "source", "event_id"]
    searched = ["seq", "event_id"]
    ordering = ["-seq"]
    wide = ["payload"]


@admin.register(Position)
class PositionAdmin(ReadOnly, HouseAdmin[Position]):
    """Where durable consumers stand; how far that is behind the head, the system page says."""

    list_display = ["name", "caller", "seq", "updated_at", "epoch"]
    searched = ["name", "caller"]


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly, HouseAdmin[Receipt]):
    """What executors say they did, newest first."""

    list_display = ["created_at", "name", "state", clipped("reason", "reason"), "client_order_id", "event_id"]
    list_filter = ["state"]
    searched = ["event_id", "decision_id"]
    ordering = ["-id"]
