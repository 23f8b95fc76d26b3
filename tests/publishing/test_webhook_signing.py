"""Signatures that the reference implementation accepts, and secrets that the database does not hold."""

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from standardwebhooks import Webhook, WebhookVerificationError

from core.clock import now
from core.errors import Transient
from core.logs import redact
from publishing.webhooks.models import WebhookEndpoint
from publishing.webhooks.services import rotate
from publishing.webhooks.signing import sign
from tests.publishing.receivers import endpoint

pytestmark = pytest.mark.django_db

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhooks.md").read_text()
BODY = '{"type":"verdict","seq":7,"source":"bücher"}'


def test_the_reference_implementation_accepts_a_signature_and_refuses_another_body() -> None:
    made, secret = endpoint()
    headers = sign(made, "msg_1", BODY, now())
    assert Webhook(secret).verify(BODY, headers) == {"type": "verdict", "seq": 7, "source": "bücher"}
    assert Webhook(secret).verify(BODY.encode(), headers)["seq"] == 7
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY.replace("7", "8"), headers)


def test_both_secrets_sign_during_the_overlap_and_one_afterwards() -> None:
    made, old = endpoint()
    new = rotate(made)
    assert old != new
    during = sign(made, "msg_1", BODY, now())
    assert [Webhook(secret).verify(BODY, during)["seq"] for secret in (old, new)] == [7, 7]
    made.previous_until = now() - timedelta(seconds=1)
    after = sign(made, "msg_1", BODY, now())
    assert Webhook(new).verify(BODY, after)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, after)


def test_a_leaked_secret_ends_at_once() -> None:
    made, old = endpoint()
    rotate(made, timedelta(0))
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(BODY, sign(made, "msg_1", BODY, now()))


def test_the_row_alone_does_not_hold_the_secret() -> None:
    made, secret = endpoint()
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(e)::text FROM publishing_webhookendpoint e WHERE id = %s", [made.pk])
        row = cursor.fetchone()[0]
    assert secret.removeprefix("whsec_") not in row
    assert redact(f"made {secret} now") == "made whsec_… now"


def test_another_root_key_is_noticed_and_a_former_one_still_serves(settings: Any) -> None:
    made, secret = endpoint()
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    with pytest.raises(Transient) as lost:
        sign(made, "msg_1", BODY, now())
    assert lost.value.code == "secret_lost"
    settings.SECRET_KEY_FALLBACKS = [former]
    assert Webhook(secret).verify(BODY, sign(WebhookEndpoint.objects.get(pk=made.pk), "msg_1", BODY, now()))


def test_both_secrets_sign_when_the_old_one_was_made_under_a_former_root_key(settings: Any) -> None:
    made, old = endpoint()
    former, settings.SECRET_KEY = settings.SECRET_KEY, "another"
    settings.SECRET_KEY_FALLBACKS = [former]
    new = rotate(made)
    during = sign(made, "msg_1", BODY, now())
    assert [Webhook(secret).verify(BODY, during)["seq"] for secret in (old, new)] == [7, 7]


def snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_documented_python_verifies() -> None:
    made, secret = endpoint()
    headers = sign(made, "msg_1", BODY, now())
    names: dict[str, Any] = {}
    exec(snippet("python"), names)  # noqa: S102  our own page
    assert names["verify"](secret, headers, BODY.encode()) is True
    assert names["verify"](secret, headers, BODY.replace("7", "8").encode()) is False
    assert names["verify"](secret, sign(made, "msg_1", BODY, now() - timedelta(hours=1)), BODY.encode()) is False


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node.js on this machine")
def test_the_documented_javascript_verifies(tmp_path: Path) -> None:
    made, secret = endpoint()
    headers = sign(made, "msg_1", BODY, now())
    calls = [f"verify({json.dumps(secret)}, {json.dumps(headers)}, {json.dumps(body)})" for body in (BODY, BODY + " ")]
    (tmp_path / "check.mjs").write_text(snippet("js") + f"console.log({', '.join(calls)});")
    done = subprocess.run(["node", "check.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["true", "false"]
