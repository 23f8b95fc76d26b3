"""What the admin pages of several apps share."""

from django.http import HttpRequest


class ReadOnly:
    """For history: look, never touch. Mix in before ModelAdmin."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds history."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody changes it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody removes it here; retention does."""
        return False
