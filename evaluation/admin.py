"""The registry can be added to and changed; what was judged is history, so read-only."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from core.admin import HouseAdmin, HouseInline, ReadOnly, plain, stored
from core.errors import Permanent
from core.filters import one_of, within
from enrichment.selectors import judged_by
from evaluation.models import Breaker, Budget, Decision, EvaluationModel, ModelCall, Price, Spend, Verdict
from evaluation.probing import probe_all
from evaluation.prompting import render
from evaluation.registry import COLUMNS
from evaluation.texts_admin import TextAdmin, texts

__all__ = [
    "BreakerAdmin",
    "BudgetAdmin",
    "DecisionAdmin",
    "EvaluationModelAdmin",
    "PriceAdmin",
    "SpendAdmin",
    "TextAdmin",
    "VerdictAdmin",
]

RAW, FAULT = stored("raw_text", "raw answer"), stored("error", "error")


@admin.display(description="asked")
def asked(call: ModelCall) -> str:
    """Which question of the evaluation this was."""
    return "to repair" if call.repair else "first"


class EvaluationModelForm(forms.ModelForm[EvaluationModel]):
    """The registry's form: what a field's name does not say stands below it."""

    class Meta:
        model = EvaluationModel
        fields = "__all__"  # noqa: DJ007  every column of the registry is for people to set
        help_texts = {
            **COLUMNS,
            "name": "What decisions, frames and filters call this model; it cannot be changed later.",
            "enabled": "Whether new signals are put to it; a change holds within a second.",
        }


@admin.register(EvaluationModel)
class EvaluationModelAdmin(HouseAdmin[EvaluationModel]):
    """The judges. Disabling one stops it for new signals within a second; decisions name their model, so none is deleted."""

    form = EvaluationModelForm
    list_display = ["name", "vendor", "model_id", "base_url", "key_env", "timeout_ms", "prompt_version", "enabled"]
    list_filter = ["vendor", "enabled"]
    searched = ["name", "model_id"]
    actions = ["check_connection", "export"]
    fieldsets = [
        (None, {"fields": ["name", "enabled", "created_at"]}),
        ("Where it is", {"fields": ["vendor", "model_id", "base_url", "key_env"]}),
        ("How it is asked", {"fields": ["prompt_version", "structured", "api", "effort", "temperature"]}),
        ("Its bounds", {"fields": ["timeout_ms", "max_tokens", "max_in_flight", "calls_per_minute", "daily_budget_usd"]}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: EvaluationModel | None = None) -> list[str]:
        return ["created_at"] if obj is None else ["name", "created_at"]

    def has_delete_permission(self, request: HttpRequest, obj: EvaluationModel | None = None) -> bool:
        return False

    @admin.action(description="Check the connection (one tiny paid call each)", permissions=["change"])
    def check_connection(self, request: HttpRequest, queryset: QuerySet[EvaluationModel]) -> None:
        """Ask each chosen model once and say what is wrong."""
        for found in probe_all(queryset):
            said = " – ".join(part for part in (f"{found.name}: {found.code}", found.detail, found.mend) if part)
            self.message_user(request, said, messages.SUCCESS if found.ok else messages.ERROR)


class ModelCallInline(HouseInline[ModelCall]):
    """What was said over the wire, raw."""

    model = ModelCall
    fields = ["attempt", asked, "outcome", "latency_ms", "tokens_in", "tokens_out", "finish_reason", RAW, FAULT]  # type: ignore[list-item]  # callables too
    readonly_fields = fields  # type: ignore[assignment]

    def has_add_permission(self, request: HttpRequest, obj: Decision | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Decision | None = None) -> bool:
        return False


@admin.display(description="status")
def state(row: Decision) -> SafeString:
    """The status as a coloured word; one that is still owed says so."""
    return format_html('<span class="lens-state lens-{}">{}</span>', row.status or "owed", row.status or "owed")


@admin.display(description="prompt, as the model was given it")
def prompt(row: Decision) -> SafeString | str:
    """Made again from the instructions and the frozen market; both are immutable."""
    market = judged_by(row.signal_id, row.evaluation)
    if market is None or not row.prompt_version:
        return "The model was not asked."
    try:
        asked = render(market.payload, market.payload_hash, row.signal.event_type, row.prompt_version)
    except Permanent as error:
        return error.detail
    same = "" if asked.prompt_hash == row.prompt_hash else "(the instructions now differ from those the model was given)\n\n"
    return plain("\n\n".join([f"{same}{asked.system}", *(turn.text for turn in asked.turns)]))


@admin.display(description="fallback")
def fallback(row: Decision | Verdict) -> SafeString | str:
    """A word where the deterministic fallback stands for an opinion; nothing to see where it does not."""
    return format_html('<span class="lens-state lens-degraded">{}</span>', "fallback") if row.fallback else ""


def judges() -> list[str]:
    """The registered models, for the filter."""
    return list(EvaluationModel.objects.values_list("name", flat=True))


@admin.register(Decision)
class DecisionAdmin(ReadOnly, HouseAdmin[Decision]):
    """One model's judgement and the calls it cost."""

    list_display = ["evaluated_at", "model", "signal", "decision", "confidence", state, fallback, "id"]
    list_display_links = ["evaluated_at", "id"]
    list_filter = [within("evaluated_at"), "status", one_of("model", judges)]
    list_select_related = ["signal"]
    searched = ["id", "signal__id", "model"]
    wide = ["answer", "original", "adjustments", "model_meta"]
    clockwork = ["claimed_at", "lease_token", "lease_until", "not_before", "claims", "attempts", "carried_from"]
    inlines = [ModelCallInline]
    also = [texts, prompt]


@admin.register(Verdict)
class VerdictAdmin(ReadOnly, HouseAdmin[Verdict]):
    """What the judges came to together."""

    list_display = ["evaluated_at", "signal", "decision", "confidence", "policy", "disagreement", fallback, "reason", "id"]
    list_display_links = ["evaluated_at", "id"]
    list_filter = [within("evaluated_at")]
    list_select_related = ["signal"]
    searched = ["id", "signal__id"]
    wide = ["votes"]


@admin.register(Price)
class PriceAdmin(HouseAdmin[Price]):
    """What tokens cost from when on. A new price is a new row, so that what was booked stays explained."""

    list_display = ["model", "valid_from", "input_usd", "output_usd", "cached_usd"]
    list_filter = [one_of("model", judges)]

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return False


@admin.register(Budget)
class BudgetAdmin(HouseAdmin[Budget]):
    """What may be spent in a day; a change holds within a second."""

    list_display = ["scope", "name", "usd_per_day"]
    list_filter = ["scope"]


@admin.register(Spend)
class SpendAdmin(ReadOnly, HouseAdmin[Spend]):
    """What was spent of each budget on each day, and what is set aside for calls under way."""

    list_display = ["day", "scope", "name", "cap_usd", "spent_usd", "reserved_usd", "overrun_usd"]
    list_filter = ["scope"]


@admin.register(Breaker)
class BreakerAdmin(ReadOnly, HouseAdmin[Breaker]):
    """Which models are not asked just now, and why."""

    list_display = ["model", "opened_at", "failures", "cause", "probing_until"]
