"""Settings that hold everywhere. Reasons for the surprising ones stand beside them; evidence is in docs/decisions."""

import re
from pathlib import Path

import dj_database_url
import django_stubs_ext

from core.logs import logging_config
from lens_project.settings.lens import ROOT
from lens_project.settings.loading import load
from lens_project.settings.theme import theme

django_stubs_ext.monkeypatch()

# The knobs, reachable from every storey without looking up to the roof.
_LOADED = load()
LENS, STACK, _SERVERS = _LOADED.lens, _LOADED.stack, _LOADED.servers
BASE_DIR: Path = ROOT

SECRET_KEY = _SERVERS.django_secret_key or STACK.get("secret_key", "")
# Former keys: what was derived from them or signed with them stays good while a new one takes over.
SECRET_KEY_FALLBACKS = [*_SERVERS.django_secret_key_fallbacks]
DEBUG = False
ALLOWED_HOSTS = [*LENS.allowed_hosts]

INSTALLED_APPS = [
    "unfold.apps.BasicAppConfig",
    "console.adminapp.LensAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "channels",
    "django_celery_results",
    "django_prometheus",
    "access",
    "audit",
    "signals",
    "enrichment",
    "evaluation",
    "publishing",
    "console",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "core.logs.RequestIdMiddleware",
    "core.draining.DrainingMiddleware",
    "console.policy.ContentPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "lens_project.urls"
WSGI_APPLICATION = "lens_project.wsgi.application"
ASGI_APPLICATION = "lens_project.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.context.market",
            ]
        },
    }
]

# ── PostgreSQL: the queue of record ──────────────────────────────────────────
# The pool bounds connections under threads and ASGI, where CONN_MAX_AGE leaks them; commands and tests do without. The timeouts
# keep one stuck statement from holding a worker; `connect_timeout` is the only one that fires while the server process is stopped.
_TIMEOUTS = "-c statement_timeout=5000 -c lock_timeout=3000 -c idle_in_transaction_session_timeout=10000"
POOL_SIZE = _SERVERS.database_pool_size
DATABASES = {
    "default": {
        **dj_database_url.parse(_SERVERS.database_url or STACK["database"]),
        "CONN_MAX_AGE": 0,
        # One empty query per checkout: after a database restart no request has to fail to find out that its connection is dead.
        # Workers do without: there the error is transient, the row is retried, and a signal would pay for the query several times.
        "CONN_HEALTH_CHECKS": _SERVERS.database_health_checks,
        "ATOMIC_REQUESTS": False,
        "DISABLE_SERVER_SIDE_CURSORS": _SERVERS.database_transaction_pooling,
        "OPTIONS": {
            **({"pool": {"min_size": 1, "max_size": POOL_SIZE, "timeout": _SERVERS.database_pool_wait_s}} if POOL_SIZE else {}),
            "connect_timeout": 3,
            # A pooler knows no such start, there the role has them (docs/scaling.md); nor what was prepared by another client.
            **({} if _SERVERS.database_transaction_pooling else {"options": _TIMEOUTS, "prepare_threshold": 2}),
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ── Celery and Redis: a doorbell that may be lost ────────────────────────────
# Databases of one server: 0 the broker, 1 the channel layer. A number in the given URL would be taken twice.
REDIS_URL = re.sub(r"/\d*$", "", _SERVERS.redis_url or STACK["redis"])
CELERY_BROKER_URL = LENS.broker_url or f"{REDIS_URL}/0"
if not LENS.broker_url:
    CELERY_BROKER_TRANSPORT = "lens_project.broker:Transport"
CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum" if LENS.broker_url else "classic"
# For the tasks that say `ignore_result=False`; whatever works on a signal says how it ended in the signal's rows.
CELERY_RESULT_BACKEND = "django-db"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_ACKS_LATE = True
# True would re-run a task that kills its worker without end; the sweep recovers it with a counted claim instead.
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 2
# Publisher's confirms stay off at a RabbitMQ: a message that was lost is one that the sweep sends again.
_REDIS_OPTIONS = {
    # A second ledger of unacknowledged messages in Redis would re-deliver after minutes what the sweep re-sends after seconds.
    "ack_emulation": False,
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "max_connections": 200,
}
CELERY_BROKER_TRANSPORT_OPTIONS = {} if LENS.broker_url else _REDIS_OPTIONS
CELERY_TASK_ROUTES = {
    "enrichment.*": {"queue": "enrich"},
    "publishing.tasks.evaluate": {"queue": "evaluate"},
    "publishing.*": {"queue": "publish"},
    "*": {"queue": "control"},
}
CELERY_BEAT_SCHEDULE = {
    "resume-stalled": {"task": "signals.beat.resume_stalled", "schedule": 1.0, "options": {"expires": 2, "queue": "control"}},
    # Intervals are counted from beat's start: a longer one would never end where beat starts anew every day.
    "prune": {"task": "console.beat.prune", "schedule": 3600.0, "options": {"expires": 600, "queue": "control"}},
    "keep-interest": {"task": "enrichment.tasks.keep_interest", "schedule": 60.0, "options": {"expires": 50, "queue": "control"}},
    "fold-hours": {"task": "console.beat.fold_hours", "schedule": 60.0, "options": {"expires": 50, "queue": "control"}},
}
CELERY_TIMEZONE = "UTC"

# ── Channels: wake-ups only; the frame table is the stream ───────────────────
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [f"{REDIS_URL}/1"], "prefix": "lens"},
    }
}

# ── HTTP ─────────────────────────────────────────────────────────────────────
DATA_UPLOAD_MAX_MEMORY_SIZE = 65_536
REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["core.parsing.StrictJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["access.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["access.authentication.HasScope"],
    "EXCEPTION_HANDLER": "core.problem.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "console.negotiation.AnyAccept",
    "DEFAULT_SCHEMA_CLASS": "console.described.LensSchema",
    # A list's parameters are its filters; `format` would be one that none of them knows.
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SigmaPilot Lens",
    "VERSION": "1",
    "DESCRIPTION": "Hand over trading signals; look up what became of them. Every error is `application/problem+json`.",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVERS": [{"url": "/"}],
    "PREPROCESSING_HOOKS": ["console.described.public_only"],
    # The hook that is there by default gives every enumeration a name and warns where it finds no good one.
    "POSTPROCESSING_HOOKS": ["console.described.without_marks"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}
STATIC_URL = "static/"
STATIC_ROOT = ROOT / "staticfiles"

LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = "console.formats"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}}
]
SESSION_COOKIE_AGE = 8 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SAMESITE = "Strict"
LOGIN_URL = "admin:login"
UNFOLD = theme(LENS.market)

LOGGING_CONFIG = "logging.config.dictConfig"
LOGGING = logging_config(LENS.log_level)

# ── Error reports, for those who want them ───────────────────────────────────
# The client takes a second to import; whoever has no address for reports does without it.
if LENS.sentry_dsn:
    from core.reports import send_reports

    send_reports(LENS.sentry_dsn, LENS.market)
