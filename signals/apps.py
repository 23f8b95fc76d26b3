"""The app's place in the house."""

from django.apps import AppConfig


class SignalsConfig(AppConfig):
    """A signal, its life, and the one way a stage runs."""

    name = "signals"
    verbose_name = "Signals"
