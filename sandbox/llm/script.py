"""What the vendors are told to do: scripted answers, error presets, latency; set over HTTP under `/_control`.

A rule decides a request when its `match` is contained in the request's tags (`vendor`, `endpoint`, `model`, `event_id`,
`event_type`, `prompt` = `first|repair`); the first such rule with `times` left wins. Errors come before answers.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from sandbox.llm.misbehaviour import Kind
from sandbox.llm.wire import Failure, Preset

Tag = Literal["vendor", "endpoint", "model", "event_id", "event_type", "prompt"]
Seconds = Annotated[float, Field(ge=0, le=600)]


class Rule(BaseModel):
    """`times=None` means for ever; `after` lets that many matching requests pass first."""

    model_config = ConfigDict(extra="forbid")

    match: dict[Tag, str] = {}
    times: Annotated[int, Field(ge=1)] | None = None
    after: Annotated[int, Field(ge=0)] = 0
    seen: Annotated[int, Field(ge=0)] = 0
    fired: Annotated[int, Field(ge=0)] = 0

    def wants(self, tags: Mapping[str, str]) -> bool:
        """Whether this rule decides the request; counts what it saw and what it decided."""
        if any(tags.get(name) != value for name, value in self.match.items()):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


class AnswerRule(Rule):
    """An answer gone wrong in the way `kind` names, or (`text`) the given words."""

    kind: Kind
    text: str | None = None

    @model_validator(mode="after")
    def _text_has_words(self) -> Self:
        if self.kind == "text" and self.text is None:
            raise ValueError("the kind 'text' needs a text")
        return self


class ErrorRule(Rule):
    """The vendor's own error instead of an answer; `retry_after` in seconds, as the vendor would write it."""

    preset: Preset
    message: str | None = None
    retry_after: Annotated[str, Field(pattern=r"^\d+(\.\d+)?$")] | None = None

    def failure(self) -> Failure:
        return Failure(self.preset, self.message, self.retry_after)


class Latency(BaseModel):
    """How long a model thinks before it answers; errors come at once."""

    model_config = ConfigDict(extra="forbid")

    seconds: Seconds = 0.0
    by_model: dict[str, Seconds] = {}

    def of(self, model: str) -> float:
        return self.by_model.get(model, self.seconds)


_ANSWERS = TypeAdapter(list[AnswerRule])
_ERRORS = TypeAdapter(list[ErrorRule])
SomeRule = TypeVar("SomeRule", bound=Rule)


class Script:
    """The rules in force and the control routes that set them: `PUT` replaces, `GET` shows with counts, `DELETE` clears."""

    def __init__(self, latency: float = 0.0) -> None:
        self._at_start = latency
        self._answers: list[AnswerRule] = []
        self._errors: list[ErrorRule] = []
        self.latency = Latency(seconds=latency)

    def routes(self) -> list[web.AbstractRouteDef]:
        handlers = {
            "answers": (self._put_answers, self._show_answers, self._clear_answers),
            "errors": (self._put_errors, self._show_errors, self._clear_errors),
            "latency": (self._put_latency, self._show_latency, self._clear_latency),
        }
        return [
            route
            for name, (put, show, clear) in handlers.items()
            for route in (
                web.put(f"/_control/{name}", put),
                web.get(f"/_control/{name}", show),
                web.delete(f"/_control/{name}", clear),
            )
        ]

    def error(self, tags: Mapping[str, str]) -> ErrorRule | None:
        """The error this request is to get."""
        return _first(self._errors, tags)

    def answer(self, tags: Mapping[str, str]) -> AnswerRule | None:
        """The misbehaviour this request is to get."""
        return _first(self._answers, tags)

    async def _put_answers(self, request: web.Request) -> web.Response:
        self._answers = _ANSWERS.validate_json(await request.read())
        return await self._show_answers(request)

    async def _show_answers(self, _: web.Request) -> web.Response:
        return _listing(self._answers)

    async def _clear_answers(self, request: web.Request) -> web.Response:
        self._answers = []
        return await self._show_answers(request)

    async def _put_errors(self, request: web.Request) -> web.Response:
        self._errors = _ERRORS.validate_json(await request.read())
        return await self._show_errors(request)

    async def _show_errors(self, _: web.Request) -> web.Response:
        return _listing(self._errors)

    async def _clear_errors(self, request: web.Request) -> web.Response:
        self._errors = []
        return await self._show_errors(request)

    async def _put_latency(self, request: web.Request) -> web.Response:
        self.latency = Latency.model_validate_json(await request.read())
        return await self._show_latency(request)

    async def _show_latency(self, _: web.Request) -> web.Response:
        return web.json_response(self.latency.model_dump())

    async def _clear_latency(self, request: web.Request) -> web.Response:
        self.latency = Latency(seconds=self._at_start)
        return await self._show_latency(request)


def _first(rules: Iterable[SomeRule], tags: Mapping[str, str]) -> SomeRule | None:
    return next((rule for rule in rules if rule.wants(tags)), None)


def _listing(rules: Iterable[Rule]) -> web.Response:
    return web.json_response([rule.model_dump() for rule in rules])
