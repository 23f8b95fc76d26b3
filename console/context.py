"""What every page knows."""

from django.conf import settings
from django.http import HttpRequest


def market(_: HttpRequest) -> dict[str, str]:
    """The market in force, so that no page shows sandbox figures without saying so."""
    return {"market": settings.LENS.market}
