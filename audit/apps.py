"""The app's place in the house."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The ledger: what happened to a signal, and what could not be done. Ids only, no foreign keys."""

    name = "audit"
    verbose_name = "Audit"
