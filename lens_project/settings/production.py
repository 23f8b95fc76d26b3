"""Behind TLS and a proxy. Refuses to start without a secret key and the names it serves."""

from django.core.exceptions import ImproperlyConfigured

from lens_project.settings.base import *  # noqa: F403
from lens_project.settings.base import LENS, SECRET_KEY

if not SECRET_KEY:
    raise ImproperlyConfigured("DJANGO_SECRET_KEY must be set")
if not LENS.allowed_hosts:
    raise ImproperlyConfigured("LENS_ALLOWED_HOSTS must name the hosts this serves")

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^(api/v1/)?(health|ready|metrics)$"]
SECURE_HSTS_SECONDS = 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
