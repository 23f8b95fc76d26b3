"""The door for Celery: an id in, one service called."""

from celery import shared_task
from celery.exceptions import Ignore

from enrichment import services
from signals.claims import SignalClaim, claim
from signals.models import Status
from signals.stage import stage


def _claim(event_id: str) -> SignalClaim | None:
    return claim(event_id, "enrich")


@stage(_claim)
def _run(held: SignalClaim) -> None:
    services.enrich(held)


@shared_task(name="enrichment.tasks.enrich", ignore_result=True)
def enrich(event_id: str) -> None:
    """Freeze the market beside a signal. Raises Ignore when it was not enriched here: the rest of the chain must not follow."""
    held = _run(event_id)
    if held is None or held.signal.status != Status.ENRICHED:
        raise Ignore
