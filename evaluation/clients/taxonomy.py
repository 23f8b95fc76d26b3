"""What an error of a vendor leads to: one table for all of them. Pure.

Each client reads its vendor's error into a `Trouble`. Here it becomes Transient (asked again as a row, core/retry.py), Permanent
(the model abstains at once), or a reply: when the vendor's filter spoke, the model was asked and declined.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import LensError, Permanent, Transient
from core.logs import redact
from core.secret import blotted
from evaluation.parsing import bounded
from evaluation.ports import Reply

LONGEST_MESSAGE = 300
_SECONDS = re.compile(r"\d{1,6}(\.\d{1,12})?")


@dataclass(frozen=True)
class Trouble:
    """An error as a vendor tells it: HTTP status, the words by which it names the fault, its sentence, its wish to wait (s)."""

    status: int
    words: frozenset[str] = frozenset()
    message: str = ""
    retry_after: float | None = None
    request_id: str = ""


# Status → (code, whether trying again may help). What is not listed: 5xx is the provider's trouble, other 4xx ours.
_BY_STATUS: Mapping[int, tuple[str, bool]] = {
    401: ("auth_failed", False),
    402: ("insufficient_quota", False),
    403: ("auth_failed", False),
    404: ("model_not_found", False),
    408: ("timeout", True),
    409: ("provider_down", True),
    425: ("provider_down", True),
    429: ("rate_limited", True),
}
# A vendor's own word says more than its status.
_BY_WORD: Mapping[str, tuple[str, bool]] = {
    "insufficient_quota": ("insufficient_quota", False),
    "billing_error": ("insufficient_quota", False),
    "API_KEY_INVALID": ("auth_failed", False),
    "rate_limit_exceeded": ("rate_limited", True),
    "server_is_overloaded": ("provider_down", True),
    "server_error": ("provider_down", True),
}
# Where only the sentence tells: what vendors are known to write.
_BY_SENTENCE: Mapping[str, tuple[str, bool]] = {
    "credit balance is too low": ("insufficient_quota", False),
    "API key not valid": ("auth_failed", False),
    "API Key not found": ("auth_failed", False),
}
_FILTER_WORDS = frozenset({"content_filter", "content_policy_violation"})
_FILTER_SENTENCES = ("content filtering policy", "content management policy")


def settled(trouble: Trouble, key: str) -> Reply:
    """The refusal this trouble is; otherwise raises what it leads to, the key blotted out of the vendor's sentence."""
    said = redact(bounded(blotted(trouble.message, key), LONGEST_MESSAGE))
    request_id = blotted(trouble.request_id, key)
    if trouble.words & _FILTER_WORDS or any(phrase in said for phrase in _FILTER_SENTENCES):
        return Reply("", "content_filter", refusal=said, request_id=request_id)
    raise _error(trouble, said, request_id)


def _error(trouble: Trouble, said: str, request_id: str) -> LensError:
    code, passing = _sorted(trouble)
    facts = {"http_status": trouble.status, "request_id": request_id}
    # A refused key is often repeated in part, so the sentence about it is not.
    detail = f"HTTP {trouble.status}" if code == "auth_failed" else f"HTTP {trouble.status}: {said or 'no message'}"
    if passing:
        return Transient(code, detail, retry_after=trouble.retry_after, **facts)
    return Permanent(code, detail, **facts)


def _sorted(trouble: Trouble) -> tuple[str, bool]:
    by_word = [_BY_WORD[word] for word in sorted(trouble.words & _BY_WORD.keys())]
    by_sentence = [kind for phrase, kind in _BY_SENTENCE.items() if phrase in trouble.message]
    by_status = _BY_STATUS.get(trouble.status, ("provider_down", True) if trouble.status >= 500 else ("bad_request", False))
    return next(iter([*by_word, *by_sentence]), by_status)


def duration(text: object) -> float | None:
    """Seconds from Google's `57.238s`; None when it is something else."""
    figure = text.removesuffix("s") if isinstance(text, str) else ""
    return float(figure) if _SECONDS.fullmatch(figure) else None
