"""Two machines' worth of processes with only TCP between them, on one PostgreSQL and one broker: `pytest -m long`.

Each group has its own launcher, data directory, web, sockets, workers, courier and beat. One of them is killed whole under load.
"""

from collections.abc import Iterator

import pytest

from tests.faults.account import settle
from tests.faults.followers import Follower
from tests.faults.runs import DRIFTED, three_models
from tests.faults.traffic import Sender
from tests.stack import Lens, running

pytestmark = [pytest.mark.stack, pytest.mark.long]

GROUP = ("web-0", "ws-0", "ws-1", "worker-evaluate", "worker-core", "webhooks", "beat")
SIGNALS, PER_S = 60, 5.0


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """The group whose machine also has the servers and the simulators."""
    with three_models(tmp_path_factory.mktemp("first")) as lens:
        yield lens


@pytest.fixture(scope="module")
def second(first: Lens, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """The other one: it knows the first by addresses only."""
    facts = first.facts
    addresses = {
        "DATABASE_URL": facts["database"],
        "REDIS_URL": facts["redis"],
        "LENS_HYPERLIQUID_URL": facts["simulators"]["exchange"],
        "LENS_SANDBOX_LLM_URL": facts["simulators"]["llm"],
        "DJANGO_SECRET_KEY": facts["secret_key"],
    }
    with running(tmp_path_factory.mktemp("second"), **addresses) as lens:
        yield lens


def _halt(group: Lens) -> None:
    for name in GROUP:
        group.stack.supervisor.hold(name)


def _bring_back(group: Lens) -> None:
    for name in GROUP:
        group.stack.supervisor.release(name)
    group.stack.supervisor.wait_until(group.ready, 90, "a /ready of 200")


def test_signals_handed_to_either_are_decided_once_and_heard_on_both(first: Lens, second: Lens) -> None:
    before = first.head()["head_seq"]
    with first.listen() as here, second.listen() as there:
        sent = [group.submit() for _ in range(5) for group in (first, second)]
        here.until_verdicts(sent)
        there.until_verdicts(sent)
    for group in (first, second):
        events = group.settled(sent)
        assert {event["status"] for event in events.values()} == {"published"}
        assert all(len(event["decisions"]) == 3 for event in events.values())
    assert [frame["seq"] for frame in here.frames] == list(range(before + 1, before + 1 + 4 * len(sent)))
    assert [frame["seq"] for frame in there.frames] == [frame["seq"] for frame in here.frames]
    assert {call["answered_first"] for event_id in sent for call in first.calls(event_id=event_id)} == {1}


def test_each_group_works_alone(first: Lens, second: Lens) -> None:
    for absent, present in ((first, second), (second, first)):
        _halt(absent)
        try:
            event_id = present.submit()
            assert present.settled([event_id])[event_id]["status"] == "published"
        finally:
            _bring_back(absent)


def test_a_group_killed_whole_under_load_loses_doubles_and_overpays_nothing(first: Lens, second: Lens) -> None:
    stood = second.head()["head_seq"]
    followers = [Follower(first, 1), Follower(second, 2)]
    for follower in followers:
        follower.start()
    with Sender(first, SIGNALS, PER_S) as lost, Sender(second, SIGNALS, PER_S) as kept:
        kept.wait_for_the_middle()
        _halt(first)
        kept.finish()
        alone = settle(second, kept.sent, calls_per_model=2, rejections=DRIFTED, after=stood)
        _bring_back(first)
        lost.finish()
    back = settle(first, lost.sent, calls_per_model=2, rejections=DRIFTED, after=stood)
    assert alone.whole, alone
    assert back.whole, back
    assert (alone.accepted, alone.dlq, back.accepted, back.dlq) == (SIGNALS, 0, SIGNALS, 0)
    head = second.head()["head_seq"]
    for follower in followers:
        assert follower.caught_up(head, within=30)
        follower.stop()
        assert follower.seqs == list(range(stood + 1, head + 1)), (follower.falls, follower.resyncs)
    assert followers[0].falls > 0
