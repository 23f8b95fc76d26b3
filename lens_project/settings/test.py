"""The test suite: real PostgreSQL and Redis, started by tests/servers.py before these settings load."""

from typing import Any

from lens_project.settings.local import *  # noqa: F403

SECRET_KEY = "tests only, never a secret"  # noqa: S105
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A test is one long transaction, and the machine may be busy: what bounds a process in service would end it.
_OPTIONS: Any = DATABASES["default"]["OPTIONS"]  # noqa: F405
_OPTIONS |= {"connect_timeout": 30, "options": f"{_OPTIONS['options']} -c idle_in_transaction_session_timeout=0"}
