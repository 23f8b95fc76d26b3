"""What a list may be asked for. A parameter nobody knows, or one given twice, is an error and not a wider answer."""

import math
from typing import Any, get_args

from rest_framework import serializers

from audit.models import DeadLetter
from console.items import PUBLIC_STAGE
from core.queries import Query
from evaluation.models import DecisionStatus
from evaluation.schemas import Word
from signals.api import SymbolField, ZonedField
from signals.models import EventType, Status

STAGES = ("enqueue", "enrich", "evaluate", "publish")


class SpellingsField(SymbolField):
    """Any accepted spelling of an asset; the value is every form it may be stored in, so that an index can be used.

    Venues write thousand-coins with a small k, sources often do not.
    """

    def to_internal_value(self, data: Any) -> Any:
        upper = super().to_internal_value(data).upper()
        return sorted({upper, f"k{upper[1:]}"}) if upper.startswith("K") else [upper]


class ShareField(serializers.FloatField):
    """From 0 to 1; NaN, which no comparison refuses, is no number."""

    def to_internal_value(self, data: Any) -> float:
        share = super().to_internal_value(data)
        if math.isnan(share):
            self.fail("invalid")
        return share


class StageField(serializers.ChoiceField):
    """A stage as callers know it; the value is every stage inside that goes by that name."""

    def to_internal_value(self, data: Any) -> Any:
        stage = super().to_internal_value(data)
        return [stage, *(inner for inner, outer in PUBLIC_STAGE.items() if outer == stage)]


class ExpandQuery(Query):
    """What else to show."""

    expand = serializers.ChoiceField(["payload"], required=False, help_text="`payload` adds the market text models were given.")


class PageQuery(Query):
    """Which page, and how long."""

    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)
    cursor = serializers.CharField(max_length=500, required=False, help_text="From `next` or `previous` of another page.")


class SpanQuery(PageQuery):
    """A page of what happened in a span of time."""

    since = ZonedField(required=False, help_text="Inclusive.")
    until = ZonedField(required=False, help_text="Exclusive.")


class EventsQuery(SpanQuery):
    """`since` and `until` speak of `received_at`."""

    symbol = SpellingsField(required=False, help_text="Any accepted spelling, in any case.")
    event_type = serializers.ChoiceField(EventType.choices, required=False)
    source = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]  # DRF takes declared fields off the class
    status = serializers.ChoiceField(Status.choices, required=False)


class RoundsFilter(Query):
    """Which published signals to have judged again; `since` and `until` speak of `received_at`."""

    event_id = serializers.UUIDField(required=False)
    symbol = SpellingsField(required=False, help_text="Any accepted spelling, in any case.")
    event_type = serializers.ChoiceField(EventType.choices, required=False)
    source = serializers.CharField(max_length=100, required=False)  # type: ignore[assignment]  # DRF takes declared fields off the class
    degraded = serializers.BooleanField(required=False, help_text="Whether no model answered the last time.")
    since = ZonedField(required=False, help_text="Inclusive.")
    until = ZonedField(required=False, help_text="Exclusive.")


class DecisionsQuery(SpanQuery):
    """`since` and `until` speak of `evaluated_at`."""

    model = serializers.CharField(max_length=50, required=False)
    symbol = SpellingsField(required=False, help_text="Any accepted spelling, in any case.")
    event_type = serializers.ChoiceField(EventType.choices, required=False)
    decision = serializers.ChoiceField(get_args(Word), required=False)
    status = serializers.ChoiceField(DecisionStatus.choices, required=False)
    min_confidence = ShareField(min_value=0, max_value=1, required=False)


class VerdictsQuery(DecisionsQuery):
    """As for decisions; `model` and `status` ask for a vote by that model, with that status."""


class LettersFilter(Query):
    """Which dead letters; `since` and `until` speak of `created_at`."""

    stage = StageField(STAGES, required=False)
    reason_code = serializers.CharField(max_length=50, required=False)
    fingerprint = serializers.RegexField(r"^[0-9a-f]{16}$", required=False, help_text="One cause, as a letter names it.")
    event_id = serializers.UUIDField(required=False)
    since = ZonedField(required=False, help_text="Inclusive.")
    until = ZonedField(required=False, help_text="Exclusive.")


class LettersQuery(LettersFilter, PageQuery):
    """A page of them, in any state."""

    status = serializers.ChoiceField(DeadLetter.Status.choices, required=False)
    resolved = serializers.BooleanField(required=False, help_text="Whether it is resolved or discarded.")
