"""Frozen markets in the admin: to be read, never changed."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from enrichment.models import Enrichment


@admin.register(Enrichment)
class EnrichmentAdmin(admin.ModelAdmin[Enrichment]):
    """Newest first; the payload is fetched only for the page that shows it."""

    list_display = ["signal", "evaluation", "profile", "provider", "quality_score", "duration_ms", "enriched_at"]
    list_filter = ["profile", "provider"]
    list_select_related = ["signal"]
    search_fields = ["=signal__id", "=payload_hash"]
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Enrichment]:
        return super().get_queryset(request).defer("payload", "provenance")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Enrichment | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Enrichment | None = None) -> bool:
        return False
