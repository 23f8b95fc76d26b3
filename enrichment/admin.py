"""Frozen markets in the admin: to be read, never changed."""

from django.contrib import admin

from core.admin import HouseAdmin, ReadOnly
from core.filters import one_of
from enrichment.models import Enrichment
from enrichment.profiles import profiles
from enrichment.providers import PROVIDERS


@admin.register(Enrichment)
class EnrichmentAdmin(ReadOnly, HouseAdmin[Enrichment]):
    """Newest first; the payload is fetched only for the page that shows it."""

    list_display = ["enriched_at", "signal", "evaluation", "profile", "provider", "quality_score", "duration_ms"]
    list_filter = [one_of("profile", profiles), one_of("provider", lambda: PROVIDERS)]
    list_select_related = ["signal"]
    searched = ["signal__id"]
    wide = ["payload", "provenance", "quality_flags"]
