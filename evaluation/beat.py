"""What a worker that asks models does before it takes its first work."""

from typing import Any

from celery.signals import worker_init

from evaluation.warming import warm

QUEUE = "evaluate"


@worker_init.connect(weak=False)
def prepare(sender: Any = None, **_: object) -> None:
    """Load the vendors' SDKs now: they take seconds, which would be the first signal's, and its lease's."""
    if QUEUE in sender.app.amqp.queues.consume_from:
        warm()
