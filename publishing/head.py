"""The log's identity. The row is made with the schema; should it be missing all the same, it is made on first sight."""

from django.db import transaction

from core.ids import uuid7
from publishing.models import Frame, StreamHead


def new_epoch() -> str:
    """An identity for a log that begins, or that was restored from a backup."""
    return str(uuid7())


def ensure_head() -> bool:
    """Make the head row if it is missing; True when it was. A log without its head goes on after the frames it has."""
    newest = Frame.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    return StreamHead.objects.get_or_create(id=1, defaults={"epoch": new_epoch(), "last_seq": newest})[1]


def renew() -> tuple[str, str]:
    """Give the log a new identity, and return the old and the new: whoever knew the old one is told to start anew.

    Frames keep the one they were told under.
    """
    ensure_head()
    with transaction.atomic():
        head = StreamHead.objects.select_for_update().get()
        before, head.epoch = head.epoch, new_epoch()
        head.save(update_fields=["epoch"])
    return before, head.epoch
