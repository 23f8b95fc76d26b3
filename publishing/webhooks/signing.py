"""Standard Webhooks signatures, and secrets that are derived rather than stored.

secret = HMAC(DJANGO_SECRET_KEY, salt): a copy of the database alone signs nothing. The fingerprint on the row tells when the key it
was derived from is no longer there, so a wrong signature is never sent.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime

from django.conf import settings
from django.utils.crypto import salted_hmac

from core.errors import Transient
from publishing.webhooks.models import WebhookEndpoint

PREFIX = "whsec_"
_PURPOSE = "publishing.webhooks"


def issue_secret(endpoint: WebhookEndpoint) -> str:
    """A new secret for this endpoint, saved or not. The text is shown once; the caller saves the row."""
    endpoint.salt = secrets.token_hex(32)
    key = _derived(endpoint.salt, settings.SECRET_KEY)
    endpoint.fingerprint = _fingerprint(key)
    return PREFIX + base64.b64encode(key).decode()


def sign(endpoint: WebhookEndpoint, message_id: str, body: str, at: datetime) -> dict[str, str]:
    """The three headers; the signatures of both while an old secret overlaps. Raises Transient secret_lost."""
    stamp = str(int(at.timestamp()))
    content = f"{message_id}.{stamp}.{body}".encode()
    signatures = [f"v1,{_signature(key, content)}" for key in _keys(endpoint, at)]
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": " ".join(signatures)}


def _keys(endpoint: WebhookEndpoint, at: datetime) -> list[bytes]:
    roots = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    root = next((root for root in roots if _fingerprint(_derived(endpoint.salt, root)) == endpoint.fingerprint), None)
    if root is None:
        raise Transient(
            "secret_lost", "The secret cannot be derived: DJANGO_SECRET_KEY has changed. Give the endpoint a new secret."
        )
    overlaps = endpoint.previous_until is not None and at < endpoint.previous_until
    # The previous secret may be older than the root: the row does not tell under which one it was made, so it signs under each.
    previous = [_derived(endpoint.previous_salt, root) for root in roots] if overlaps else []
    return [_derived(endpoint.salt, root), *previous]


def _derived(salt: str, root: str | bytes) -> bytes:
    return salted_hmac(_PURPOSE, salt, secret=root, algorithm="sha256").digest()


def _fingerprint(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def _signature(key: bytes, content: bytes) -> str:
    return base64.b64encode(hmac.digest(key, content, "sha256")).decode()
