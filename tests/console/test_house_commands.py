"""The commands for people on call: say what is wrong, send what is owed, remove what nobody needs – and nothing else."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.db.models.functions import Now

from audit.models import DeadLetter, TimelineEntry
from console import retention
from core.clock import now
from core.ids import uuid7
from evaluation.models import Decision, EvaluationModel
from lens_project import pipeline
from publishing.models import Frame, Receipt, StreamHead, WebhookDelivery
from publishing.selectors import read
from signals.models import Signal, Status
from tests.conftest import SignalFactory
from tests.publishing.receivers import endpoint

pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = now() - timedelta(days=400)
# Old signals, each with a frame when the tables were last looked at; then the stream let go of the frames.
MANY = """
INSERT INTO signals_signal (id, event_type, symbol, signal_direction, entry_price, size, ts_utc, source, feature_profile, metadata,
                            caller, fingerprint, status, evaluation, buried_from, received_at, claims, attempts, dispatches)
SELECT gen_random_uuid(), event_type, symbol, signal_direction, entry_price, size, ts_utc, source, feature_profile, metadata,
       caller, fingerprint, 'published', 0, '', now() - interval '400 days' - n * interval '1 second', 0, 0, 0
  FROM signals_signal, generate_series(1, 3000) n;
INSERT INTO publishing_frame (seq, epoch, kind, event_id, evaluation, model, symbol, event_type, source, payload, created_at)
SELECT row_number() OVER (), 'x', 'verdict', id, 0, '', symbol, event_type, source, '{}', received_at FROM signals_signal;
ANALYZE signals_signal, publishing_frame;
DELETE FROM publishing_frame;
"""


def run(*arguments: str) -> Any:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out, stderr=StringIO())
    return json.loads(out.getvalue())


def aged(signal: Signal, **columns: Any) -> Signal:
    given = {"received_at": LONG_AGO, "status": Status.PUBLISHED, "next_attempt_at": None, **columns}
    Signal.objects.filter(pk=signal.pk).update(**given)
    return signal


def test_old_signals_go_with_all_that_hangs_on_them(judged: Callable[..., Signal], make_signal: SignalFactory) -> None:
    old, young = aged(judged()), make_signal()
    Frame.objects.all().delete()
    DeadLetter.objects.create(event_id=old.pk, stage="enrich", reason_code="x", status="resolved", created_at=LONG_AGO)
    for about in (old, young):
        Receipt.objects.create(event_id=about.pk, decision_id=uuid7(), caller="key:1", name="executor", state="acted")
    looked = run("prune", "--dry-run")
    assert (looked["old"]["signals"], looked["removed"]["signals"]) == (1, 0)
    assert run("prune", "--yes")["removed"]["signals"] == 1
    assert [signal.pk for signal in Signal.objects.all()] == [young.pk]
    assert not Decision.objects.exists()
    assert not DeadLetter.objects.exists()
    assert Receipt.objects.get().event_id == young.pk
    assert not TimelineEntry.objects.filter(event_id=old.pk).exists()
    assert TimelineEntry.objects.filter(event_id=young.pk).exists()


@pytest.mark.parametrize("letter", ["open", "requeued"])
def test_what_an_unclosed_letter_needs_stays(make_signal: SignalFactory, letter: str) -> None:
    signal = aged(make_signal())
    DeadLetter.objects.create(event_id=signal.pk, stage="enrich", reason_code="x", status=letter, created_at=LONG_AGO)
    retention.prune_all()
    assert (Signal.objects.count(), DeadLetter.objects.count()) == (1, 1)


def test_a_look_counts_the_deliveries_that_would_go_and_no_others(make_signal: SignalFactory) -> None:
    made, _ = endpoint()
    letter = DeadLetter.objects.create(event_id=make_signal().pk, stage="webhook", reason_code="unreachable", payload={})
    told = {"endpoint": made, "epoch": "e", "prev_seq": 0, "event_id": letter.event_id, "ended_at": LONG_AGO}
    WebhookDelivery.objects.create(seq=1, state="delivered", **told)
    WebhookDelivery.objects.create(seq=2, state="dead", letter=letter.pk, **told)
    assert run("prune", "--dry-run", "--table", "deliveries")["old"] == {"deliveries": 1}
    assert run("prune", "--yes", "--table", "deliveries")["removed"] == {"deliveries": 1}
    assert WebhookDelivery.objects.get().seq == 2


def test_what_the_stream_still_shows_stays_and_goes_with_it(judged: Callable[..., Signal]) -> None:
    aged(judged())
    retention.prune_all()
    assert Signal.objects.count() == 1
    Frame.objects.update(created_at=LONG_AGO)
    retention.prune_all()
    assert (Frame.objects.count(), Signal.objects.count()) == (0, 0)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.ENRICHED, Status.EVALUATED, Status.DLQ])
def test_what_is_not_settled_stays(make_signal: SignalFactory, status: Status) -> None:
    aged(make_signal(), status=status)
    retention.prune_all()
    assert Signal.objects.count() == 1


def test_the_keep_is_a_setting(make_signal: SignalFactory, settings: Any) -> None:
    aged(make_signal(), received_at=now() - timedelta(days=10))
    retention.prune_all()
    assert Signal.objects.count() == 1
    settings.LENS = settings.LENS.model_copy(update={"retention_days": 9})
    retention.prune_all()
    assert Signal.objects.count() == 0


def test_more_than_a_chunk_goes_chunk_by_chunk(make_signal: SignalFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    for _ in range(5):
        aged(make_signal())
    assert list(retention.prune("signals", retention.expiry())) == [2, 2, 1]


def test_a_chunk_is_found_by_walking_while_every_signal_is_still_believed_to_be_shown(make_signal: SignalFactory) -> None:
    make_signal()
    with connection.cursor() as cursor:
        cursor.execute(MANY)
    oldest = retention.signals(retention.expiry())[:500]
    assert "Sort" in oldest.explain()
    with transaction.atomic():
        with retention.walking():
            walked = oldest.explain()
        assert "Sort" in oldest.explain()
    assert "Sort" not in walked
    assert "Seq Scan" not in walked
    assert "signal_newest" in walked


@pytest.mark.parametrize("command", [["prune"], ["resume_stalled"], ["retry_dlq", "--stage", "enrich"]])
def test_nothing_is_done_unasked_when_nobody_can_be_asked(make_signal: SignalFactory, command: list[str]) -> None:
    aged(make_signal(), received_at=LONG_AGO)
    stuck = make_signal()
    Signal.objects.filter(pk=stuck.pk).update(next_attempt_at=Now() - timedelta(minutes=2))
    DeadLetter.objects.create(event_id=stuck.pk, stage="enrich", reason_code="x")
    with pytest.raises(CommandError) as refused:
        run(*command)
    assert refused.value.returncode == 2
    assert Signal.objects.count() == 2


def test_overdue_work_is_sent_again(make_signal: SignalFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests' messages wait in the broker, too; before a long queue the sweep would hold back.
    monkeypatch.setattr(pipeline, "LONG_QUEUE", 1_000_000)
    stuck = make_signal()
    Signal.objects.filter(pk=stuck.pk).update(next_attempt_at=Now() - timedelta(minutes=2))
    assert run("resume_stalled", "--dry-run") == {"overdue": 1, "looked_at": 0, "dry_run": True}
    assert run("resume_stalled", "--yes")["looked_at"] == 1
    assert Signal.objects.get().dispatches == 1


def test_the_doctor_names_what_is_wrong_and_how_to_mend_it(make_signal: SignalFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOBODY_API_KEY", raising=False)
    given = {"vendor": "openai_compatible", "model_id": "x", "base_url": "http://127.0.0.1:9/v1"}
    EvaluationModel.objects.create(name="keyless", key_env="NOBODY_API_KEY", **given)
    stuck = make_signal()
    Signal.objects.filter(pk=stuck.pk).update(next_attempt_at=Now() - timedelta(minutes=2))
    out = StringIO()
    with pytest.raises(CommandError) as said:
        call_command("doctor", "--json", stdout=out, stderr=StringIO())
    assert said.value.returncode == 4
    found = {one["name"]: one for one in json.loads(out.getvalue())["findings"]}
    assert {name for name in ("postgres", "migrations", "redis", "clock", "disk") if found[name]["state"] != "ok"} == set()
    assert (found["worker"]["state"], "worker-core" in found["worker"]["seen"]) == ("down", True)
    assert "NOBODY_API_KEY" in found["models"]["seen"]
    assert (found["stalled"]["state"], "resume_stalled" in found["stalled"]["mend"]) == ("wrong", True)
    assert [one["name"] for one in found.values() if one["state"] != "ok" and not one["mend"]] == []


def test_a_restored_log_gets_a_new_identity_and_keeps_its_frames(judged: Callable[..., Signal]) -> None:
    judged()
    told, head = list(Frame.objects.order_by("seq").values_list("seq", "epoch")), StreamHead.objects.get()
    assert told
    looked = run("new_epoch", "--dry-run")
    assert (looked["epoch"], looked["head_seq"]) == (head.epoch, head.last_seq)
    renewed = run("new_epoch", "--yes")
    assert renewed["before"] == head.epoch != renewed["epoch"] == StreamHead.objects.get().epoch
    assert list(Frame.objects.order_by("seq").values_list("seq", "epoch")) == told
    assert read(after=0, limit=1).log.epoch == renewed["epoch"]
