"""Django's admin with our site in place of its own."""

from django.contrib.admin.apps import AdminConfig


class LensAdminConfig(AdminConfig):
    """Registers every app's admin pages on our site."""

    default_site = "console.site.LensAdminSite"
