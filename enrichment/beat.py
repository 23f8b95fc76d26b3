"""Appointments of this storey."""

import logging

from celery import shared_task

from core.errors import LensError
from enrichment import interest
from enrichment.desk import desk

logger = logging.getLogger(__name__)


@shared_task(name="enrichment.beat.keep_interest")
def keep_interest() -> None:
    """Store the whole universe's open interest. What the venue does not say now is missing; the next minute asks again."""
    provider = desk().provider
    try:
        contexts = provider.contexts()
    except LensError as error:
        logger.warning("no snapshot of open interest", extra={"error": str(error)})
        return
    interest.keep(provider.name, contexts)
