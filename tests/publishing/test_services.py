"""Appending: once, together with the signal's move, and never a seq lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from audit.models import DeadLetter
from audit.services import bury, mark_requeued
from core.errors import Transient
from publishing.models import Frame, StreamHead
from publishing.selectors import unpublished
from publishing.services import announce, publish_decision, publish_verdict
from signals.models import Signal, Status
from tests.publishing.conftest import conclude, judge, move

MakeSignal = Callable[..., Signal]


def frames() -> list[tuple[int, str, str]]:
    return list(Frame.objects.values_list("seq", "kind", "model"))


def head() -> int:
    return StreamHead.objects.get().last_seq


@pytest.mark.django_db
def test_a_decision_is_published_whole(make_signal: MakeSignal) -> None:
    signal = make_signal()
    judge(signal)
    assert publish_decision(signal, "chatgpt") is True
    frame = Frame.objects.get()
    assert (frame.seq, frame.epoch) == (head(), StreamHead.objects.get().epoch)
    assert (frame.event_id, frame.model, frame.symbol, frame.source) == (signal.pk, "chatgpt", "BTC", "desk_7")
    payload = frame.payload
    assert (payload["seq"], payload["epoch"], payload["decision"]) == (frame.seq, frame.epoch, "FOLLOW_ENTER")
    assert payload["published_at"].endswith("Z")
    assert len(payload["published_at"]) == len("2026-01-05T09:00:04.510Z")


@pytest.mark.django_db
def test_what_is_owed_or_already_published_takes_no_seq(make_signal: MakeSignal) -> None:
    signal = make_signal()
    judge(signal)
    judge(signal, "gemini", status="")
    assert [publish_decision(signal, model) for model in ("chatgpt", "chatgpt", "gemini", "nobody")] == [True, False, False, False]
    assert head() == 1


@pytest.mark.django_db
def test_a_missing_head_is_made_after_the_frames_there_are(make_signal: MakeSignal) -> None:
    first, second = make_signal(), make_signal()
    for signal in (first, second):
        judge(signal)
    publish_decision(first, "chatgpt")
    StreamHead.objects.all().delete()
    assert publish_decision(second, "chatgpt") is True
    assert [seq for seq, _, _ in frames()] == [1, 2]


@pytest.mark.django_db
def test_the_verdict_brings_the_missing_decisions_along_and_closes_the_letters(make_signal: MakeSignal) -> None:
    signal = make_signal()
    for model in ("chatgpt", "gemini", "baseline"):
        judge(signal, model)
    publish_decision(signal, "gemini")
    assert unpublished([signal]) == {signal.pk: ["chatgpt", "baseline"]}
    letter = bury(signal.pk, "publish", Transient("database_down", "gone"), attempts=6, payload={})
    Signal.objects.filter(pk=signal.pk).update(buried_from=Status.EVALUATED)
    mark_requeued(letter.pk, "ann", "")
    signal = conclude(signal)
    assert publish_verdict(signal) is True
    assert frames() == [(1, "decision", "gemini"), (2, "decision", "chatgpt"), (3, "decision", "baseline"), (4, "verdict", "")]
    stored = Signal.objects.get()
    assert (stored.status, stored.next_attempt_at) == (Status.PUBLISHED, None)
    assert stored.published_at is not None
    assert DeadLetter.objects.get().status == DeadLetter.Status.RESOLVED


@pytest.mark.django_db
def test_a_worker_that_comes_second_publishes_nothing(make_signal: MakeSignal) -> None:
    signal = conclude(make_signal())
    late = Signal.objects.get()
    assert [publish_verdict(signal), publish_verdict(late)] == [True, False]
    assert frames() == [(1, "verdict", "")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fate", "columns", "reason"),
    [
        (Status.REJECTED, {"rejection": {"code": "price_drift", "detail": "too far"}}, "price_drift"),
        (Status.DLQ, {}, "provider_down"),
    ],
)
def test_a_signal_that_ended_early_is_announced_once(
    make_signal: MakeSignal, fate: Status, columns: dict[str, Any], reason: str
) -> None:
    signal = make_signal()
    bury(signal.pk, "enrich", Transient("provider_down", "away"), attempts=6, payload={})
    signal = move(signal, fate, **columns)
    assert [announce(signal), announce(signal)] == [True, False]
    payload = Frame.objects.get().payload
    assert (payload["type"], payload["decision"], payload["fallback"]) == ("verdict", "IGNORE", True)
    assert (payload["data"]["votes"], payload["data"]["reason"]) == ([], reason)
    assert Signal.objects.get().next_attempt_at is None


@pytest.mark.django_db
def test_only_a_signal_that_ended_early_is_announced(make_signal: MakeSignal) -> None:
    assert announce(make_signal()) is False
    assert frames() == []


def at_once(count: int, work: Callable[[int], bool]) -> list[bool]:
    """Run the work in so many threads at the same moment, each with a connection of its own."""
    start = threading.Barrier(count)

    def run(number: int) -> bool:
        try:
            start.wait()
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_publishers_of_the_same_decision_at_once_make_one_frame_and_use_one_seq(make_signal: MakeSignal) -> None:
    for expected in range(1, 21):
        signal = make_signal()
        judge(signal)
        assert sum(at_once(8, lambda _, signal=signal: publish_decision(signal, "chatgpt"))) == 1  # type: ignore[misc]
        assert head() == expected
    assert [seq for seq, _, _ in frames()] == list(range(1, 21))


@pytest.mark.django_db(transaction=True)
def test_a_verdict_and_its_decisions_published_at_once_are_each_there_once(make_signal: MakeSignal) -> None:
    for _ in range(10):
        signal = make_signal()
        models = ["chatgpt", "gemini", "baseline"]
        for model in models:
            judge(signal, model)
        signal = conclude(signal)

        def step(number: int, signal: Signal = signal, models: list[str] = models) -> bool:
            own = Signal.objects.get(pk=signal.pk)
            return publish_decision(own, models[number]) if number < 3 else publish_verdict(own)

        outcomes = at_once(6, step)
        assert sum(outcomes[3:]) == 1
        assert Frame.objects.filter(event_id=signal.pk).count() == 4
    assert [seq for seq, _, _ in frames()] == list(range(1, 41))
    assert head() == 40
