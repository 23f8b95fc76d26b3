"""The secret in a hook's address: shown once, hashed at rest, compared in constant time."""

import hmac

from django.db.models.functions import Now

from core.canonical import digest
from core.tokens import Tokens
from signals.models import HookSource

_TOKENS = Tokens("lenshook")


def issue_token(hook: HookSource) -> str:
    """A new secret for this hook, saved or not; the old one ends with the next save. The text is never seen again."""
    hook.prefix, text = _TOKENS.make()
    hook.token_hash = digest(text)
    hook.revoked_at = None
    return text


def revoke_token(hook: HookSource) -> bool:
    """The address answers 404 from now on; whether it was open before."""
    return HookSource.objects.filter(pk=hook.pk, revoked_at__isnull=True).update(revoked_at=Now()) == 1


def hook_behind(kind: str, text: str) -> HookSource | None:
    """The open hook of that kind with this secret; None for any other text."""
    prefix = _TOKENS.prefix(text)
    hook = HookSource.objects.filter(prefix=prefix, enabled=True, revoked_at__isnull=True).first() if prefix else None
    return hook if hook and hmac.compare_digest(hook.token_hash, digest(text)) and hook.kind == kind else None
