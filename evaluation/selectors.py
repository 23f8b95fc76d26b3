"""Reading the panel and the state of a round. Few queries: the sweep asks for every signal under judgement."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from core.clock import now, seconds
from core.prepared import rows
from evaluation.models import EvaluationModel, Vendor
from evaluation.prices import FREE, Rates
from evaluation.remembered import Remembered, forget_all
from signals.models import Signal

_SEEN = (
    "signal_id",
    "evaluation",
    "model",
    "status",
    "claimed_at",
    "lease_until",
    "not_before",
    "decision",
    "confidence",
    "fallback",
)
# For how many the second is asked differs, and so does its plan: what every signal asks is a statement of its own.
_LOOK = f"""
SELECT statement_timestamp(), {", ".join(_SEEN)} FROM (SELECT) AS once LEFT JOIN evaluation_decision ON signal_id = %s ORDER BY id
"""  # noqa: S608  nothing but names of ours
_LOOKS = _LOOK.replace("= %s", "= ANY(%s)")


def _models() -> dict[str, EvaluationModel]:
    return {model.name: model for model in EvaluationModel.objects.prefetch_related("prices")}


_registry = Remembered(_models)


def enabled_models() -> list[str]:
    """The names of the models asked now, in order; at most a second old."""
    return [name for name, model in _registry().items() if model.enabled]


def registered(name: str) -> EvaluationModel | None:
    """The model of this name, at most a second old, its prices with it."""
    return _registry().get(name)


def on_duty(name: str) -> EvaluationModel | None:
    """The same for a model that is expected. One that seems absent or disabled is read anew: whoever froze the panel may have
    looked a moment later than this process did."""
    model = registered(name)
    if model is None or not model.enabled:
        _registry.forget()
        model = registered(name)
    return model


def rates_of(model: EvaluationModel) -> Rates | None:
    """What its tokens cost now; None when nobody has said."""
    if model.vendor == Vendor.BASELINE:
        return FREE
    at = now()
    price = next((one for one in model.prices.all() if one.valid_from <= at), None)
    if price is None:
        return None
    return Rates(price.input_usd, price.output_usd, price.input_usd if price.cached_usd is None else price.cached_usd)


def forget_registry() -> None:
    """Read the registry, its prices, budgets and breakers anew at the next question."""
    forget_all()


def valid_until(signal: Signal) -> datetime:
    """After this a decision on the signal is stale."""
    return signal.ts_utc + seconds(settings.LENS.decision_ttl_s)


def deadline_from(signal: Signal, first_claim: datetime) -> datetime:
    """When a round whose first evaluation was claimed then must end: for an OPEN never beyond its usefulness.

    A later round was asked for knowing the hour; its frames say that they are stale.
    """
    end = first_claim + seconds(settings.LENS.evaluation_deadline_s)
    return min(end, valid_until(signal)) if _useful_only_for_a_time(signal) else end


def _useful_only_for_a_time(signal: Signal) -> bool:
    return signal.opens and signal.evaluation == 0


@dataclass(frozen=True)
class Round:
    """The rows of one round, and the database's clock when they were read."""

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
        """When the round must end; None while nothing has been claimed (an OPEN then ends with its usefulness)."""
        if self.rows:
            return deadline_from(self.signal, min(row["claimed_at"] for row in self.rows))
        return valid_until(self.signal) if _useful_only_for_a_time(self.signal) else None

    @property
    def due(self) -> bool:
        """Whether the verdict can be drawn."""
        return self.complete or (self.deadline is not None and self.deadline <= self.clock)

    @property
    def owed(self) -> list[str]:
        """Expected models without a settled decision that can be asked now."""
        return [model for model, when in self._claimable() if when <= self.clock]

    @property
    def next_due(self) -> datetime | None:
        """The earliest instant at which a model can be asked or the round ends; None when every model has answered."""
        if self.complete:
            return None
        instants = [when for _, when in self._claimable()]
        return min([*instants, self.deadline] if self.deadline else instants)

    def _claimable(self) -> Iterator[tuple[str, datetime]]:
        """Each model still owed, and since or from when it can be asked."""
        for model in self.missing:
            yield model, self.clock
        for row in self.open_rows:
            times = [instant for instant in (row["lease_until"], row["not_before"]) if instant is not None]
            yield row["model"], max(times, default=self.clock)


def look(signal: Signal) -> Round:
    """The round as it stands. One query."""
    return _rounds([signal], rows(_LOOK, [signal.pk]))[signal.pk]


def looks(signals: Iterable[Signal]) -> dict[UUID, Round]:
    """The rounds of all these signals as they stand, by the signal's id. One query."""
    wanted = list(signals)
    return _rounds(wanted, rows(_LOOKS, [[signal.pk for signal in wanted]])) if wanted else {}


def _rounds(signals: Iterable[Signal], found: Sequence[tuple[Any, ...]]) -> dict[UUID, Round]:
    """The rows of each signal's present round, among those of all its rounds; where there are none, one tells the time alone."""
    clock = found[0][0]
    by_round = defaultdict(list)
    for _, *values in found:
        row = dict(zip(_SEEN, values, strict=True))
        by_round[row["signal_id"], row["evaluation"]].append(row)
    return {signal.pk: Round(signal, by_round[signal.pk, signal.evaluation], clock) for signal in signals}
