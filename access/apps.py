"""The app's place in the house."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """API keys: who may send, read and operate."""

    name = "access"
    verbose_name = "Access"
