"""System health: what is wrong is named, with the way to it."""

from datetime import timedelta

import pytest
from django.test import Client

from audit.models import DeadLetter
from core.clock import now
from publishing.operations import Since
from publishing.positions import keep
from publishing.selectors import log
from signals.models import Pulse, Signal
from tests.conftest import SignalFactory

pytestmark = pytest.mark.django_db


def seen(client: Client) -> str:
    return client.get("/system/now").content.decode()


def test_what_was_never_heard_is_not_called_well(viewer: Client) -> None:
    page = seen(viewer)
    assert "not_ready" in page
    assert "No process has been heard yet." in page


def test_a_silent_worker_is_told_with_the_time_since(viewer: Client) -> None:
    Pulse.objects.create(name="worker-core", at=now() - timedelta(minutes=5))
    assert "silent for 5 min" in seen(viewer)


def test_overdue_work_is_counted_with_its_oldest(viewer: Client, make_signal: SignalFactory) -> None:
    make_signal()
    Signal.objects.update(next_attempt_at=now() - timedelta(minutes=4))
    assert "oldest for 4 min" in seen(viewer)


def test_open_letters_lead_to_the_admin_by_their_kind(viewer: Client) -> None:
    for _ in range(3):
        DeadLetter.objects.create(stage="enrich", reason_code="provider_down", error_type="X", error_message="x")
    page = seen(viewer)
    assert "?status=open&amp;stage=enrich&amp;reason_code=provider_down" in page
    assert "3 letters, newest" in page


def test_a_reader_left_behind_is_told(viewer: Client) -> None:
    keep({("key:1", "exec-a"): Since(seq=0, epoch=log().epoch), ("key:1", "exec-b"): Since(seq=9, epoch="another")})
    page = seen(viewer)
    assert "0 frames behind" in page
    assert "its log is no more" in page
