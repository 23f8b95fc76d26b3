"""From the judges' answers to one verdict. Pure; every policy is a function of the votes cast.

A fallback (a model that failed) casts no vote. When nobody answered, the verdict is the fallback (a source's own, where it has one)
and says so. When a policy finds no winner, the verdict is the safe word: OPEN → IGNORE, CLOSE → FOLLOW_EXIT.

| policy     | OPEN_SIGNAL                                      | CLOSE_SIGNAL                                              |
|------------|--------------------------------------------------|-----------------------------------------------------------|
| majority   | the word with more than half of the votes cast   | the same                                                  |
| any        | FOLLOW_ENTER if anyone says so, else IGNORE      | FOLLOW_EXIT if anyone says so, else majority              |
| all        | FOLLOW_ENTER only if the whole panel says so     | a word only if the whole panel says it; else FOLLOW_EXIT  |
| quorum:k   | the word with at least k votes and the most      | the same                                                  |
| weighted   | the word with more than half of the summed       | the same                                                  |
|            | confidences                                      |                                                           |
| veto       | FOLLOW_ENTER unless anyone who answered objects  | FOLLOW_EXIT if anyone says so, else majority              |

`all` counts a silent judge as not agreeing; `veto` only hears those who spoke. `confidence` is the mean over the winning votes,
None when nobody voted for the outcome. `disagreement` is 0 when all votes cast are alike and 1 when they are spread evenly over
all legal words: (1 − share of the commonest word) ÷ (1 − 1 ÷ number of legal words).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from evaluation.schemas import ENTER, EXIT, FALLBACK, WORDS

POLICY_VERSION: Final = 1


@dataclass(frozen=True)
class Vote:
    """One judge's settled answer."""

    model: str
    decision: str
    confidence: float | None
    status: str
    fallback: bool = False


@dataclass(frozen=True)
class Outcome:
    """What the votes come to. `reason` is empty, `no_majority`, `no_answers` or `no_models`."""

    decision: str
    confidence: float | None
    fallback: bool
    reason: str
    disagreement: float


@dataclass(frozen=True)
class _Ballot:
    """Votes cast, and how many judges sat."""

    cast: Sequence[Vote]
    seats: int
    safe: str

    @property
    def tally(self) -> Counter[str]:
        return Counter(vote.decision for vote in self.cast)

    def heavier_than_half(self, weight: Callable[[Vote], float]) -> str | None:
        weights: dict[str, float] = {}
        for vote in self.cast:
            weights[vote.decision] = weights.get(vote.decision, 0.0) + weight(vote)
        heaviest = max(weights, key=lambda word: weights[word])
        return heaviest if 2 * weights[heaviest] > sum(weights.values()) else None


def decide(policy: str, event_type: str, votes: Sequence[Vote]) -> Outcome:
    """The verdict under `majority`, `any`, `all`, `quorum:k`, `weighted` or `veto`. Raises KeyError for another policy."""
    safe = FALLBACK[event_type]
    cast = [vote for vote in votes if not vote.fallback]
    if not cast:
        return Outcome(safe, None, fallback=True, reason="no_answers" if votes else "no_models", disagreement=0.0)
    name, _, figure = policy.partition(":")
    ballot = _Ballot(cast, len(votes), safe)
    winner = _quorum(ballot, int(figure)) if name == "quorum" else _POLICIES[name](ballot)
    decision = safe if winner is None else winner
    confidences = [vote.confidence for vote in cast if vote.decision == decision and vote.confidence is not None]
    return Outcome(
        decision,
        round(fmean(confidences), 6) if confidences else None,
        fallback=False,
        reason="" if winner else "no_majority",
        disagreement=disagreement(event_type, cast),
    )


def disagreement(event_type: str, cast: Sequence[Vote]) -> float:
    """0 … 1, as defined above; 0 for no votes."""
    if not cast:
        return 0.0
    share = Counter(vote.decision for vote in cast).most_common(1)[0][1] / len(cast)
    return round((1 - share) / (1 - 1 / len(WORDS[event_type])), 6)


def _majority(ballot: _Ballot) -> str | None:
    return ballot.heavier_than_half(lambda _: 1.0)


def _weighted(ballot: _Ballot) -> str | None:
    return ballot.heavier_than_half(lambda vote: vote.confidence or 0.0)


def _any(ballot: _Ballot) -> str | None:
    return next((word for word in (ENTER, EXIT) if word in ballot.tally), None) or _majority(ballot)


def _veto(ballot: _Ballot) -> str | None:
    return ballot.safe if ballot.safe in ballot.tally else _majority(ballot)


def _all(ballot: _Ballot) -> str | None:
    word, count = ballot.tally.most_common(1)[0]
    return word if count == ballot.seats else None


def _quorum(ballot: _Ballot, needed: int) -> str | None:
    first, *others = ballot.tally.most_common(2)
    tied = bool(others) and others[0][1] == first[1]
    return first[0] if first[1] >= needed and not tied else None


_POLICIES: Final[Mapping[str, Callable[[_Ballot], str | None]]] = {
    "majority": _majority,
    "any": _any,
    "all": _all,
    "weighted": _weighted,
    "veto": _veto,
}
