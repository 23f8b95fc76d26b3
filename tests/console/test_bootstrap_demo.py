"""`manage.py bootstrap_demo`: run at every start of a sandbox, so it keeps what it finds."""

from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from core.clock import now
from evaluation.models import EvaluationModel, Price

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _sandbox(settings: Any, tmp_path: Path) -> None:
    here = {"market": "sandbox", "sandbox_llm_url": "http://127.0.0.1:1", "data_dir": tmp_path}
    settings.LENS = settings.LENS.model_copy(update=here)


def start() -> str:
    out = StringIO()
    call_command("bootstrap_demo", stdout=out)
    return out.getvalue()


def test_another_start_shows_the_same_and_keeps_the_prices_that_people_added() -> None:
    first = start()
    assert Price.objects.count() == 1
    chatgpt = EvaluationModel.objects.get(name="chatgpt")
    Price.objects.create(model=chatgpt, valid_from=now(), input_usd=Decimal(3), output_usd=Decimal(12))
    assert start() == first
    assert Price.objects.count() == 2
