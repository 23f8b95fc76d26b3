"""The dead letters: what could not be done, why, and what a person can do about it; and what people did here."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from audit.models import DeadLetter
from console import letters
from console.accounts import HouseGroupAdmin, HouseUserAdmin
from console.rounds_admin import JudgedSignalAdmin
from core.admin import HouseAdmin, ReadOnly, clipped
from core.filters import within
from signals.admin import state

__all__ = ["DeadLetterAdmin", "HouseGroupAdmin", "HouseUserAdmin", "JudgedSignalAdmin", "LogEntryAdmin"]

# From so many letters on, the number is typed by hand before anything happens.
TYPED_FROM = 51
SAMPLE = 5
LINKED = {"stage", "reason_code", "created_at__gte", "created_at__lt"}
VERBS = {
    "requeue": ("Retry", "Their signals go on from where they stood."),
    DeadLetter.Status.RESOLVED.value: ("Resolve", "They were seen to by other means; signals that are still dead end failed."),
    DeadLetter.Status.DISCARDED.value: ("Discard", "Nothing will come of them; signals that are still dead end failed."),
}


class DecideForm(forms.Form):
    """A decision about a frozen selection: what, about which letters, why – and how many, when they are many."""

    verb = forms.ChoiceField(choices=[(verb, words) for verb, (words, _) in VERBS.items()], widget=forms.HiddenInput)
    ids = forms.CharField(max_length=letters.MOST_AT_ONCE * 37, widget=forms.HiddenInput)
    note = forms.CharField(max_length=1_000, label="Why", widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}))
    number = forms.IntegerField(required=False, label="How many letters are these?")

    def clean_ids(self) -> list[UUID]:
        """The ids as such. Raises ValidationError for anything else."""
        try:
            return [UUID(text) for text in self.cleaned_data["ids"].split(",")]
        except ValueError as error:
            raise forms.ValidationError("These are no letters' ids.") from error

    def clean(self) -> dict[str, Any]:
        """Many letters are not decided about in passing."""
        ids = self.cleaned_data.get("ids", [])
        if len(ids) >= TYPED_FROM and self.cleaned_data.get("number") != len(ids):
            self.add_error("number", f"Type {len(ids)} to go on.")
        return self.cleaned_data


@admin.display(description="what was done")
def history(letter: DeadLetter) -> SafeString | str:
    """Who moved it where, when and why."""
    rows = ((act.at.strftime("%Y-%m-%d %H:%M:%S"), act.status, act.actor, act.note or "–") for act in letter.acts.all())
    return format_html_join("", "<div>{} · {} · {} · {}</div>", rows) or "Nothing yet."


@admin.display(description="the signal")
def signal_link(letter: DeadLetter) -> SafeString | str:
    """Where the signal itself is shown."""
    if letter.event_id is None:
        return "–"
    address = reverse("admin:signals_signal_change", args=[letter.event_id])
    return format_html('<a class="text-link" href="{}">{}</a>', address, letter.event_id)


@admin.display(description="stage / reason")
def kind(letter: DeadLetter) -> SafeString:
    """Both in one word, so that the message has room."""
    return format_html('<span class="lens-state">{} / {}</span>', letter.stage, letter.reason_code)


@admin.display(description="retries")
def retries(letter: DeadLetter) -> str:
    """How often people had it tried again."""
    return str(letter.retry_count)


@admin.display(description="what")
def what(entry: LogEntry) -> str:
    """In words."""
    return entry.get_change_message()


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, HouseAdmin[DeadLetter]):
    """Rows are read-only; what is done about them goes through one page, which says what it is about to do and asks why."""

    list_display = [
        "created_at",
        kind,
        clipped("error_message", "cause", "15rem"),
        state,
        "attempts",
        retries,
        "event_id",
    ]
    list_filter = [within("created_at"), "status"]
    show_facets = admin.ShowFacets.ALLOW
    searched = ["id", "event_id", "fingerprint", "reason_code"]
    wide = ["traceback", "payload", "resolution_note"]
    actions = ["requeue", "resolved", "discarded", "export"]
    also = [signal_link, history]
    change_form_template = "admin/audit/deadletter/letter.html"

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Looking is not enough: who may change dead letters may decide about them."""
        user: Any = request.user
        return bool(user.has_perm("audit.change_deadletter"))

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """The front page's links name a stage, a reason and an age."""
        return lookup in LINKED or super().lookup_allowed(lookup, value, request)

    @admin.action(description="Retry …", permissions=["requeue"])
    def requeue(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse | None:
        """Ask first."""
        return self._ask(request, queryset, "requeue")

    @admin.action(description="Resolve …", permissions=["requeue"])
    def resolved(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse | None:
        """Ask first."""
        return self._ask(request, queryset, DeadLetter.Status.RESOLVED.value)

    @admin.action(description="Discard …", permissions=["requeue"])
    def discarded(self, request: HttpRequest, queryset: QuerySet[DeadLetter]) -> HttpResponse | None:
        """Ask first."""
        return self._ask(request, queryset, DeadLetter.Status.DISCARDED.value)

    def get_urls(self) -> list[URLPattern]:
        return [path("decide/", self.admin_site.admin_view(self.decide), name="audit_deadletter_decide"), *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context["verbs"] = [(verb, words) for verb, (words, _) in VERBS.items()] if self.has_requeue_permission(request) else []
        return super().render_change_form(request, context, *args, **kwargs)

    def decide(self, request: HttpRequest) -> HttpResponse:
        """GET shows what would be done and changes nothing; POST does it, once, whoever else presses the button too."""
        if not self.has_requeue_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._page(request, DecideForm(initial={name: request.GET.get(name, "") for name in ("verb", "ids")}))
        form = DecideForm(request.POST)
        if not form.is_valid():
            return self._page(request, form)
        asked = form.cleaned_data
        done = _done(asked["verb"], asked["ids"], request.user.get_username(), asked["note"])
        self._note(request, asked, done)
        others = "" if done == len(asked["ids"]) else "; the others were moved before"
        self.message_user(request, f"{VERBS[asked['verb']][0]}: {done} of {len(asked['ids'])} letters{others}.")
        return HttpResponseRedirect(reverse("admin:audit_deadletter_changelist") + "?status__exact=open")

    def _ask(self, request: HttpRequest, queryset: QuerySet[DeadLetter], verb: str) -> HttpResponse | None:
        """The selection is frozen here: the ids as they are now, so that nothing that arrives later is among them."""
        if request.POST.get("select_across") == "1" and not request.GET:
            self.message_user(request, "Filter first: nobody means all dead letters there ever were.", messages.ERROR)
            return None
        ids = list(queryset.order_by("created_at", "id").values_list("pk", flat=True)[: letters.MOST_AT_ONCE])
        return self._page(request, DecideForm(initial={"verb": verb, "ids": ",".join(map(str, ids))}))

    def _page(self, request: HttpRequest, form: DecideForm) -> HttpResponse:
        verb = str(form["verb"].value())
        try:
            selection = letters.chosen([UUID(text) for text in str(form["ids"].value()).split(",")])
            words, means = VERBS[verb]
        except (ValueError, KeyError):
            return HttpResponseRedirect(reverse("admin:audit_deadletter_changelist"))
        counts = letters.preview(selection)
        asked = {
            "form": form,
            "counts": counts,
            "total": sum(kind["count"] for kind in counts),
            "sample": selection.rows.order_by("created_at")[:SAMPLE],
            "means": means,
            "words": words,
            "typed": len(str(form["ids"].value()).split(",")) >= TYPED_FROM,
        }
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": f"{words} dead letters", **asked}
        return TemplateResponse(request, "admin/audit/deadletter/decide.html", context)

    def _note(self, request: HttpRequest, asked: dict[str, Any], done: int) -> None:
        letter = DeadLetter.objects.filter(pk__in=asked["ids"]).first()
        if letter is not None and done:
            self.log_change(request, letter, f"{VERBS[asked['verb']][0]} {done} letter{'' if done == 1 else 's'}: {asked['note']}")


def _done(verb: str, ids: list[UUID], actor: str, note: str) -> int:
    if verb == "requeue":
        return sum(letters.requeue(ids, actor, note))
    return sum(letters.settle(pk, DeadLetter.Status(verb), actor, note) for pk in ids)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnly, HouseAdmin[LogEntry]):
    """What people did in the admin."""

    list_display = ["action_time", "user", "content_type", clipped("object_repr", "object"), what]
    list_filter = [within("action_time")]
    list_select_related = ["user", "content_type"]
    searched = ["object_id", "user__username"]
    ordering = ["-id"]
