"""The doors for Celery: an id in, one service called; and the appointment with the venue."""

import logging

from celery import shared_task
from celery.exceptions import Ignore

from core.errors import LensError
from enrichment import interest, services
from enrichment.desk import desk
from signals.claims import SignalClaim, claim
from signals.models import Status
from signals.stage import stage

logger = logging.getLogger(__name__)


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


@shared_task(name="enrichment.tasks.keep_interest")
def keep_interest() -> None:
    """Store the whole universe's open interest. What the venue does not say now is missing; the next minute asks again."""
    provider = desk().provider
    try:
        contexts = provider.contexts()
    except LensError as error:
        logger.warning("no snapshot of open interest", extra={"error": str(error)})
        return
    interest.keep(provider.name, contexts)
