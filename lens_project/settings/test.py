"""The test suite: real PostgreSQL and Redis, started by tests/servers.py before these settings load."""

from lens_project.settings.local import *  # noqa: F403

SECRET_KEY = "tests only, never a secret"  # noqa: S105
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
