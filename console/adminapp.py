"""Django's admin with our site in place of its own."""

from django.contrib.admin.apps import SimpleAdminConfig


class LensAdminConfig(SimpleAdminConfig):
    """The site alone. Its pages are found by `lens_project.urls`: what serves none need not load them."""

    default_site = "console.site.LensAdminSite"
