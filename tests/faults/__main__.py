"""`make faults`: the whole matrix and minutes of random kills, through the project's own launcher; writes docs/faults.md.

python -m tests.faults                                  everything
python -m tests.faults --only 'kill -9' --signals 30    what begins so, shorter; nothing is written
"""

import argparse
import sys
import tempfile
from dataclasses import asdict, fields
from pathlib import Path

from core.clock import iso, now
from tests.faults.account import Account
from tests.faults.cells import CELLS, Cell
from tests.faults.runs import run_cell, run_chaos, three_models
from tests.stack import Lens

REPORT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
COLUMNS = [field.name for field in fields(Account)]
INTRODUCTION = """# The fault matrix

Each row is one fault struck in the middle of {signals} signals at 5/s with three models, on one machine, through the launcher's
own processes; written by `make faults` on {at}. These must be 0: *stuck* (signals that did not come to an end within 60 s), *lost*
(frames that are missing), *doubled* (frames told twice), *gaps* (holes in `seq`), *overpaid* (models paid more often for one signal
than a kill in the middle of a call allows), *unacknowledged* (signals the gateway never took from a sender that repeats for 90 s).
*repeats* are that sender's calls; *healed_s* is how long after the last acknowledgement everything had come to its end.

"""


def main() -> int:
    """0 when every promise held in every row."""
    options = _parse()
    cells = [cell for cell in CELLS if cell.name.startswith(options.only)]
    with tempfile.TemporaryDirectory(prefix="lens-faults-") as directory, three_models(Path(directory)) as lens:
        rows = [(cell.name, _told(lens, cell, options.signals)) for cell in cells]
        if not options.only:
            rows.append((f"random kills for {options.chaos:.0f} s", _chaos(lens, options.chaos, options.seed)))
    if not options.only:
        REPORT.write_text(INTRODUCTION.format(signals=options.signals, at=iso(now())[:10]) + _table(rows))
    return 0 if all(account.whole for _, account in rows) else 1


def _told(lens: Lens, cell: Cell, signals: int) -> Account:
    account = run_cell(lens, cell, signals)
    _print(cell.name, account)
    return account


def _chaos(lens: Lens, seconds: float, seed: int) -> Account:
    account, kills, followers = run_chaos(lens, seconds, seed)
    _print(f"random kills {dict(kills)}", account)
    for follower in followers:
        steady = follower.seqs == list(range(follower.seqs[0], follower.seqs[0] + len(follower.seqs))) if follower.seqs else False
        sys.stdout.write(f"  follower: {len(follower.seqs)} frames, {follower.falls} falls, each once and in order: {steady}\n")
    return account


def _print(name: str, account: Account) -> None:
    verdict = "whole" if account.whole else "BROKEN"
    sys.stdout.write(f"{verdict:<7} {name:<36} " + "  ".join(f"{key} {value}" for key, value in asdict(account).items()) + "\n")
    sys.stdout.flush()


def _table(rows: list[tuple[str, Account]]) -> str:
    table = [["fault", *COLUMNS], ["---"] * (len(COLUMNS) + 1)]
    table += [[name, *map(str, asdict(account).values())] for name, account in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in table)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="cells whose name begins so")
    parser.add_argument("--signals", type=int, default=150)
    parser.add_argument("--chaos", type=float, default=300, help="seconds of random kills")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
