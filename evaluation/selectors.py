"""Reading the panel and the state of a round. Few queries: the sweep asks for every signal under judgement."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from core.clock import now, seconds
from evaluation.models import Decision, EvaluationModel
from signals.models import Signal

REGISTRY_TTL_S = 1.0
_SEEN = ("model", "status", "claimed_at", "lease_until", "not_before", "decision", "confidence", "fallback")


class _Registry:
    """The registered models, read at most once a second in each process."""

    def __init__(self) -> None:
        self._models: dict[str, EvaluationModel] = {}
        self._read_at = float("-inf")

    def models(self) -> dict[str, EvaluationModel]:
        if time.monotonic() - self._read_at >= REGISTRY_TTL_S:
            self._models = {model.name: model for model in EvaluationModel.objects.all()}
            self._read_at = time.monotonic()
        return self._models

    def forget(self) -> None:
        self._read_at = float("-inf")


_registry = _Registry()


def enabled_models() -> list[str]:
    """The names of the models asked now, in order; at most a second old."""
    return [name for name, model in _registry.models().items() if model.enabled]


def registered(name: str) -> EvaluationModel | None:
    """The model of this name, at most a second old."""
    return _registry.models().get(name)


def forget_registry() -> None:
    """Read the registry anew at the next question."""
    _registry.forget()


def valid_until(signal: Signal) -> datetime:
    """After this a decision on the signal is stale."""
    return signal.ts_utc + seconds(settings.LENS.decision_ttl_s)


def deadline_from(signal: Signal, first_claim: datetime) -> datetime:
    """When a round whose first evaluation was claimed then must end: for an OPEN never beyond its usefulness."""
    end = first_claim + seconds(settings.LENS.evaluation_deadline_s)
    return min(end, valid_until(signal)) if signal.opens else end


@dataclass(frozen=True)
class Round:
    """The rows of one round, and the database's clock when they were read (this process's when there are none)."""

    signal: Signal
    rows: Sequence[dict[str, Any]]
    clock: datetime

    @property
    def missing(self) -> list[str]:
        """Expected models without a row."""
        present = {row["model"] for row in self.rows}
        return [model for model in self.signal.expected or [] if model not in present]

    @property
    def open_rows(self) -> list[dict[str, Any]]:
        """Rows that are not settled."""
        return [row for row in self.rows if not row["status"]]

    @property
    def complete(self) -> bool:
        """Whether every expected model has answered or abstained."""
        return not self.missing and not self.open_rows

    @property
    def deadline(self) -> datetime | None:
        """See `deadline`."""
        if self.rows:
            return deadline_from(self.signal, min(row["claimed_at"] for row in self.rows))
        return valid_until(self.signal) if self.signal.opens else None

    @property
    def due(self) -> bool:
        """Whether the verdict can be drawn."""
        return self.complete or (self.deadline is not None and self.deadline <= self.clock)

    def claimable(self) -> Iterator[tuple[str, datetime]]:
        """Each model still owed, and since or from when it can be asked."""
        for model in self.missing:
            yield model, self.clock
        for row in self.open_rows:
            times = [instant for instant in (row["lease_until"], row["not_before"]) if instant is not None]
            yield row["model"], max(times, default=self.clock)


def look(signal: Signal) -> Round:
    """The round as it stands. One query."""
    ours = Decision.objects.filter(signal=signal, evaluation=signal.evaluation)
    rows = list(ours.annotate(clock=Now()).values(*_SEEN, "clock"))
    return Round(signal, rows, rows[0]["clock"] if rows else now())


def owed(signal: Signal) -> list[str]:
    """Expected models without a settled decision that can be asked now."""
    seen = look(signal)
    return [model for model, when in seen.claimable() if when <= seen.clock]


def deadline(signal: Signal) -> datetime | None:
    """When the round must end; None while nothing has been claimed (an OPEN then ends with its usefulness)."""
    return look(signal).deadline


def next_due(signal: Signal) -> datetime | None:
    """The earliest instant at which a model can be asked or the round ends; None when every model has answered."""
    seen = look(signal)
    if seen.complete:
        return None
    instants = [when for _, when in seen.claimable()]
    return min([*instants, seen.deadline] if seen.deadline else instants)


def is_complete(signal: Signal) -> bool:
    """Whether every expected model has answered or abstained."""
    return look(signal).complete


def is_due(signal: Signal) -> bool:
    """Whether the verdict can be drawn: the set is complete or out of time."""
    return look(signal).due
