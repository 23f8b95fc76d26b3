"""The secret in a hook's address: shown once, hashed at rest, compared in constant time."""

import hashlib
import hmac
import re
import secrets

from django.db.models.functions import Now

from signals.models import HookSource

TAG = "lenshook"
_SHAPE = re.compile(rf"{TAG}_([0-9a-f]{{8}})_[A-Za-z0-9_-]{{43}}")


def issue_token(hook: HookSource) -> str:
    """A new secret for this hook, saved or not; the old one ends with the next save. The text is never seen again."""
    hook.prefix = secrets.token_hex(4)
    text = f"{TAG}_{hook.prefix}_{secrets.token_urlsafe(32)}"
    hook.token_hash = _hash(text)
    hook.revoked_at = None
    return text


def revoke_token(hook: HookSource) -> bool:
    """The address answers 404 from now on; whether it was open before."""
    return HookSource.objects.filter(pk=hook.pk, revoked_at__isnull=True).update(revoked_at=Now()) == 1


def hook_behind(kind: str, text: str) -> HookSource | None:
    """The open hook of that kind with this secret; None for any other text."""
    shaped = _SHAPE.fullmatch(text)
    hook = HookSource.objects.filter(prefix=shaped[1], enabled=True, revoked_at__isnull=True).first() if shaped else None
    return hook if hook and hmac.compare_digest(hook.token_hash, _hash(text)) and hook.kind == kind else None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
