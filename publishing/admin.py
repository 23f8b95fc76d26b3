"""The log, its durable readers and what executors made of it, as people see them: to read, never to touch."""

from django.contrib import admin
from django.http import HttpRequest

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
    """Where durable consumers stand; how far that is behind the head, the system page says.

    One that will not come back may be deleted: nothing else forgets it, and a caller may have only so many.
    """

    list_display = ["name", "caller", "seq", "updated_at", "epoch"]
    searched = ["name", "caller"]

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """By role; the log of changes says who."""
        return bool(request.user.has_perm("publishing.delete_position"))


@admin.register(Receipt)
class ReceiptAdmin(ReadOnly, HouseAdmin[Receipt]):
    """What executors say they did, newest first."""

    list_display = ["created_at", "name", "state", clipped("reason", "reason"), "client_order_id", "event_id"]
    list_filter = ["state"]
    searched = ["event_id", "decision_id"]
    ordering = ["-id"]
