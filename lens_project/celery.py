"""The Celery application. Its settings are the CELERY_* ones of lens_project/settings."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")

app = Celery("lens")
app.config_from_object("django.conf:settings", namespace="CELERY")
# The doors that cost nothing to open; enrichment's is opened by the workers that enrich (enrichment/beat).
app.autodiscover_tasks(["publishing"])
app.autodiscover_tasks(["signals", "enrichment", "evaluation", "publishing", "console"], related_name="beat")
