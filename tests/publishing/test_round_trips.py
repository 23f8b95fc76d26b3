"""How often an answer and a verdict go to the database: the hot path is counted, so that it does not grow unseen."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from core.canonical import digest
from core.clock import ZERO
from enrichment.models import Enrichment
from evaluation.models import EvaluationModel
from evaluation.selectors import forget_registry
from publishing import tasks
from signals.lifecycle import advance
from signals.models import Signal, Status
from tests.evaluation.cases import NO_FLAGS, payload

pytestmark = pytest.mark.django_db(transaction=True)

# Claim; begin, lock, settle, append the frame, commit.
PER_ANSWER = 6
# Begin, lock, look, both moves, the verdict, frames still missing, append, commit.
PER_VERDICT = 8


@pytest.fixture
def enriched(make_signal: Callable[..., Signal]) -> Callable[[], Signal]:
    EvaluationModel.objects.all().delete()
    for name in ("one", "two"):
        EvaluationModel.objects.create(name=name, vendor="baseline", model_id="baseline-v1")
    forget_registry()

    def make() -> Signal:
        signal = make_signal()
        text = payload(event_id=str(signal.pk))
        frozen: dict[str, Any] = {"profile": "p", "provider": "sandbox", "payload": text, "payload_hash": digest(text)}
        with transaction.atomic():
            assert advance(signal, Status.ENRICHED, expected=["one", "two"], enriched_at=ZERO)
            Enrichment.objects.create(signal=signal, quality_flags=NO_FLAGS, quality_score=1.0, duration_ms=1, **frozen)
        return signal

    return make


@pytest.fixture
def counted(enriched: Callable[[], Signal]) -> list[str]:
    """What two answers and their verdict say to the database, in a process that has settled in."""
    for _ in range(2):
        signal = enriched()
        with CaptureQueriesContext(connection) as seen:
            for name in ("one", "two"):
                tasks.evaluate(str(signal.pk), name)
        assert Signal.objects.get(pk=signal.pk).status == Status.PUBLISHED
    return [query["sql"] for query in seen.captured_queries]


def test_two_answers_and_their_verdict_take_no_more_than_they_must(counted: list[str]) -> None:
    assert len(counted) == 2 * PER_ANSWER + PER_VERDICT, "\n".join(sql[:100] for sql in counted)
