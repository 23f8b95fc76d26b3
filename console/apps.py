"""The app's place in the house."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """What people see across storeys: admin, readiness, event detail."""

    name = "console"
    verbose_name = "Console"
