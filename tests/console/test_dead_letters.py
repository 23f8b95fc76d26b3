"""Bringing back what was buried: once, to where it stood, with the letter resolved when it arrives."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from audit.models import DeadLetter
from core.errors import Transient
from lens_project import pipeline
from signals.claims import claim
from signals.lifecycle import advance
from signals.models import Signal, Status
from tests.conftest import SignalFactory

pytestmark = pytest.mark.django_db(transaction=True)


def buried(signal: Signal, stage: str = "enrich") -> DeadLetter:
    held = claim(signal.pk, stage)
    assert held is not None
    held.tries = 5
    held.bury(Transient("provider_down", "the venue did not answer"))
    return DeadLetter.objects.get(event_id=signal.pk)


def test_a_signal_that_died_before_enrichment_begins_a_new_round(make_signal: SignalFactory) -> None:
    signal = make_signal()
    letter = buried(signal)
    assert pipeline.replay(letter, "ops") is True
    row = Signal.objects.get(pk=signal.pk)
    assert (row.status, row.evaluation, row.attempts, row.claims) == (Status.QUEUED, 1, 0, 0)
    assert row.next_attempt_at is not None
    letter.refresh_from_db()
    assert (letter.status, letter.retry_count) == (DeadLetter.Status.REQUEUED, 1)


def test_a_signal_that_died_later_keeps_its_round(make_signal: SignalFactory) -> None:
    signal = make_signal()
    with transaction.atomic():
        advance(signal, Status.ENRICHED, expected=[])
    letter = buried(signal, "conclude")
    assert pipeline.replay(letter, "ops") is True
    row = Signal.objects.get(pk=signal.pk)
    assert (row.status, row.evaluation) == (Status.ENRICHED, 0)


def test_eight_retries_at_once_are_one(make_signal: SignalFactory) -> None:
    letter = buried(make_signal())

    def retry(_: int) -> bool:
        try:
            return pipeline.replay(letter, "ops")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(retry, range(8))) == 1


def test_a_letter_that_is_not_open_stays_as_it_is(make_signal: SignalFactory) -> None:
    letter = buried(make_signal())
    assert pipeline.replay(letter, "ops") is True
    assert pipeline.replay(letter, "ops") is False


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("retry_dlq", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_the_command_counts_before_it_acts(make_signal: SignalFactory) -> None:
    letters = [buried(make_signal()) for _ in range(3)]
    assert run("--stage", "enrich", "--dry-run").startswith("0 of 3")
    assert run("--reason", "provider_down", "--yes").startswith("3 of 3")
    assert {letter.status for letter in DeadLetter.objects.filter(pk__in=[letter.pk for letter in letters])} == {"requeued"}


def test_the_command_closes_with_a_note(make_signal: SignalFactory) -> None:
    letter = buried(make_signal())
    said = {"stdout": StringIO(), "stderr": StringIO()}
    call_command("resolve_dlq", "--event", str(letter.event_id), "--discard", "--note", "a test", "--yes", **said)
    letter.refresh_from_db()
    assert (letter.status, letter.resolution_note, letter.resolved_by) == ("discarded", "a test", "resolve_dlq")
    assert Signal.objects.get().status == Status.FAILED


@pytest.mark.parametrize("arguments", [[], ["--stage", "enrich"], ["--since", "yesterday", "--yes"], ["--stage", "moon", "--yes"]])
def test_the_command_refuses_what_it_cannot_be_sure_of(make_signal: SignalFactory, arguments: list[str]) -> None:
    buried(make_signal())
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert refused.value.returncode == 2
    assert DeadLetter.objects.get().status == DeadLetter.Status.OPEN
