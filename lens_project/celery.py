"""The Celery application. Its settings are the CELERY_* ones of lens_project/settings."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lens_project.settings.local")

app = Celery("lens")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["signals", "enrichment", "evaluation", "publishing", "console"], related_name="beat")
