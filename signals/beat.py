"""Appointments. Beat sends them; a thread in every worker keeps the sweep going when beat or its queue is away."""

import logging
import threading

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down
from django.db import DatabaseError, close_old_connections, connection
from kombu.exceptions import OperationalError

from lens_project import pipeline
from signals.sweep import beat

logger = logging.getLogger(__name__)

INTERVAL_S = 1.0
_stop = threading.Event()


@shared_task(name="signals.beat.resume_stalled")
def resume_stalled() -> None:
    """Send what is owed."""
    pipeline.sweep_once()


@worker_ready.connect(weak=False)
def start_heart(sender: object = None, **_: object) -> None:
    """Each worker beats its pulse and sweeps too: the advisory lock lets one of them through."""
    kind = str(getattr(sender, "hostname", "worker")).partition("@")[0]
    threading.Thread(target=_live, args=[f"worker-{kind}"], name="heart", daemon=True).start()


@worker_shutting_down.connect(weak=False)
def stop_heart(**_: object) -> None:
    """A worker that drains no longer counts as one."""
    _stop.set()


def _live(name: str) -> None:
    while not _stop.wait(INTERVAL_S):
        try:
            close_old_connections()
            beat(name)
            resume_stalled()
        except (DatabaseError, OperationalError, OSError) as error:
            logger.warning("heartbeat or sweep failed, trying again", extra={"error": str(error)})
        finally:
            connection.close()
