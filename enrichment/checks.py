"""A wrong profile, policy or market stops the start instead of the first signal."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error

from enrichment.files import FileFaultError
from enrichment.policy import policy
from enrichment.profiles import profiles


def configuration(app_configs: Sequence[Any] | None, **_: Any) -> list[CheckMessage]:
    """Every fault in `profiles/*.yaml` and `policy.yaml`, by file and line, and a default profile that is not there."""
    return [*_policy(), *_profiles()]


def _policy() -> list[CheckMessage]:
    try:
        policy()
    except FileFaultError as fault:
        return [Error(str(fault), hint="See enrichment/policy.py for what may be set.", id="enrichment.E001")]
    return []


def _profiles() -> list[CheckMessage]:
    try:
        known = profiles()
    except FileFaultError as fault:
        return [Error(str(fault), hint="See enrichment/profiles.py for what may be set.", id="enrichment.E002")]
    wanted = settings.LENS.feature_profile
    if wanted not in known:
        told = f"LENS_FEATURE_PROFILE: there is no profile {wanted!r}."
        return [Error(told, hint=f"Known: {', '.join(known)}.", id="enrichment.E003")]
    return []
