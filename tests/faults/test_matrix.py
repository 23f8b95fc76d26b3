"""Eight cells of the matrix and three quarters of a minute of random kills; `make faults` runs all, longer."""

from collections.abc import Iterator

import pytest

from tests.faults.cells import NAMED
from tests.faults.runs import run_cell, run_chaos, three_models
from tests.stack import Lens

pytestmark = pytest.mark.stack

EIGHT = [
    "kill -9 worker-evaluate",
    "kill -9 worker-core",
    "kill -9 web-0",
    "kill -9 postgres",
    "SIGTERM worker-evaluate",
    "broker memory full",
    "every waiting message tripled",
    "venue 429 with Retry-After",
]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lens]:
    """Every cell leaves it whole."""
    with three_models(tmp_path_factory.mktemp("matrix")) as lens:
        yield lens


@pytest.mark.parametrize("name", EIGHT)
def test_a_fault_loses_doubles_and_overpays_nothing(three: Lens, name: str) -> None:
    account = run_cell(three, NAMED[name], signals=30)
    assert account.whole, account
    assert account.accepted == 30
    assert account.dlq == 0


def test_random_kills_lose_double_and_reorder_nothing(three: Lens) -> None:
    before = three.head()["head_seq"]
    account, kills, followers = run_chaos(three, seconds=45, seed=7)
    assert kills.total() >= 11
    assert account.whole, (account, kills)
    whole = list(range(before + 1, three.head()["head_seq"] + 1))
    for follower in followers:
        assert follower.seqs == whole, (follower.falls, follower.resyncs)
    assert sum(follower.falls for follower in followers) > 0
