"""The registry can be added to and changed; what was judged is history, so read-only."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from core.admin import ReadOnly
from evaluation.models import Breaker, Budget, Decision, EvaluationModel, ModelCall, Price, Spend, Verdict
from evaluation.probing import probe_all
from evaluation.registry import COLUMNS


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
class EvaluationModelAdmin(admin.ModelAdmin[EvaluationModel]):
    """The judges. Disabling one stops it for new signals within a second; decisions name their model, so none is deleted."""

    form = EvaluationModelForm
    list_display = ["name", "vendor", "model_id", "base_url", "key_env", "timeout_ms", "prompt_version", "enabled"]
    list_filter = ["vendor", "enabled"]
    search_fields = ["name", "model_id"]
    actions = ["check_connection"]
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


class ModelCallInline(admin.TabularInline[ModelCall, Decision]):
    """What was said over the wire."""

    model = ModelCall
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Decision | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Decision | None = None) -> bool:
        return False


@admin.register(Decision)
class DecisionAdmin(ReadOnly, admin.ModelAdmin[Decision]):
    """One model's judgement and the calls it cost."""

    list_display = ["id", "evaluated_at", "model", "decision", "confidence", "status", "fallback"]
    list_filter = ["status", "model", "decision"]
    search_fields = ["=id", "=signal__id", "model"]
    date_hierarchy = "evaluated_at"
    show_full_result_count = False
    inlines = [ModelCallInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Decision]:
        decisions: QuerySet[Decision] = super().get_queryset(request)
        return decisions.defer("answer", "original", "adjustments", "model_meta")


@admin.register(Verdict)
class VerdictAdmin(ReadOnly, admin.ModelAdmin[Verdict]):
    """What the judges came to together."""

    list_display = ["id", "evaluated_at", "decision", "confidence", "policy", "disagreement", "fallback", "reason"]
    list_filter = ["decision", "policy", "fallback"]
    search_fields = ["=id", "=signal__id"]
    date_hierarchy = "evaluated_at"
    show_full_result_count = False


@admin.register(Price)
class PriceAdmin(admin.ModelAdmin[Price]):
    """What tokens cost from when on. A new price is a new row, so that what was booked stays explained."""

    list_display = ["model", "valid_from", "input_usd", "output_usd", "cached_usd"]
    list_filter = ["model"]

    def has_delete_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return False


@admin.register(Budget)
class BudgetAdmin(admin.ModelAdmin[Budget]):
    """What may be spent in a day; a change holds within a second."""

    list_display = ["scope", "name", "usd_per_day"]
    list_filter = ["scope"]


@admin.register(Spend)
class SpendAdmin(ReadOnly, admin.ModelAdmin[Spend]):
    """What was spent of each budget on each day, and what is set aside for calls under way."""

    list_display = ["day", "scope", "name", "cap_usd", "spent_usd", "reserved_usd", "overrun_usd"]
    list_filter = ["scope", "name"]
    date_hierarchy = "day"


@admin.register(Breaker)
class BreakerAdmin(ReadOnly, admin.ModelAdmin[Breaker]):
    """Which models are not asked just now, and why."""

    list_display = ["model", "opened_at", "failures", "cause", "probing_until"]
