"""docs/soak.md and its pictures: what a soak found, fault by fault, and what its processes held meanwhile."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.clock import iso, now
from tests.faults.account import Account
from tests.faults.drawing import Lines, picture
from tests.faults.samples import Sample, lines

DOCS = Path(__file__).resolve().parents[2] / "docs"
# Figure → the picture's title.
PICTURES = {
    "memory": "Memory: proportional set size, MB",
    "database": "Connections to PostgreSQL",
    "broker": "Connections to the broker",
    "handles": "Open file handles",
    "waiting": "Messages waiting, by queue",
    "lag": "Age of the oldest signal not finished, s",
}
COUNTED = ("accepted", "published", "rejected", "dlq", "stuck", "lost", "doubled", "gaps", "overpaid", "unacknowledged", "repeats")
INTRODUCTION = """# Soak

{minutes} minutes at {rate:g} signals/s with three models and a fault struck at random in the middle of every minute, on one
machine, through the launcher's own processes; written by `make soak` on {at}. The columns are those of `make faults`: *stuck*,
*lost*, *doubled*, *gaps*, *overpaid* and *unacknowledged* must be 0, and *dlq* too but for the faults marked †, which rightly end
signals there (in their own minute or in one beside it). A minute is settled when the fault after it is over.

{whole} of {minutes} minutes kept every promise. {followers} executors followed the stream throughout, fell {falls} times, came
back with their last seq, and {heard}.

"""


@dataclass(frozen=True)
class Minute:
    """One minute's fault and account. `may_die`: whether its fault, or one beside it, rightly ends signals in dead letters."""

    fault: str
    account: Account
    may_die: bool

    @property
    def whole(self) -> bool:
        """Every promise kept, and nobody given up for nothing."""
        return self.account.whole and (self.may_die or not self.account.dlq)


@dataclass(frozen=True)
class Soaked:
    """What there is to tell. `marks`: seconds since the beginning and a fault; `falls` by follower; `broken`: who missed frames."""

    minutes: Sequence[Minute]
    rate: float
    marks: Sequence[tuple[float, str]]
    falls: Sequence[int]
    broken: int


def write(soaked: Soaked, samples: list[Sample], docs: Path = DOCS) -> None:
    """The page, and a picture for each figure that was sampled."""
    (docs / "soak").mkdir(exist_ok=True)
    drawn = {figure: found for figure in PICTURES if (found := lines(samples, figure))}
    for figure, found in drawn.items():
        (docs / "soak" / f"{figure}.svg").write_text(picture(PICTURES[figure], found, soaked.marks))
    (docs / "soak.md").write_text(_introduction(soaked) + "".join(_table(soaked.minutes)) + "".join(_shown(drawn)))


def _introduction(soaked: Soaked) -> str:
    return INTRODUCTION.format(
        minutes=len(soaked.minutes),
        rate=soaked.rate,
        at=iso(now())[:10],
        whole=sum(minute.whole for minute in soaked.minutes),
        followers=len(soaked.falls),
        falls=sum(soaked.falls),
        heard=f"{soaked.broken} of them missed frames" if soaked.broken else "heard each frame once and in order",
    )


def _table(minutes: Sequence[Minute]) -> Iterator[str]:
    yield _row(["fault", "minutes", *COUNTED, "slowest p99, s"])
    yield _row(["---"] * (len(COUNTED) + 3))
    for fault in sorted({minute.fault for minute in minutes}):
        yield _row(_summed(fault, [minute for minute in minutes if minute.fault == fault]))
    yield _row(_summed("**all**", minutes))


def _summed(name: str, minutes: Sequence[Minute]) -> Iterable[str]:
    yield name + (" †" if any(minute.may_die for minute in minutes) else "")
    yield str(len(minutes))
    yield from (str(sum(getattr(minute.account, column) for minute in minutes)) for column in COUNTED)
    yield str(max(minute.account.p99_s for minute in minutes))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _shown(drawn: dict[str, Lines]) -> Iterator[str]:
    yield "\nDotted lines are the faults; a gap in a line is a time when the process was not there.\n"
    for figure in drawn:
        yield f"\n![{PICTURES[figure]}](soak/{figure}.svg)\n"
