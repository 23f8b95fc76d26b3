"""How the admin looks: name, colours, and the way around in it."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy

# Teal: none of the colours that mean something here.
_PRIMARY = {
    "50": "240 253 250",
    "100": "204 251 241",
    "200": "153 246 228",
    "300": "94 234 212",
    "400": "45 212 191",
    "500": "20 184 166",
    "600": "15 118 110",
    "700": "17 94 89",
    "800": "19 78 74",
    "900": "16 64 61",
    "950": "4 47 46",
}
# Heading → (title, icon, model, query) of each line.
_WAYS: dict[str, list[tuple[str, str, str, str]]] = {
    "Work": [
        ("Signals", "sensors", "signals.signal", ""),
        ("Decisions", "psychology", "evaluation.decision", ""),
        ("Verdicts", "gavel", "evaluation.verdict", ""),
        ("Markets frozen", "candlestick_chart", "enrichment.enrichment", ""),
        ("Stream", "stream", "publishing.frame", ""),
        ("Receipts", "receipt_long", "publishing.receipt", ""),
        ("Timeline", "timeline", "audit.timelineentry", ""),
    ],
    "Trouble": [
        ("Dead letters", "report", "audit.deadletter", "?status__exact=open"),
        ("Died in the last hour", "schedule", "audit.deadletter", "?status__exact=open&within=1h"),
        ("Rejected signals", "block", "signals.signal", "?status__exact=rejected&within=24h"),
        ("Rejected inbox", "inbox", "signals.rejectedinput", ""),
        ("Deliveries given up", "cancel_schedule_send", "publishing.webhookdelivery", "?state__exact=dead"),
        ("Breakers", "power_off", "evaluation.breaker", ""),
    ],
    "Parties": [
        ("Sources", "hub", "signals.source", ""),
        ("Hooks", "webhook", "signals.hooksource", ""),
        ("Webhooks", "send", "publishing.webhookendpoint", ""),
        ("Readers of the stream", "bookmark", "publishing.position", ""),
        ("API keys", "key", "access.apikey", ""),
        ("Models", "smart_toy", "evaluation.evaluationmodel", ""),
        ("Prompts and schemas", "description", "evaluation.text", ""),
    ],
    "Money": [
        ("Spent", "payments", "evaluation.spend", ""),
        ("Budgets", "savings", "evaluation.budget", ""),
        ("Prices", "sell", "evaluation.price", ""),
    ],
    "House": [
        ("Processes", "monitor_heart", "signals.pulse", ""),
        ("Appointments", "event_available", "django_celery_results.taskresult", ""),
        ("What people did", "history", "admin.logentry", ""),
        ("Users", "person", "auth.user", ""),
        ("Roles", "group", "auth.group", ""),
    ],
}
_BADGES = {"Dead letters": "console.overview.open_letters"}


def theme(market: str) -> dict[str, Any]:
    """The settings the theme reads."""
    words = ["Sandbox", "warning"] if market == "sandbox" else ["Live market", "danger"]
    return {
        "SITE_TITLE": "SigmaPilot Lens",
        "SITE_HEADER": "SigmaPilot Lens",
        "SITE_SUBHEADER": "Decision gateway",
        "SITE_SYMBOL": "center_focus_strong",
        "SITE_URL": "/",
        "SHOW_BACK_BUTTON": True,
        "ENVIRONMENT": lambda _: words,
        "COLORS": {"primary": _PRIMARY},
        "STYLES": [lambda _: static("console/admin.css")],
        "COMMAND": {"search_models": False},
        "SIDEBAR": {
            "show_search": True,
            "command_search": False,
            "show_all_applications": False,
            "navigation": [{"title": heading, "items": [_way(*line) for line in lines]} for heading, lines in _WAYS.items()],
        },
    }


def _way(title: str, icon: str, model: str, query: str) -> dict[str, Any]:
    app, _, name = model.partition(".")

    def permitted(request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.has_perm(f"{app}.view_{name}"))

    # Two ways may lead to one list; the one with that very query is where one is.
    def here(request: HttpRequest) -> bool:
        listed = str(reverse_lazy(f"admin:{app}_{name}_changelist"))
        asked = f"?{request.META.get('QUERY_STRING', '')}" if request.META.get("QUERY_STRING") else ""
        return request.path.startswith(listed) and (asked == query or (not query and request.path != listed))

    def link(_: HttpRequest) -> str:
        return f"{reverse_lazy(f'admin:{app}_{name}_changelist')}{query}"

    badge = {"badge": _BADGES[title], "badge_variant": "danger"} if title in _BADGES else {}
    return {"title": title, "icon": icon, "link": link, "active": here, "permission": permitted, **badge}
