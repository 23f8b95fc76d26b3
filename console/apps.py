"""The app's place in the house."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate

from console.migrated import begin_patience, end_patience
from console.roles import keep_roles


class ConsoleConfig(AppConfig):
    """What people see across storeys: admin, readiness, event detail."""

    name = "console"
    verbose_name = "Console"

    def ready(self) -> None:
        pre_migrate.connect(begin_patience, sender=self)
        post_migrate.connect(keep_roles, sender=self)
        post_migrate.connect(end_patience, sender=self)
