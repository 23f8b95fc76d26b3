"""Instructions and schemas as models were given them: each stored once, with who uses it and since when."""

from django.contrib import admin
from django.core.cache import cache
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from core.admin import HouseAdmin, ReadOnly
from evaluation.models import Decision, Text
from evaluation.uses import LATELY, Use, names, uses

FRESH_S = 10
EARLIER = "of an earlier release"


@admin.display(description="digest")
def short(row: Text) -> str:
    """Enough of it to tell one from another."""
    return row.hash[:12]


@admin.display(description="what it is")
def name(row: Text) -> str:
    """The version and the kind of signal it is for."""
    return names().get(row.hash, EARLIER)


@admin.display(description="models using it")
def models(row: Text) -> str:
    """Those that were given it lately."""
    use = _use(row)
    return ", ".join(use.models) if use else "–"


@admin.display(description=f"of the newest {LATELY:,} decisions".replace(",", " "))
def decisions(row: Text) -> str:
    """How many rest on it."""
    use = _use(row)
    return str(use.decisions if use else 0)


@admin.display(description="last used")
def last(row: Text) -> str:
    """When the newest of them was made, UTC."""
    use = _use(row)
    return f"{use.last:%Y-%m-%d %H:%M:%S}" if use else "–"


def _use(row: Text) -> Use | None:
    found: dict[str, Use] = cache.get_or_set("lens.text_uses", uses, FRESH_S) or {}
    return found.get(row.hash)


@admin.display(description="instructions and schema")
def texts(row: Decision) -> SafeString | str:
    """Links to what the decision rests on, whole."""
    held = Text.objects.defer("text").filter(pk__in=[row.prompt_hash, row.schema_hash])
    links = ((reverse("admin:evaluation_text_change", args=[text.pk]), name(text)) for text in held)
    return format_html_join(" · ", '<a class="text-link" href="{}">{}</a>', links) or "–"


@admin.register(Text)
class TextAdmin(ReadOnly, HouseAdmin[Text]):
    """Read-only: what a decision rests on never changes."""

    list_display = [short, name, models, decisions, last, "first_used_at"]
    searched = ["hash"]
    wide = ["text"]
    also = [name, models, decisions, last]
