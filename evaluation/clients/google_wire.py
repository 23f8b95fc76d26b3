"""Gemini's answers and errors in common terms. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from core.http import wait_wished
from evaluation.clients.base import Answered, Count, Wire
from evaluation.clients.taxonomy import Trouble, duration
from evaluation.ports import Reply, Unreadable

_FINISH = {"STOP": "stop", "MAX_TOKENS": "length"}
_FILTERED = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE"})


class _Part(Wire):
    text: str = ""
    thought: bool = False


class _Content(Wire):
    parts: list[_Part] = []


class _Rating(Wire):
    category: str = ""
    probability: str = ""
    blocked: bool = False


class _Verdict(Wire):
    """What the filter says, of the prompt (`blockReason`) or of a candidate (`finishReason`)."""

    content: _Content = _Content()
    finishReason: str = "STOP"  # noqa: N815  the vendor's name
    finishMessage: str = ""  # noqa: N815
    blockReason: str = ""  # noqa: N815
    blockReasonMessage: str = ""  # noqa: N815
    safetyRatings: list[_Rating] = []  # noqa: N815

    @property
    def refusal(self) -> str | None:
        """The filter's reason with the categories it blocked; None when it did not speak."""
        unnamed = "BLOCKED" if self.blockReasonMessage else ""
        reason = self.blockReason or unnamed or (self.finishReason if self.finishReason in _FILTERED else "")
        if not reason:
            return None
        blocked = [f"{rating.category} {rating.probability}" for rating in self.safetyRatings if rating.blocked]
        return "; ".join(said for said in (reason, self.blockReasonMessage or self.finishMessage, *blocked) if said)

    @property
    def text(self) -> str:
        """What was said; what was thought is left out."""
        return "".join(part.text for part in self.content.parts if not part.thought)


class _Usage(Wire):
    promptTokenCount: Count = None  # noqa: N815
    cachedContentTokenCount: Count = None  # noqa: N815
    candidatesTokenCount: Count = None  # noqa: N815
    thoughtsTokenCount: Count = None  # noqa: N815

    @property
    def tokens_out(self) -> int | None:
        """What is billed as output: said and thought."""
        known = [count for count in (self.candidatesTokenCount, self.thoughtsTokenCount) if count is not None]
        return sum(known) if known else None


class _Generated(Wire):
    candidates: list[_Verdict] = []
    promptFeedback: _Verdict | None = None  # noqa: N815
    usageMetadata: _Usage | None = None  # noqa: N815
    modelVersion: str = ""  # noqa: N815
    responseId: str = ""  # noqa: N815


def read_generated(answered: Answered) -> Reply:
    """A generated answer, or the filter's refusal of the prompt or of the answer. Raises Unreadable."""
    generated = answered.as_(_Generated)
    told = generated.candidates[0] if generated.candidates else generated.promptFeedback
    request_id = answered.request_id or generated.responseId
    if told is None:
        raise Unreadable("The reply holds neither an answer nor a reason for its absence.", answered.head, request_id=request_id)
    usage = generated.usageMetadata or _Usage()
    return Reply(
        text=told.text,
        finish_reason="content_filter" if told.refusal else _FINISH.get(told.finishReason, told.finishReason.lower()),
        refusal=told.refusal,
        model_version=generated.modelVersion,
        request_id=request_id,
        tokens_in=usage.promptTokenCount,
        tokens_cached=usage.cachedContentTokenCount,
        tokens_out=usage.tokens_out,
    )


def trouble(status: int, body: Any, headers: Mapping[str, str]) -> Trouble:
    """An error as this vendor tells it: an object, or (Vertex) a list around one, its details typed by URL."""
    whole = body[0] if isinstance(body, list) and body else body
    told = whole.get("error", whole) if isinstance(whole, dict) else {}
    told = told if isinstance(told, dict) else {}
    details = list(_objects(told.get("details")))
    wishes = (duration(detail.get("retryDelay")) for detail in details)
    return Trouble(
        status=status,
        words=frozenset(_words(told, details)),
        message=str(told.get("message") or ""),
        retry_after=next((wish for wish in wishes if wish is not None), wait_wished(headers)),
        request_id=headers.get("x-request-id", ""),
    )


def _words(told: Mapping[str, Any], details: list[dict[str, Any]]) -> Iterator[str]:
    """Its status, its reasons, and `insufficient_quota` for a day's quota, which no waiting within a signal's life brings back."""
    yield str(told.get("status"))
    for detail in details:
        yield str(detail.get("reason"))
        if any("PerDay" in str(violation.get("quotaId")) for violation in _objects(detail.get("violations"))):
            yield "insufficient_quota"


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    return (member for member in value if isinstance(member, dict)) if isinstance(value, list) else iter(())
