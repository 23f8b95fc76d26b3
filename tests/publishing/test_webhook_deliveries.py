"""From the log to rows and back: cursors, leases, schedules, ends. No network."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from audit.models import DeadLetter
from console import letters
from core.clock import now
from core.errors import LensError, Permanent, Transient
from core.ids import uuid7
from lens_project import pipeline
from publishing.models import Frame, StreamHead
from publishing.webhooks import deliveries, outcomes, services
from publishing.webhooks.deliveries import hold, load, release, text
from publishing.webhooks.models import WebhookDelivery, WebhookEndpoint
from publishing.webhooks.selectors import standing
from publishing.webhooks.sending import Answer
from signals.models import Signal, Status
from tests.publishing.conftest import move
from tests.publishing.receivers import endpoint

pytestmark = pytest.mark.django_db

Publish = Callable[..., Signal]
DOWN = Transient("unreachable", "ConnectError")
ANN = services.Revival("ann", "asked by the desk")
TAKEN = Answer(204, 12, "")


def fresh(made: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=made.pk)


def held(made: WebhookEndpoint) -> tuple[UUID, list[WebhookDelivery]]:
    """Held by a new courier, and what it is to send."""
    WebhookEndpoint.objects.update(held_by=None, held_until=None)
    courier = uuid7()
    hold(courier)
    loaded = load(courier, made.pk)
    assert loaded is not None
    return courier, loaded.due


def owed(made: WebhookEndpoint) -> list[WebhookDelivery]:
    return held(made)[1]


def fail_until_dead(delivery: WebhookDelivery, error: LensError = DOWN) -> WebhookDelivery:
    for _ in range(8):
        outcomes.failed(delivery, error)
        delivery = WebhookDelivery.objects.get(pk=delivery.pk)
    return delivery


def test_an_endpoint_hears_what_is_published_after_it_was_made_chained_and_filtered(publish: Publish) -> None:
    publish(symbol="BTC")
    made, _ = endpoint(filter={"symbol": ["eth-perp"]})
    for symbol in ("BTC", "ETH", "BTC", "ETH"):
        publish(symbol=symbol)
    due = owed(made)
    assert [(one.seq, one.prev_seq) for one in due] == [(3, 1), (5, 3)]
    assert fresh(made).position == 5
    assert due[0].event_id == Frame.objects.get(seq=3).event_id
    assert due[0].message_id == f"msg_{StreamHead.objects.get().epoch}_3"


def test_the_text_is_the_sockets_frame_and_knows_the_hour(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    publish(ts_utc=now() - timedelta(hours=1))
    first, late = (text(one) for one in owed(made))
    assert first is not None
    assert late is not None
    assert first.startswith('{"type":"decision","epoch":"')
    assert '"seq":1,"prev_seq":0,"snapshot":false,"stale":false,' in first
    assert '"seq":2,"prev_seq":1,"snapshot":false,"stale":true,' in late


def test_publishing_asks_nothing_about_endpoints(publish: Publish) -> None:
    for _ in range(3):
        endpoint()
    with CaptureQueriesContext(connection) as seen:
        publish()
    assert len(seen) > 0
    assert [query["sql"] for query in seen if "webhook" in query["sql"]] == []


def test_a_quiet_look_costs_two_statements_however_many_endpoints(publish: Publish) -> None:
    for _ in range(5):
        endpoint()
    courier = uuid7()
    hold(courier)
    with CaptureQueriesContext(connection) as seen:
        assert set(hold(courier).values()) == {False}
    assert len(seen) == 2
    publish()
    assert set(hold(courier).values()) == {True}


def test_an_endpoint_has_one_courier_until_its_lease_runs_out(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    first, second = uuid7(), uuid7()
    assert hold(first) == {made.pk: True}
    assert hold(second) == {}
    assert load(second, made.pk) is None
    WebhookEndpoint.objects.update(held_until=now() - timedelta(seconds=1))
    assert hold(second) == {made.pk: True}
    assert load(first, made.pk) is None
    release(second)
    assert hold(first) == {made.pk: True}


def test_rows_are_made_for_what_can_be_tried_soon_and_the_log_keeps_the_rest(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BACKLOG", 3)
    made, _ = endpoint()
    for _ in range(5):
        publish()
    due = owed(made)
    assert ([one.seq for one in due], fresh(made).position) == ([1, 2, 3], 3)
    outcomes.delivered(due[0], TAKEN)
    assert [(one.seq, one.prev_seq) for one in owed(made)] == [(2, 1), (3, 2), (4, 3)]


def test_frames_that_a_destination_refuses_hold_up_no_others_until_very_many_wait(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BACKLOG", 2)
    monkeypatch.setattr(deliveries, "MOST_OWED", 5)
    made, _ = endpoint()
    for _ in range(7):
        publish()
    for expected in ([1, 2], [3, 4], [5]):
        due = owed(made)
        assert [one.seq for one in due] == expected
        for one in due:
            outcomes.failed(one, Transient("http_error", "400", status=400))
    assert owed(made) == []
    assert (WebhookDelivery.objects.count(), fresh(made).position) == (5, 5)
    outcomes.delivered(WebhookDelivery.objects.get(seq=1), TAKEN)
    assert [one.seq for one in owed(made)] == [6]


def test_what_retention_took_breaks_the_chain_and_is_said(publish: Publish) -> None:
    made, _ = endpoint()
    for _ in range(4):
        publish()
    Frame.objects.filter(seq__lte=2).delete()
    owed(made)
    assert [(one.seq, one.prev_seq) for one in owed(made)] == [(3, 2), (4, 3)]
    assert "no longer held what follows 0" in fresh(made).reason


def test_a_log_that_began_anew_is_followed_from_its_beginning(publish: Publish) -> None:
    made, _ = endpoint()
    for _ in range(3):
        publish()
    assert len(owed(made)) == 3
    Frame.objects.all().delete()
    StreamHead.objects.update(epoch="another", last_seq=0)
    publish()
    owed(made)
    assert [(one.epoch, one.seq) for one in owed(made) if one.epoch == "another"] == [("another", 1)]


def test_a_delivery_whose_frame_is_gone_has_no_text(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    (due,) = owed(made)
    Frame.objects.all().delete()
    assert text(due) is None
    outcomes.failed(due, Permanent("frame_gone", "gone"))
    assert DeadLetter.objects.get().reason_code == "frame_gone"


def test_the_schedule_is_that_of_the_contract_and_ends_in_a_dead_letter(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    (due,) = owed(made)
    waits = []
    for _ in outcomes.SCHEDULE.waits:
        outcomes.failed(due, DOWN)
        due = WebhookDelivery.objects.get(pk=due.pk)
        assert due.next_attempt_at is not None
        waits.append((due.next_attempt_at - now()).total_seconds())
    for wait, planned in zip(waits, (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000), strict=True):
        assert planned * 0.94 - 1 < wait < planned * 1.06
    outcomes.failed(due, DOWN)
    due = WebhookDelivery.objects.get(pk=due.pk)
    letter = DeadLetter.objects.get()
    assert (due.state, due.attempts, due.letter, len(due.history)) == ("dead", 8, letter.pk, 8)
    assert (letter.stage, letter.reason_code, letter.event_id, letter.attempts) == ("webhook", "unreachable", due.event_id, 8)
    assert letter.payload["endpoint"] == made.name
    assert made.url not in str(letter.payload)


def test_a_retry_after_lengthens_the_wait_rests_the_endpoint_and_never_hurries(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    publish()
    first, second = owed(made)
    outcomes.failed(first, Transient("http_error", "429", retry_after=120.0, status=429))
    due = WebhookDelivery.objects.get(pk=first.pk).next_attempt_at
    assert due is not None
    assert 118 < (due - now()).total_seconds() <= 120
    assert set(hold(uuid7()).values()) <= {False}
    outcomes.failed(second, Transient("http_error", "429", retry_after=0.0, status=429))
    due = WebhookDelivery.objects.get(pk=second.pk).next_attempt_at
    assert due is not None
    assert (due - now()).total_seconds() > 4


@pytest.mark.parametrize("other", [DOWN, Transient("http_error", "429", retry_after=5.0, status=429), TAKEN])
def test_a_rest_is_not_cut_short_by_what_another_post_in_flight_met(publish: Publish, other: LensError | Answer) -> None:
    made, _ = endpoint(max_in_flight=2)
    publish()
    publish()
    first, second = owed(made)
    outcomes.failed(first, Transient("http_error", "429", retry_after=3_600.0, status=429))
    if isinstance(other, Answer):
        outcomes.delivered(second, other)
    else:
        outcomes.failed(second, other)
    rests_until = fresh(made).rests_until
    assert rests_until is not None
    assert 3_590 < (rests_until - now()).total_seconds() <= 3_600


def test_success_ends_the_row_and_heals_the_endpoint(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    publish()
    first, second = owed(made)
    outcomes.failed(first, DOWN)
    assert (fresh(made).failures, fresh(made).last_error) == (1, "unreachable: ConnectError")
    outcomes.delivered(second, TAKEN)
    assert (fresh(made).failures, fresh(made).failing_since, fresh(made).last_error) == (0, None, "")
    done = WebhookDelivery.objects.get(pk=second.pk)
    assert (done.state, done.next_attempt_at, done.history[0]["status"]) == ("delivered", None, 204)


def test_of_two_couriers_that_sent_the_same_one_is_counted(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    (one,) = owed(made)
    (other,) = owed(made)
    outcomes.delivered(one, TAKEN)
    outcomes.failed(other, DOWN)
    outcomes.delivered(other, TAKEN)
    assert (WebhookDelivery.objects.get().state, WebhookDelivery.objects.get().attempts) == ("delivered", 1)
    assert fresh(made).failures == 0


def test_gone_disables_the_endpoint_and_loses_nothing(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    (due,) = owed(made)
    outcomes.failed(due, Permanent("gone", "The destination answered 410 Gone."))
    assert (fresh(made).state, fresh(made).reason) == ("disabled", "The destination answered 410 Gone.")
    assert hold(uuid7()) == {}
    publish()
    assert services.resume(made)
    assert [one.seq for one in owed(made)] == [1, 2]
    assert (fresh(made).state, fresh(made).reason) == ("active", "")


@pytest.mark.parametrize("days", [5, 1])
def test_days_of_failure_disable_when_a_schedule_ends_and_not_before(settings: Any, publish: Publish, days: int) -> None:
    settings.LENS = settings.LENS.model_copy(update={"webhook_disable_after_days": days})
    made, _ = endpoint()
    publish()
    publish()
    first, second = owed(made)
    fail_until_dead(first)
    assert fresh(made).state == "active"
    WebhookEndpoint.objects.update(failing_since=F("failing_since") - timedelta(days=days))
    outcomes.failed(second, DOWN)
    assert fresh(made).state == "active"
    fail_until_dead(WebhookDelivery.objects.get(pk=second.pk))
    assert fresh(made).state == "disabled"
    assert fresh(made).reason.endswith("failed; the last: unreachable: ConnectError")
    assert standing().disabled == 1


def test_a_paused_endpoint_waits_and_resumes_where_it_stood(publish: Publish) -> None:
    made, _ = endpoint()
    assert services.pause(made, "ann")
    assert not services.pause(made, "ann")
    publish()
    assert hold(uuid7()) == {}
    assert (fresh(made).reason, standing().active) == ("Paused by ann.", 0)
    assert services.resume(made)
    assert [one.seq for one in owed(made)] == [1]
    assert not services.resume(made)


def test_a_disabled_endpoint_may_be_paused_which_ends_its_alert_and_resumes_as_any_other(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    outcomes.failed(owed(made)[0], Permanent("gone", "The destination answered 410 Gone."))
    assert standing().disabled == 1
    assert services.pause(made, "ann")
    assert (fresh(made).state, fresh(made).reason, standing().disabled) == ("paused", "Paused by ann.", 0)
    publish()
    assert hold(uuid7()) == {}
    assert services.resume(made)
    assert [one.seq for one in owed(made)] == [1, 2]
    assert (fresh(made).failures, fresh(made).failing_since) == (0, None)


def test_a_resume_from_now_passes_over_what_was_missed_and_a_replay_brings_it(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    assert len(owed(made)) == 1
    services.pause(made, "ann")
    publish()
    services.resume(made, skip=True)
    assert owed(made) == []
    assert WebhookDelivery.objects.get().state == "skipped"
    publish()
    assert [(one.seq, one.prev_seq) for one in owed(made)] == [(3, 2)]
    assert services.replay_missing(made, 0, ANN) == 1
    assert [one.seq for one in owed(made)] == [1, 2, 3]


def test_a_replay_sends_what_never_arrived_and_nothing_twice(publish: Publish) -> None:
    made, _ = endpoint()
    for _ in range(4):
        publish()
    due = owed(made)
    outcomes.delivered(due[0], TAKEN)
    outcomes.delivered(due[2], TAKEN)
    fail_until_dead(due[1])
    fail_until_dead(due[3])
    assert services.replay_missing(made, 1, ANN) == 2
    assert [one.seq for one in owed(made)] == [2, 4]
    assert set(DeadLetter.objects.values_list("status", flat=True)) == {"requeued"}


def test_a_revived_delivery_keeps_its_id_and_resolves_its_letter_on_arrival(publish: Publish) -> None:
    made, _ = endpoint()
    publish()
    (due,) = owed(made)
    dead = fail_until_dead(due)
    letter = DeadLetter.objects.get()
    assert pipeline.replay(letter, "ann")
    assert not pipeline.replay(DeadLetter.objects.get(), "ann")
    (again,) = owed(made)
    assert (again.message_id, again.attempts, len(again.history)) == (dead.message_id, 0, 8)
    outcomes.delivered(again, TAKEN)
    letter = DeadLetter.objects.get()
    assert (letter.status, letter.retry_count) == ("resolved", 1)
    assert made.name in letter.resolution_note


def test_a_discarded_letter_leaves_its_dead_signal_alone(publish: Publish) -> None:
    made, _ = endpoint()
    dead = publish()
    fail_until_dead(owed(made)[0])
    move(dead, Status.DLQ, buried_from=Status.QUEUED)
    assert letters.settle(DeadLetter.objects.get().pk, DeadLetter.Status.DISCARDED, "ann", "")
    assert Signal.objects.get(pk=dead.pk).status == Status.DLQ


def test_retention_takes_what_ended_and_leaves_what_is_owed(publish: Publish) -> None:
    made, _ = endpoint()
    for _ in range(3):
        publish()
    due = owed(made)
    outcomes.delivered(due[0], TAKEN)
    outcomes.delivered(due[1], TAKEN)
    WebhookDelivery.objects.filter(seq=1).update(ended_at=now() - timedelta(days=40))
    assert services.prune(now() - timedelta(days=30)) == 1
    assert sorted(WebhookDelivery.objects.values_list("seq", flat=True)) == [2, 3]


def test_how_the_endpoints_stand(publish: Publish) -> None:
    assert (standing().active, standing().lag) == (0, 0)
    endpoint()
    publish()
    publish()
    assert (standing().active, standing().lag) == (1, 2)


@pytest.fixture(autouse=True)
def _own_log(db: Any) -> None:
    StreamHead.objects.update(last_seq=0)
