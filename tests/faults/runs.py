"""One cell of the matrix, and a while of random kills: signals at a steady rate, the fault in their middle, then the account."""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.faults.account import Account, settle
from tests.faults.cells import Cell
from tests.faults.followers import Follower
from tests.faults.traffic import Sender
from tests.stack import Lens, running

SECOND_MODEL = "model add claude --vendor openai_compatible --model-id sonnet-sandbox --key-env LENS_SANDBOX_API_KEY --base-url"
DRIFTED = frozenset({"price_drift"})
VICTIMS = ("web-0", "ws-0", "ws-1", "worker-evaluate", "worker-core", "beat", "redis", "postgres")
# A kill -9 of the database makes whoever was in the middle of something lose its answer, as a kill of that process would.
COSTLY = {"worker-evaluate", "postgres"}


@contextmanager
def three_models(directory: Path) -> Iterator[Lens]:
    """A stack with the baseline and two models that are paid for; calls are short, so that a lost lease is soon taken over."""
    with running(directory) as lens:
        lens.manage(*SECOND_MODEL.split(), lens.facts["simulators"]["llm"] + "/v1")
        for name in ("chatgpt", "claude"):
            lens.manage("model", "set", name, "--timeout-ms", "4000")
        yield lens


def run_cell(lens: Lens, cell: Cell, signals: int, rate: float = 5.0) -> Account:
    """The fault strikes when half of the signals are out; everything must be healed 60 s after it is over."""
    with Sender(lens, signals, rate) as sender:
        sender.wait_for_the_middle()
        with cell.strike(lens):
            pass
    return settle(lens, sender.sent, calls_per_model=cell.calls, rejections=DRIFTED)


def run_chaos(lens: Lens, seconds: float, seed: int, rate: float = 5.0) -> tuple[Account, Counter[str], list[Follower]]:
    """Random kills every one to four seconds under load, with executors that resume. Returns who was killed how often, too."""
    chance, kills = random.Random(seed), Counter[str]()
    followers = [Follower(lens, seed + number) for number in range(4)]
    for follower in followers:
        follower.start()
    with ExitStack() as over, Sender(lens, int(seconds * rate), rate) as sender:
        over.callback(_dismiss, followers)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(chance.uniform(1, 4))
            victim = chance.choice(VICTIMS)
            lens.stack.kill(victim, signal.SIGKILL)
            kills[victim] += 1
        sender.finish()
        account = settle(lens, sender.sent, calls_per_model=1 + sum(kills[name] for name in COSTLY), rejections=DRIFTED)
        head = lens.head()["head_seq"]
        for follower in followers:
            follower.caught_up(head, within=30)
    return account, kills, followers


def _dismiss(followers: list[Follower]) -> None:
    for follower in followers:
        follower.stop()
