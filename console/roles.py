"""Who may do what in the admin: three groups, made and kept up to date after every migration.

viewer    sees everything but keys' secrets, which nobody sees
operator  also sends signals from the playground, requeues and closes dead letters, sends deliveries again, and pauses sources
admin     also makes, changes and revokes keys, hooks and webhooks, changes models, prices, budgets, and forgets durable consumers

Accounts are made by a superuser: whoever could change accounts could make himself anything.
"""

from typing import Any

from django.apps import apps

OURS = ("access", "audit", "signals", "enrichment", "evaluation", "publishing", "admin", "django_celery_results")
OPERATES = {"add_signal", "change_deadletter", "change_source", "change_webhookdelivery"}
ADMINISTERS = {
    *("add_apikey", "change_apikey"),
    *("add_hooksource", "change_hooksource"),
    *("add_evaluationmodel", "change_evaluationmodel"),
    *("add_price", "change_price", "add_budget", "change_budget", "delete_budget"),
    *("add_webhookendpoint", "change_webhookendpoint"),
    "delete_position",
}


def keep_roles(**_: Any) -> None:
    """A receiver of `post_migrate`: the groups with exactly their permissions. Accounts in them stay."""
    group_type, permission_type = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    permissions = list(permission_type.objects.filter(content_type__app_label__in=OURS))
    sees = {one for one in permissions if one.codename.startswith("view_")}
    operates = sees | {one for one in permissions if one.codename in OPERATES}
    administers = operates | {one for one in permissions if one.codename in ADMINISTERS}
    for name, granted in (("viewer", sees), ("operator", operates), ("admin", administers)):
        group, _new = group_type.objects.get_or_create(name=name)
        group.permissions.set(granted)
