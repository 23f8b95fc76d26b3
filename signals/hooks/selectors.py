"""Reading hooks: which of them have gone quiet."""

from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F, QuerySet, Value
from django.db.models.functions import Coalesce, Now

from signals.models import HookSource


def silent_sources() -> QuerySet[HookSource]:
    """Open hooks that expect messages and heard none for `expected_every_s`, counted from their making if never."""
    allowance = ExpressionWrapper(F("expected_every_s") * Value(timedelta(seconds=1)), output_field=DurationField())
    expecting = HookSource.objects.filter(enabled=True, revoked_at__isnull=True, expected_every_s__isnull=False)
    return expecting.alias(heard=Coalesce("last_heard_at", "created_at")).filter(heard__lt=Now() - allowance)
