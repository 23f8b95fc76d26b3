"""One question to a venue for all processes: whoever is first asks it, the others wait for the answer or find it fresh.

An answer is the newest entry of a Redis stream, so that those who wait are all woken by it. A failure is handed to those who wait
and to nobody after them. While Redis is away everyone asks for himself.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from core.canonical import canonical, digest
from core.clock import now, seconds
from core.errors import LensError, Permanent, Transient
from core.store import Store
from enrichment.ports import Seen

HERE = Path(__file__).parent
PREFIX = "lens:venue:"
MS = timedelta(milliseconds=1)
V = TypeVar("V")
Query = dict[str, Any]
Parse = Callable[[bytes], V]
KINDS: dict[str, type[Transient | Permanent]] = {kind.__name__: kind for kind in (Transient, Permanent)}


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of a good answer, when it was true and here, and when it was asked for by the monotonic clock."""

    body: bytes
    seen: Seen
    asked: float


@dataclass(frozen=True, slots=True)
class Answer(Generic[V]):
    """What was made of a reply, with the reply's times."""

    value: V
    seen: Seen
    asked: float

    def younger_than(self, seconds: float) -> bool:
        """Whether it was asked for at most so long ago."""
        return time.monotonic() - self.asked <= seconds


def reply(body: bytes, asked_ago_s: float, came_ago_s: float = 0.0) -> Reply:
    """A reply that was asked for and came so long ago."""
    at = now()
    seen = Seen(at - seconds(asked_ago_s), at - seconds(came_ago_s), hashlib.sha256(body).hexdigest())
    return Reply(body, seen, time.monotonic() - asked_ago_s)


class Answers:
    """The answers of one host. `patient` is a store whose calls may last as long as one question."""

    def __init__(self, host: str, store: Store, patient: Store, call_s: float) -> None:
        self._host, self._store, self._patient, self._call_s = host, store, patient, call_s
        self._look = store.redis.register_script((HERE / "answers_look.lua").read_text())
        self._tell = store.redis.register_script((HERE / "answers_tell.lua").read_text())

    def shared(self, query: Query, serves_s: float, ask: Callable[[], Reply], parse: Parse[V]) -> Answer[V]:
        """The answer to `query` asked for at most `serves_s` ago by any process, or what `ask` and `parse` return or raise.

        What cannot be parsed is kept for nobody.
        """
        name = f"{PREFIX}{self._host}:{digest(canonical(query))[:32]}"
        keys, token = [name, f"{name}:asking"], secrets.token_hex(8)
        args: list[Any] = [round(serves_s * 1000), token, round(self._call_s * 1000)]
        found = self._store.ask(lambda: self._look(keys=keys, args=args))
        if found is None:
            return _answer(ask(), parse)
        word, at_ms, *told = found
        if word == b"kept":
            return _answer(_kept(told[0], at_ms), parse)
        if word == b"wait":
            return _answer(self._awaited(name, at_ms) or ask(), parse)
        kept_ms = round(max(serves_s, self._call_s) * 1000)
        return self._asked(keys, [token, kept_ms, at_ms], ask, parse)

    def _asked(self, keys: list[str], args: list[Any], ask: Callable[[], Reply], parse: Parse[V]) -> Answer[V]:
        try:
            came = ask()
            answer = _answer(came, parse)
        except LensError as error:
            told = {"kind": type(error).__name__, "code": error.code, "detail": error.detail, "facts": error.facts}
            wish = {"retry_after": error.retry_after} if isinstance(error, Transient) else {}
            self._store.ask(lambda: self._tell(keys=keys, args=[*args, "error", json.dumps({**told, **wish})]))
            raise
        self._store.ask(lambda: self._tell(keys=keys, args=[*args, "body", came.body]))
        return answer

    def _awaited(self, name: str, newest: bytes) -> Reply | None:
        """What comes after the entry `newest`. None when Redis went away meanwhile."""
        wait_ms = round(self._call_s * 1000)
        read: Any = self._patient.ask(lambda: self._patient.redis.xread({name: newest}, count=1, block=wait_ms))
        if read is None:
            return None
        if not read:
            raise Transient("timeout", f"Another process got no answer within {self._call_s:g} s.")
        ((_, ((_, fields),)),) = read
        if b"error" in fields:
            raise _error(json.loads(fields[b"error"]))
        return reply(fields[b"body"], (int(fields[b"came"]) - int(fields[b"asked"])) / 1000)


def _answer(found: Reply, parse: Parse[V]) -> Answer[V]:
    return Answer(parse(found.body), found.seen, found.asked)


def _kept(entry: list[bytes], at_ms: int) -> Reply:
    fields = dict(zip(entry[::2], entry[1::2], strict=True))
    asked_ago_s, came_ago_s = ((at_ms - int(fields[name])) / 1000 for name in (b"asked", b"came"))
    return reply(fields[b"body"], asked_ago_s, came_ago_s)


def _error(told: dict[str, Any]) -> LensError:
    facts = {**told["facts"], **({"retry_after": told["retry_after"]} if "retry_after" in told else {})}
    return KINDS.get(told["kind"], Transient)(told["code"], told["detail"], **facts)
