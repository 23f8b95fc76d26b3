"""An example executor: hears verdicts, refuses what is stale or was dealt with, says what it would do, and forgets nothing.

    LENS_KEY=lens_… python executor.py --url ws://127.0.0.1:8001/ws/decisions --state ./executor-state

It trades nothing. Where `act` prints, a real one would place an order with the frame's identity as client order id.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from sigmapilot_lens_client import FilePositions, Filter, Frame, Gap, LensClient


class Ledger:
    """What was acted upon, on disk before anything else is: the last line of defence against doing a thing twice."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a+")
        self._file.seek(0)
        self._done = {line.strip() for line in self._file if line.endswith("\n")}

    def begin(self, order_id: str) -> bool:
        """Note it durably; False when it was noted before."""
        if order_id in self._done:
            return False
        self._done.add(order_id)
        self._file.write(order_id + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        return True


def order_id(frame: Frame) -> str:
    """The same for the same advice, however often and under whatever number it arrives."""
    return f"{frame['event_id']}.{frame['evaluation']}.{frame['type']}.{frame['model'] or ''}"


def why_not(frame: Frame, now: datetime) -> str | None:
    """Why nothing must be done. Advice is judged by this machine's clock too: it may have waited here."""
    if frame["stale"] or now > datetime.fromisoformat(frame["valid_until"]):
        return "stale"
    return "nothing to do" if frame["decision"] in ("IGNORE", "HOLD") else None


def act(frame: Frame, ledger: Ledger) -> dict[str, object]:
    """Do it, or say why not."""
    facts = {"seq": frame["seq"], "symbol": frame["symbol"], "decision": frame["decision"], "order": order_id(frame)}
    if reason := why_not(frame, datetime.now(UTC)):
        return {"would": "skip", "reason": reason, **facts}
    if not ledger.begin(order_id(frame)):
        return {"would": "skip", "reason": "duplicate", **facts}
    return {"would": "act", **facts}


def lost(gap: Gap) -> None:
    """A real one would stop opening positions and look at its book."""
    print(json.dumps({"gap": gap.reason, "resumes_after": gap.resumes_after.seq}), flush=True)


async def follow(url: str, key: str, state: Path) -> None:
    """Until stopped."""
    ledger = Ledger(state / "acted.txt")
    async with LensClient(url, key, Filter(kind=["verdict"]), FilePositions(state / "position.json"), on_gap=lost) as lens:
        async for frame in lens:  # the frame is acknowledged when the loop comes back for the next one
            print(json.dumps(act(frame, ledger)), flush=True)


async def main() -> None:
    """Ctrl-C and SIGTERM end it cleanly."""
    parser = argparse.ArgumentParser(description="An example executor; it trades nothing.")
    parser.add_argument("--url", default="ws://127.0.0.1:8001/ws/decisions")
    parser.add_argument("--state", type=Path, default=Path("executor-state"))
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    following = asyncio.create_task(follow(options.url, os.environ["LENS_KEY"], options.state))
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, following.cancel)
    try:
        await following
    except asyncio.CancelledError:
        print("stopped", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main())
