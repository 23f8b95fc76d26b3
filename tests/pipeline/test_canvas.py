"""The canvas names tasks that exist, sends each to the queue of its kind, and carries ids alone."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from enrichment import beat
from lens_project import pipeline
from lens_project.celery import app
from signals.models import Signal, Status

APPOINTMENTS: dict[str, Any] = settings.CELERY_BEAT_SCHEDULE
NAMES = [value for name, value in vars(pipeline).items() if name.isupper() and isinstance(value, str)]


def worker(queue: str) -> Any:
    """A worker of this one queue, about to start."""
    return SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from={queue: None}))))


@pytest.mark.parametrize("name", [*NAMES, *(entry["task"] for entry in APPOINTMENTS.values())])
def test_every_box_of_the_drawing_and_every_appointment_is_a_task_where_it_is_sent(name: str) -> None:
    app.loader.import_default_modules()
    appointed = {entry["task"]: entry["options"]["queue"] for entry in APPOINTMENTS.values()}
    beat.open_the_door(worker(appointed.get(name) or app.amqp.router.route({}, name)["queue"].name))
    assert name in app.tasks


LIGHT = """
import sys, django
django.setup()
from types import SimpleNamespace as Some
from lens_project.celery import app
from enrichment.beat import open_the_door
app.loader.import_default_modules()
open_the_door(Some(app=Some(amqp=Some(queues=Some(consume_from={"evaluate": None})))))
assert "publishing.tasks.evaluate" in app.tasks
print(*(sys.modules.keys() & {"pandas", "numpy", "ta", "openai", "anthropic", "google.genai"}))
"""


def test_whoever_judges_or_keeps_appointments_loads_neither_pandas_nor_an_sdk_nobody_asked_for() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize(
    ("name", "queue"), [(pipeline.ENRICH, "enrich"), (pipeline.EVALUATE, "evaluate"), (pipeline.CONCLUDE, "publish")]
)
def test_every_kind_of_work_has_its_queue(name: str, queue: str) -> None:
    assert app.amqp.router.route({}, name)["queue"].name == queue


def test_the_canvas_is_enrich_then_a_group_of_judges() -> None:
    drawn: Any = pipeline.canvas("e1", ["baseline", "chatgpt"])
    first, judges = drawn.tasks
    assert (first.task, first.args, first.immutable) == (pipeline.ENRICH, ("e1",), True)
    assert [(box.task, box.args) for box in judges.tasks] == [
        (pipeline.EVALUATE, ("e1", "baseline")),
        (pipeline.EVALUATE, ("e1", "chatgpt")),
    ]


def test_a_signal_whose_queue_is_long_is_not_sent_again() -> None:
    waiting = Signal(status=Status.QUEUED)
    assert pipeline.Outlook([waiting], {"enrich": pipeline.LONG_QUEUE + 1}).resume(waiting) is False
