"""Every policy as a table: votes in, verdict out."""

import pytest

from evaluation.consensus import Vote, decide

F, N, X, H, T = "FOLLOW_ENTER", "IGNORE", "FOLLOW_EXIT", "HOLD", "TIGHTEN_STOP"
OPEN, CLOSE = "OPEN_SIGNAL", "CLOSE_SIGNAL"


def votes(*spec: str | tuple[str, float]) -> list[Vote]:
    """Words, words with a confidence (0.5 unless told), and `-` for a model that failed."""
    made = []
    for place, item in enumerate(spec):
        word, confidence = item if isinstance(item, tuple) else (item, 0.5)
        silent = word == "-"
        made.append(Vote(f"m{place}", "?" if silent else word, None if silent else confidence, "ok", fallback=silent))
    return made


@pytest.mark.parametrize(
    ("policy", "event_type", "cast", "decision", "reason"),
    [
        ("majority", OPEN, votes(F, F, N), F, ""),
        ("majority", OPEN, votes(F, N), N, "no_majority"),
        ("majority", OPEN, votes(F, "-", "-"), F, ""),
        ("majority", OPEN, votes(F, F, N, N), N, "no_majority"),
        ("majority", CLOSE, votes(H, H, X), H, ""),
        ("majority", CLOSE, votes(H, T, X), X, "no_majority"),
        ("majority", CLOSE, votes(H, T), X, "no_majority"),
        ("any", OPEN, votes(N, N, F), F, ""),
        ("any", OPEN, votes(N, N), N, ""),
        ("any", CLOSE, votes(H, H, X), X, ""),
        ("any", CLOSE, votes(H, H, T), H, ""),
        ("any", CLOSE, votes(H, T), X, "no_majority"),
        ("all", OPEN, votes(F, F), F, ""),
        ("all", OPEN, votes(F, "-"), N, "no_majority"),
        ("all", OPEN, votes(F, N), N, "no_majority"),
        ("all", CLOSE, votes(H, H), H, ""),
        ("all", CLOSE, votes(H, T), X, "no_majority"),
        ("quorum:2", OPEN, votes(F, F, N), F, ""),
        ("quorum:2", OPEN, votes(F, "-", "-"), N, "no_majority"),
        ("quorum:2", OPEN, votes(F, F, N, N), N, "no_majority"),
        ("quorum:2", CLOSE, votes(H, H, T, X), H, ""),
        ("quorum:3", OPEN, votes(F, F), N, "no_majority"),
        ("weighted", OPEN, votes((F, 0.9), (N, 0.3), (N, 0.3)), F, ""),
        ("weighted", OPEN, votes((F, 0.3), (N, 0.9)), N, ""),
        ("weighted", OPEN, votes((F, 0.0), (N, 0.0)), N, "no_majority"),
        ("veto", OPEN, votes(F, F, N), N, ""),
        ("veto", OPEN, votes(F, F, "-"), F, ""),
        ("veto", CLOSE, votes(H, H, X), X, ""),
        ("veto", CLOSE, votes(H, H, T), H, ""),
    ],
)
def test_policies(policy: str, event_type: str, cast: list[Vote], decision: str, reason: str) -> None:
    drawn = decide(policy, event_type, cast)
    assert (drawn.decision, drawn.reason, drawn.fallback) == (decision, reason, False)


@pytest.mark.parametrize("policy", ["majority", "any", "all", "quorum:1", "weighted", "veto"])
@pytest.mark.parametrize(("event_type", "safe"), [(OPEN, N), (CLOSE, X)])
@pytest.mark.parametrize(("cast", "reason"), [(votes("-", "-"), "no_answers"), ([], "no_models")])
def test_when_nobody_answered_the_verdict_is_the_fallback(
    policy: str, event_type: str, safe: str, cast: list[Vote], reason: str
) -> None:
    drawn = decide(policy, event_type, cast)
    assert (drawn.decision, drawn.confidence, drawn.fallback, drawn.reason) == (safe, None, True, reason)


@pytest.mark.parametrize(
    ("cast", "confidence"),
    [
        (votes((F, 0.6), (F, 0.5), (N, 0.1)), 0.55),
        (votes((F, 0.6), "-"), 0.6),
        (votes((F, 0.6), (N, 0.2)), 0.2),
    ],
)
def test_confidence_is_the_mean_of_the_winning_votes(cast: list[Vote], confidence: float) -> None:
    assert decide("majority", OPEN, cast).confidence == confidence


def test_nobody_voted_for_the_safe_word_so_it_has_no_confidence() -> None:
    drawn = decide("majority", CLOSE, votes(H, T))
    assert (drawn.decision, drawn.confidence) == (X, None)


@pytest.mark.parametrize(
    ("event_type", "cast", "disagreement"),
    [
        (OPEN, votes(F, F), 0.0),
        (OPEN, votes(F, N), 1.0),
        (OPEN, votes(F, F, N, "-"), 0.666667),
        (CLOSE, votes(H, T, X), 1.0),
        (CLOSE, votes(H, T), 0.75),
        (OPEN, votes("-"), 0.0),
    ],
)
def test_disagreement_runs_from_unison_to_an_even_split(event_type: str, cast: list[Vote], disagreement: float) -> None:
    assert decide("majority", event_type, cast).disagreement == disagreement
