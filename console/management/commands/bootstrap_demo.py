"""`manage.py bootstrap_demo`: what a newcomer needs to look around – an admin, a key, judges. Sandbox only; run by the launcher."""

import json
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access.models import Scope
from access.services import authenticate, create_key
from access.windows import UNLIMITED
from evaluation.models import EvaluationModel, Price, Vendor

ADMIN = "demo"
KEY_ENV = "LENS_SANDBOX_API_KEY"
# What the simulator's answers would cost, so that a newcomer sees costs move.
PRETENDED = {"input_usd": Decimal("2.5"), "output_usd": Decimal(10), "cached_usd": Decimal("1.25")}


class Command(BaseCommand):
    """Idempotent: what is already there is kept and shown again."""

    help = "Make the demo admin, API key and models of a sandbox installation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="accepted for symmetry; the answer is always JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.LENS.market != "sandbox" or settings.LENS.sandbox_llm_url is None:
            raise CommandError("Demo credentials are made only in the sandbox market.", returncode=2)
        self.stdout.write(json.dumps(self._credentials()))
        chatgpt, _ = EvaluationModel.objects.update_or_create(
            name="chatgpt",
            defaults={"base_url": f"{settings.LENS.sandbox_llm_url}/v1"},
            create_defaults={
                "vendor": Vendor.OPENAI_COMPATIBLE,
                "model_id": "gpt-sandbox",
                "base_url": f"{settings.LENS.sandbox_llm_url}/v1",
                "key_env": KEY_ENV,
            },
        )
        if not Price.objects.filter(model=chatgpt).exists():
            Price.objects.create(model=chatgpt, **PRETENDED)

    def _credentials(self) -> dict[str, str]:
        file: Path = settings.LENS.data_dir / "run" / "demo.json"
        kept = json.loads(file.read_text()) if file.is_file() else {}
        if authenticate(kept.get("api_key", "")) is None:
            kept["api_key"] = create_key("demo", Scope.values, limits=UNLIMITED)[1]
        kept = {**kept, **_admin(kept)}
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(json.dumps(kept))
        return kept


def _admin(kept: dict[str, str]) -> dict[str, str]:
    """The demo superuser with the password on file, or a new one."""
    password = kept.get("admin_password") or secrets.token_urlsafe(12)
    user, new = get_user_model().objects.get_or_create(username=ADMIN, defaults={"is_staff": True, "is_superuser": True})
    if new or not user.check_password(password):
        user.set_password(password)
        user.save()
    return {"admin_user": ADMIN, "admin_password": password}
