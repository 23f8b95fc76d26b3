"""One machine: the embedded servers and simulators of `make run`. Nothing here listens beyond the loopback unless asked to."""

from lens_project.settings.base import *  # noqa: F403
from lens_project.settings.base import LENS

ALLOWED_HOSTS = [*LENS.allowed_hosts, "localhost", "127.0.0.1", "[::1]", LENS.http_host]

# Static files are served from where the packages keep them; nothing has to be collected first.
STATIC_ROOT = None  # type: ignore[assignment]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
