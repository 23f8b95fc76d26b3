"""Kills while a signal is judged again: the round is bounded like the first, and money set aside is not lost with the worker."""

import json
import time

import pytest

from tests.faults.test_crash_points import crash_at
from tests.stack import Lens

pytestmark = pytest.mark.stack

# Room for the worst case of one call, not of two.
SET_BUDGET = "from evaluation.models import Budget; Budget.objects.create(scope='total', usd_per_day='0.2')"
DROP_BUDGET = "from evaluation.models import Budget; Budget.objects.all().delete()"
SPENT = """
import json
from evaluation.models import Spend
print(json.dumps([[str(row.reserved_usd), str(row.spent_usd)] for row in Spend.objects.all()]))
"""


def answered(lens: Lens, event_id: str) -> int:
    return sum(call["answered"] for call in lens.calls() if call["event_id"] == event_id)


@pytest.mark.parametrize("point", ["evaluate.answered", "evaluate.settled"])
def test_a_round_pays_at_most_once_more_for_a_worker_killed_in_it(lens: Lens, point: str) -> None:
    event_id = lens.submit()
    lens.settled([event_id])
    order = lens.stack.plan.data_dir / "run" / f"crash-at-{point}"
    order.touch()
    assert lens.http.post(f"/api/v1/events/{event_id}/reevaluate", json={}).status_code == 202
    event = lens.settled([event_id], within=90)[event_id]
    assert not order.exists()
    assert (event["status"], event["evaluation"]) == ("published", 1)
    assert answered(lens, event_id) <= 2 + 1
    told = [(frame["evaluation"], frame["type"]) for frame in lens.frames() if frame["event_id"] == event_id]
    assert sorted(told) == [(0, "decision"), (0, "decision"), (0, "verdict"), (1, "decision"), (1, "decision"), (1, "verdict")]


def test_a_worker_killed_with_money_set_aside_costs_the_budget_nothing(lens: Lens) -> None:
    lens.manage("shell", "-c", SET_BUDGET)
    try:
        time.sleep(1.5)
        for _ in range(2):
            sent = crash_at(lens, "evaluate.answered", signals=1)
            event = lens.settled(sent, within=90)[sent[0]]
            assert {item["status"] for item in event["decisions"]} == {"ok"}
        ((reserved, spent),) = json.loads(lens.manage("shell", "-v", "0", "-c", SPENT).splitlines()[-1])
        assert 0 < float(spent) + float(reserved) <= 0.2
        assert float(spent) > 0
    finally:
        lens.manage("shell", "-c", DROP_BUDGET)
