"""What a model vendor must be able to do, and in which words it succeeds and fails."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from core.errors import Permanent

Role = Literal["user", "assistant"]
LONGEST_ECHO = 4_000
# The finish reason of a reply that was not read to its end; its text is the beginning of what came over the wire.
OVERSIZED = "oversized"


@dataclass(frozen=True)
class Turn:
    """One message after the instructions."""

    role: Role
    text: str


@dataclass(frozen=True)
class Prompt:
    """Everything a model is told, with the hashes that let it be told again.

    `payload` is the data inside the first turn, as it was hashed; a judge that needs no prose may read it alone.
    """

    version: str
    event_type: str
    system: str
    turns: tuple[Turn, ...]
    payload: str
    schema: Mapping[str, Any]
    prompt_hash: str
    payload_hash: str
    schema_hash: str

    def repairing(self, answer: str, fault: str) -> "Prompt":
        """The same prompt continued: the answer given (cut to 4 000 characters) and what is wrong with it, nothing else."""
        again = (Turn("assistant", answer[:LONGEST_ECHO] or "-"), Turn("user", fault))
        return replace(self, turns=self.turns + again)


@dataclass(frozen=True)
class Limits:
    """Bounds of one call: wall-clock seconds for all of it, tokens of the answer, sampling temperature (None: the vendor's)."""

    timeout_s: float
    max_tokens: int
    temperature: float | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where and how a model is spoken to, in the registry's words (evaluation/models.py).

    An empty `base_url` is the vendor's own; `key_env` names the variable that holds the key; an empty `effort` is not mentioned.
    """

    model_id: str
    base_url: str = ""
    key_env: str = ""
    structured: str = "strict_schema"
    api: str = "chat"
    effort: str = ""


@dataclass(frozen=True)
class Reply:
    """What came back.

    `finish_reason` is in OpenAI's words (stop, length, content_filter, …); other clients translate theirs. `tokens_in` includes
    `tokens_cached`, `tokens_out` includes what the model thought; None is unknown, never zero.
    """

    text: str
    finish_reason: str = "stop"
    refusal: str | None = None
    model_version: str = ""
    request_id: str = ""
    tokens_in: int | None = None
    tokens_cached: int | None = None
    tokens_out: int | None = None


class Unreadable(Permanent):
    """The server answered with something that is no answer. It was probably paid for, so it is not asked again; `raw` is kept."""

    def __init__(self, detail: str, raw: str, **facts: Any) -> None:
        super().__init__("bad_reply", detail, **facts)
        self.raw = raw


class Unanswered(Permanent):
    """The question went out and no answer came back. The vendor may have done the work, so it is not asked again."""


class ModelClient(Protocol):
    """One way of asking. Shared by many threads; retries nothing; obeys `limits.timeout_s` whatever the server does."""

    def prepare(self) -> None:
        """Have ready what the first question would have to make. Says nothing to the vendor. Raises Permanent `auth_failed`."""

    def ask(self, prompt: Prompt, limits: Limits) -> Reply:
        """The reply, however odd its text.

        Raises Transient `timeout`, `rate_limited` (with retry_after when stated) or `provider_down`, Unanswered `timeout` or
        `provider_down` when nobody knows whether the call will be billed, Permanent `auth_failed`, `model_not_found`,
        `insufficient_quota`, `bad_request`, `host_not_allowed`, or Unreadable (`bad_reply`).
        """
