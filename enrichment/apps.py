"""The app's place in the house."""

from django.apps import AppConfig
from django.core.checks import register

from core.faults import FILES
from enrichment.checks import configuration


class EnrichmentConfig(AppConfig):
    """The market at that moment, frozen beside the signal."""

    name = "enrichment"
    verbose_name = "Enrichment"

    def ready(self) -> None:
        """Have the configuration files checked whenever the project is."""
        register(configuration, FILES)
