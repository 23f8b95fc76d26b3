"""Doors for Celery from the judges to the stream: take an id, call a service."""

from functools import partial

from celery import shared_task

from evaluation import services as judging
from evaluation.claims import EvaluationClaim, claim
from publishing import services as stream
from signals.claims import SignalClaim
from signals.claims import claim as claim_signal
from signals.selectors import owing_announcement, under_judgement
from signals.stage import stage


@stage(partial(claim, tell=stream.append_decision))
def _judge(held: EvaluationClaim) -> None:
    judging.judge(held)


@stage(lambda event_id: claim_signal(event_id, "conclude"))
def _conclude(held: SignalClaim) -> None:
    if not stream.conclude(held.signal):
        held.release()


@stage(lambda signal: SignalClaim(signal, "conclude", signal.attempts))
def _conclude_at_once(held: SignalClaim) -> None:
    """By whoever gave the last answer: no lease is asked for, since the signal's own row lets one of two through."""
    stream.conclude(held.signal)


@stage(lambda event_id: claim_signal(event_id, "publish"))
def _publish(held: SignalClaim) -> None:
    stream.publish_verdict(held.signal)


@shared_task(name="publishing.tasks.evaluate")
def evaluate(event_id: str, model: str) -> None:
    """One model's judgement, on the stream as soon as it is made; whoever completes the set draws the verdict at once."""
    held = _judge(event_id, model)
    if held is not None and held.completes:
        _conclude_at_once(held.signal)


@shared_task(name="publishing.tasks.publish_decision")
def publish_decision(event_id: str, model: str) -> None:
    """The frame of a settled decision that a crash left out."""
    signal = under_judgement(event_id)
    if signal is not None:
        stream.publish_decision(signal, model)


@shared_task(name="publishing.tasks.conclude")
def conclude(event_id: str) -> None:
    """All answered, abstained or out of time → verdict, and straight on to the stream."""
    _conclude(event_id)


@shared_task(name="publishing.tasks.publish")
def publish(event_id: str) -> None:
    """The verdict's frame, and any decision's frame still missing → status published."""
    _publish(event_id)


@shared_task(name="publishing.tasks.announce")
def announce(event_id: str) -> None:
    """A signal that ended early still gets its verdict frame: an executor always hears."""
    signal = owing_announcement(event_id)
    if signal is not None:
        stream.announce(signal)
