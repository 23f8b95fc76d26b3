"""The app's place in the house."""

from django.apps import AppConfig


class PublishingConfig(AppConfig):
    """The decision stream: a table that cannot lose, repeat or reorder."""

    name = "publishing"
    verbose_name = "Publishing"
