"""What a worker that does enrichment's work does before it takes any."""

from typing import Any

from celery.signals import worker_init
from django.utils.module_loading import import_string

# Signals come by the one, appointments by the other.
QUEUES = {"enrich", "control"}
DOOR = "enrichment.tasks.enrich"


@worker_init.connect(weak=False)
def open_the_door(sender: Any = None, **_: object) -> None:
    """Know the tasks of this storey. They stand on pandas – a second and 40 MB – which only those pay who compute with it."""
    if QUEUES & sender.app.amqp.queues.consume_from.keys():
        import_string(DOOR)
