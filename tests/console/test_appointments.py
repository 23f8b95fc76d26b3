"""What beat sends: often enough, and with an end that can be looked up where no row of ours tells it."""

import pytest
from celery.app.trace import trace_task
from django.test import Client
from django_celery_results.models import TaskResult

from console.beat import fold_hours, prune
from core.ids import uuid7
from lens_project.celery import app


def test_no_appointment_needs_beat_to_live_longer_than_an_hour() -> None:
    assert max(line["schedule"] for line in app.conf.beat_schedule.values()) <= 3600


@pytest.mark.django_db
def test_how_the_pruning_ended_is_kept_and_shown(admin_client: Client) -> None:
    for task in (prune, fold_hours):
        trace_task(task, str(uuid7()), (), {}, app=app)
    kept = TaskResult.objects.get()
    assert kept.status == "SUCCESS"
    for path in ("", f"{kept.pk}/change/"):
        answer = admin_client.get(f"/admin/django_celery_results/taskresult/{path}")
        assert (answer.status_code, b"SUCCESS" in answer.content) == (200, True)
