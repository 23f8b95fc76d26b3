"""What the log lets go of: its oldest part only, in chunks, told to whoever wanted it."""

from datetime import timedelta

import pytest
from django.conf import LazySettings, settings

from console.beat import prune
from core.clock import now
from lens_project.celery import app
from publishing import retention
from publishing.models import Frame, Position
from publishing.operations import Since
from publishing.selectors import log
from tests.publishing.conftest import append

pytestmark = pytest.mark.django_db


def seqs() -> list[int]:
    return list(Frame.objects.order_by("seq").values_list("seq", flat=True))


def age(days: float, **which: int) -> None:
    Frame.objects.filter(**which).update(created_at=now() - timedelta(days=days))


@pytest.mark.parametrize("chunk", [1, 2, 1_000])
def test_frames_from_before_go_and_the_horizon_follows(chunk: int) -> None:
    append(6)
    age(31, seq__lte=4)
    assert retention.prune(retention.expiry(), chunk) == 4
    assert (seqs(), log().horizon) == ([5, 6], 4)
    assert log().lost(Since(seq=3)) == "before_retention"
    assert log().lost(Since(seq=4)) is None


def test_an_old_frame_behind_a_young_one_stays_for_there_are_no_holes() -> None:
    append(3)
    age(31, seq__in=[1, 3])  # type: ignore[arg-type]
    assert retention.prune(retention.expiry()) == 1
    assert seqs() == [2, 3]


def test_a_log_pruned_whole_goes_on_from_its_head() -> None:
    append(2)
    age(31)
    retention.prune(retention.expiry())
    assert (log().head, log().horizon) == (2, 2)
    append(1)
    assert seqs() == [3]


def test_the_appointment_keeps_to_the_setting_and_idle_readers_keep_their_place(settings: LazySettings) -> None:
    append(3)
    age(3, seq=1)
    Position.objects.create(caller="key:a", name="idle", epoch="e", seq=1, updated_at=now() - timedelta(days=300))
    prune()
    assert seqs() == [1, 2, 3]
    settings.LENS = settings.LENS.model_copy(update={"stream_retention_days": 2})
    prune()
    assert (seqs(), Position.objects.get().name) == ([2, 3], "idle")


def test_beat_keeps_the_appointment() -> None:
    assert prune.name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    app.loader.import_default_modules()
    assert prune.name in app.tasks
