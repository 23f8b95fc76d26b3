"""The Celery application. Its settings are the CELERY_* ones of lens_project/settings."""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_init

from core.faults import refuse_faults

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")
# Celery would run every check of Django, which loads every page and address, and then not look at what they found.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("lens")
app.config_from_object("django.conf:settings", namespace="CELERY")
# The doors that cost nothing to open; enrichment's is opened by the workers that enrich (enrichment/beat).
app.autodiscover_tasks(["publishing"])
app.autodiscover_tasks(["signals", "enrichment", "evaluation", "console"], related_name="beat")


@worker_init.connect(weak=False)
def begin(**_: Any) -> None:
    """A worker whose files are wrong does not start."""
    refuse_faults()
