"""The roof: settings, URLs, the canvas. Importing it makes the Celery application the current one, so tasks find their broker."""

from lens_project.celery import app as celery_app

__all__ = ["celery_app"]
