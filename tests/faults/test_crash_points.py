"""A process that dies between any two commits: restarted, and every promise still holds."""

import time

import httpx2
import pytest

from core.ids import uuid7
from tests.faults.books import balance
from tests.stack import Lens

pytestmark = pytest.mark.stack

IN_WORKER_CORE = ["enrich.before_save", "advance.enriched", "enrich.after_save"]
# Where the worker that asks models dies. The other model's call may be under way just then, so one call more may be paid for.
IN_WORKER_EVALUATE = ["evaluate.claimed", "evaluate.answered", "evaluate.settled", "publish.committed"]
# The same worker, after the last answer is saved: nothing is left to pay for.
AFTER_THE_LAST_ANSWER = ["advance.evaluated", "conclude.saved", "advance.published", "publish.before_commit"]


def crash_at(lens: Lens, point: str, signals: int = 2) -> list[str]:
    """Signals sent while a process is to die at this point; returns once it has."""
    order = lens.stack.plan.data_dir / "run" / f"crash-at-{point}"
    order.touch()
    sent = [lens.submit() for _ in range(signals)]
    ends = time.monotonic() + 90
    while order.exists():
        assert time.monotonic() < ends, f"{point} was never reached"
        time.sleep(0.05)
    return sent


def test_the_core_worker_killed_anywhere_loses_and_doubles_nothing(lens: Lens) -> None:
    sent = [event_id for point in IN_WORKER_CORE for event_id in crash_at(lens, point)]
    balance(lens, sent, within=90)


@pytest.mark.parametrize("point", IN_WORKER_EVALUATE)
def test_the_evaluate_worker_killed_there_loses_and_doubles_nothing(lens: Lens, point: str) -> None:
    balance(lens, crash_at(lens, point, signals=1), extra_calls=1)


def test_a_worker_killed_after_the_last_answer_pays_nothing_twice(lens: Lens) -> None:
    # One after the other: a kill takes the calls of other signals with it, and those would be paid for again.
    for point in AFTER_THE_LAST_ANSWER:
        balance(lens, crash_at(lens, point, signals=1), within=90)


@pytest.mark.parametrize(("point", "status"), [("submit.before_save", 201), ("submit.after_save", 200)])
def test_a_gateway_killed_before_it_answers_takes_the_repeat_once(lens: Lens, point: str, status: int) -> None:
    body, key = lens.body(), str(uuid7())
    (lens.stack.plan.data_dir / "run" / f"crash-at-{point}").touch()
    with pytest.raises(httpx2.TransportError):
        lens.post(body, **{"Idempotency-Key": key})
    ends = time.monotonic() + 90
    while (answer := _repeated(lens, body, key)) is None:
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert answer.status_code == status
    balance(lens, [answer.json()["event_id"]])


def _repeated(lens: Lens, body: dict[str, object], key: str) -> httpx2.Response | None:
    try:
        return lens.post(body, **{"Idempotency-Key": key})
    except httpx2.TransportError:
        return None
