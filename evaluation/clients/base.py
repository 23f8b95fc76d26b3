"""How every vendor is asked: the key looked up, one deadline over all of it, errors sorted by one table, the reply bounded."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from core.errors import Permanent
from core.http import deadline
from core.secret import SecretError, blotted, secret
from evaluation.clients.kept import LARGEST_REPLY
from evaluation.clients.taxonomy import Trouble, settled
from evaluation.ports import OVERSIZED, Endpoint, Limits, Prompt, Reply, Unreadable

LONGEST_RAW = 65_536
MOST_TOKENS = 100_000_000
# For a server that asks for none.
NO_KEY = "none"
_SENDABLE = re.compile(r"[!-~]+")


class Wire(BaseModel):
    """A vendor's JSON, or the part of it that is used."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _countable(told: object) -> int | None:
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= MOST_TOKENS else None


# Tokens as a vendor counts them. A count that cannot be one is unknown; the answer beside it is no worse for it.
Count = Annotated[int | None, BeforeValidator(_countable)]
Shape = TypeVar("Shape", bound=Wire)


@dataclass(frozen=True)
class Answered:
    """A reply of status 200 as it came: the body's bytes, and the id under which the vendor knows the call."""

    body: bytes
    request_id: str = ""

    def as_(self, shape: type[Shape]) -> Shape:
        """The body in this shape. Raises Unreadable: the call was answered and probably billed, so it is not made again."""
        try:
            return shape.model_validate_json(self.body)
        except ValidationError:
            # Its words quote the reply, which is kept whole beside the call.
            raise Unreadable("The reply is not in the vendor's shape.", self.head, request_id=self.request_id) from None

    def without(self, key: str) -> "Answered":
        """The same, our key marked out should the vendor repeat it: what is parsed, stored and hashed afterwards never held it."""
        body = blotted(self.body.decode(errors="surrogateescape"), key).encode(errors="surrogateescape")
        return Answered(body, blotted(self.request_id, key))

    @property
    def oversized(self) -> bool:
        """Whether the body was cut where bodies end."""
        return len(self.body) >= LARGEST_REPLY

    @property
    def head(self) -> str:
        """The beginning of the body, as text."""
        return self.body[:LONGEST_RAW].decode(errors="replace")


@dataclass(frozen=True)
class VendorClient(ABC):
    """What the vendors' clients share. A vendor says how to send, how its errors and how its answers read."""

    endpoint: Endpoint
    errors: ClassVar[tuple[type[Exception], ...]] = ()

    def prepare(self) -> None:
        """See ModelClient."""
        self._sdk(self._key())

    def ask(self, prompt: Prompt, limits: Limits) -> Reply:
        """See ModelClient."""
        key = self._key()
        try:
            with deadline(limits.timeout_s):
                answered = self._send(key, prompt, limits)
        except self.errors as error:
            caught = error
        else:
            return self._heard(answered, key)
        # Outside of the handler: the SDK's error, which quotes the vendor, must not follow ours into a traceback.
        return settled(self._trouble(caught), key)

    def _heard(self, answered: Answered, key: str) -> Reply:
        safe = answered.without(key)
        return Reply(safe.head, OVERSIZED, request_id=safe.request_id) if answered.oversized else self._read(safe)

    @abstractmethod
    def _sdk(self, key: str) -> Any:
        """The vendor's SDK client for this address and key, shared by all who use them."""

    @abstractmethod
    def _send(self, key: str, prompt: Prompt, limits: Limits) -> Answered:
        """Ask through the vendor's SDK. Raises one of `errors`."""

    @abstractmethod
    def _trouble(self, error: Exception) -> Trouble:
        """The SDK's error in common terms. Raises Transient or Unanswered where there was no answer at all."""

    @abstractmethod
    def _read(self, answered: Answered) -> Reply:
        """The vendor's answer in common terms. Raises Unreadable."""

    def _key(self) -> str:
        name = self.endpoint.key_env
        try:
            key = secret(name).strip() if name else NO_KEY
        except SecretError as error:
            raise Permanent("auth_failed", str(error)) from None
        if not key:
            raise Permanent("auth_failed", f"The variable {name} holds no key.")
        if not _SENDABLE.fullmatch(key):
            raise Permanent("auth_failed", f"What the variable {name} holds cannot be a key: only visible ASCII can be sent.")
        return key
