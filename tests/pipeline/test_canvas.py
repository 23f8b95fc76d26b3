"""The canvas names tasks that exist, sends each to the queue of its kind, and carries ids alone."""

from typing import Any

import pytest

from lens_project import pipeline
from lens_project.celery import app
from signals.models import Signal, Status

NAMES = [value for name, value in vars(pipeline).items() if name.isupper() and isinstance(value, str)]


@pytest.mark.parametrize("name", NAMES)
def test_every_box_of_the_drawing_is_a_task(name: str) -> None:
    app.loader.import_default_modules()
    assert name in app.tasks


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
    assert pipeline.resume(waiting, {"enrich": pipeline.LONG_QUEUE + 1}) is False
