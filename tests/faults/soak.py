"""`make soak HOURS=2`: a steady load for hours with a random fault every minute, accounted for minute by minute, into docs/soak.md.

python -m tests.faults.soak --hours 0.15     nine minutes
Each signal is sent at a time fixed in advance. A minute is settled while the later ones go on, when the fault after it is over.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import httpx2

from core.clock import iso, now
from tests.faults.account import settle
from tests.faults.cells import CELLS
from tests.faults.followers import Follower
from tests.faults.runs import DRIFTED, three_models
from tests.faults.samples import EVERY_S, Sampler, read
from tests.faults.soak_page import Minute, Soaked, write
from tests.faults.traffic import Sender
from tests.stack import Lens

MINUTE_S = 60
FOLLOWERS = 2


class Soak:
    """Minutes of load on a stack, and what became of each."""

    def __init__(self, lens: Lens, minutes: int, rate: float, seed: int) -> None:
        self.lens, self.rate = lens, rate
        chance = random.Random(seed)
        self.cells = [chance.choice(CELLS) for _ in range(minutes)]
        self.marks: list[tuple[float, str]] = []

    def run(self, sampler: Sampler) -> list[Minute]:
        """All minutes, oldest first."""
        sent: list[tuple[Sender, int]] = []
        settled: list[Future[Minute]] = []
        with ThreadPoolExecutor(max_workers=1) as clerk:
            for number, cell in enumerate(self.cells):
                stands = self.lens.head()["head_seq"]
                sent.append((Sender(self.lens, int(MINUTE_S * self.rate), self.rate).begin(), stands))
                sent[-1][0].wait_for_the_middle()
                self.marks.append((sampler.at_s, cell.name))
                with cell.strike(self.lens):
                    pass
                sent[-1][0].wait_for_the_last()
                if number:
                    settled.append(clerk.submit(self._settle, number - 1, *sent[number - 1]))
            settled.append(clerk.submit(self._settle, len(sent) - 1, *sent[-1]))
            return [minute.result() for minute in settled]

    def _settle(self, number: int, sender: Sender, stands: int) -> Minute:
        sender.finish()
        struck = self.cells[max(number - 1, 0) : number + 3]
        calls = 1 + sum(cell.calls - 1 for cell in struck)
        account = settle(self.lens, sender.sent, calls_per_model=calls, rejections=DRIFTED, after=stands)
        minute = Minute(self.cells[number].name, account, any(cell.to_dlq for cell in struck))
        _tell(number, minute)
        return minute


class Patient(httpx2.HTTPTransport):
    """Asks again, for a while, what a fault kept from being answered; only what changes nothing."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """As of any transport; the last answer or error when time is over."""
        ends = time.monotonic() + MINUTE_S
        while True:
            try:
                answer = super().handle_request(request)
                if request.method != "GET" or answer.status_code < 500 or time.monotonic() > ends:
                    return answer
                answer.close()
            except httpx2.TransportError:
                if request.method != "GET" or time.monotonic() > ends:
                    raise
            time.sleep(0.5)


def main() -> int:
    """0 when every promise held in every minute."""
    options = _parse()
    minutes = max(round(options.hours * 60), 1)
    with tempfile.TemporaryDirectory(prefix="lens-soak-") as directory, three_models(Path(directory)) as lens:
        lens.http = httpx2.Client(base_url=lens.facts["http"], headers=lens.headers, timeout=20, transport=Patient())
        soak = Soak(lens, minutes, options.rate, options.seed)
        followers = [Follower(lens, options.seed + number) for number in range(FOLLOWERS)]
        for follower in followers:
            follower.start()
        with Sampler(lens, options.csv, EVERY_S) as sampler:
            ended = soak.run(sampler)
        broken = [follower for follower in followers if not _heard_all(follower, lens.head()["head_seq"])]
    page = Soaked(ended, options.rate, soak.marks, [follower.falls for follower in followers], len(broken))
    write(page, read(options.csv))
    sys.stdout.write(f"{Counter(minute.whole for minute in ended)[True]} of {minutes} minutes whole; samples in {options.csv}\n")
    return 0 if all(minute.whole for minute in ended) and not broken else 1


def _heard_all(follower: Follower, head: int) -> bool:
    """Whether it heard every frame once and in order, up to the end."""
    caught_up = follower.caught_up(head, within=30)
    follower.stop()
    return caught_up and follower.seqs == list(range(follower.seqs[0], follower.seqs[-1] + 1))


def _tell(number: int, minute: Minute) -> None:
    figures = "  ".join(f"{name} {value}" for name, value in asdict(minute.account).items())
    sys.stdout.write(
        f"{iso(now())} minute {number + 1:>4} {'whole' if minute.whole else 'BROKEN':<6} {minute.fault:<36} {figures}\n"
    )
    sys.stdout.flush()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--rate", type=float, default=10, help="signals a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv", type=Path, default=Path(tempfile.gettempdir()) / f"lens-soak-{now():%Y%m%d-%H%M}.csv")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
