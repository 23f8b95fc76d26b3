"""What executors did with decisions: their own word, kept beside the decision. Said twice it is one receipt."""

from typing import Any
from uuid import UUID

from access.services import Caller
from core.clock import iso
from evaluation.models import Decision
from publishing.models import Receipt
from publishing.operations import ReceiptGiven, RefusedError


def keep(caller: Caller, given: ReceiptGiven) -> None:
    """Store it. Raises RefusedError for a decision the caller never saw, and for other words on the same state."""
    decision = Decision.objects.filter(pk=given.decision_id).exclude(status="").select_related("signal").first()
    if decision is None or not caller.sees(decision.signal.source):
        raise RefusedError("unknown_decision", "decision_id: no such decision")
    words = {"reason": given.reason, "client_order_id": given.client_order_id}
    receipt, _ = Receipt.objects.get_or_create(
        decision_id=decision.pk,
        caller=caller.id,
        state=given.state,
        defaults={"event_id": decision.signal_id, "name": caller.name, **words},
    )
    if {word: getattr(receipt, word) for word in words} != words:
        raise RefusedError("receipt_conflict", f"there is a receipt already that says {given.state} in other words")


def of_event(event_id: UUID) -> list[dict[str, Any]]:
    """The receipts for a signal's decisions, oldest first, as the event detail shows them."""
    return [
        {
            "decision_id": str(receipt.decision_id),
            "by": receipt.name,
            "state": receipt.state,
            "reason": receipt.reason or None,
            "client_order_id": receipt.client_order_id or None,
            "received_at": iso(receipt.created_at),
        }
        for receipt in Receipt.objects.filter(event_id=event_id)
    ]
