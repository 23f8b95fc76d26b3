"""What every page knows."""

from django.conf import settings
from django.http import HttpRequest

# Address, title, and the letter that follows `g` on the keyboard.
NAV = (
    ("pages:feed", "Feed", "f"),
    ("pages:models", "Models", "m"),
    ("pages:system", "System", "s"),
    ("pages:playground", "Playground", "p"),
    ("admin:index", "Admin", "a"),
)


def market(_: HttpRequest) -> dict[str, object]:
    """The market in force, so that no page shows sandbox figures without saying so; and where one can go."""
    return {"market": settings.LENS.market, "nav": NAV}
