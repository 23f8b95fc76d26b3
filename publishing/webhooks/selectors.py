"""How the endpoints stand, taken together."""

from dataclasses import dataclass

from django.db import connection

_STANDING = """
SELECT count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state = 'disabled'),
       COALESCE((SELECT last_seq FROM publishing_streamhead) - min(position) FILTER (WHERE state = 'active'), 0)
  FROM publishing_webhookendpoint
"""


@dataclass(frozen=True)
class Standing:
    """Endpoints by state, and how many frames the last active one has yet to look at."""

    active: int
    disabled: int
    lag: int


def standing() -> Standing:
    """One statement."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING)
        return Standing(*cursor.fetchone())
