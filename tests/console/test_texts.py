"""Which of the stored texts are in use, by whom and since when; and the page of the admin that says so."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client

from core.clock import now
from evaluation import texts
from evaluation.models import Decision, Text
from evaluation.prompting import render
from evaluation.uses import names, uses
from signals.models import Signal

pytestmark = pytest.mark.django_db
Judged = Callable[..., Signal]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    cache.clear()


@pytest.fixture
def asked(judged: Judged) -> Decision:
    """A decision as a model that was asked leaves it."""
    prompt = render("{}", "0" * 64, "OPEN_SIGNAL", "core_v1")
    texts.forget()
    texts.keep(prompt)
    judged()
    Decision.objects.update(prompt_hash=prompt.prompt_hash, schema_hash=prompt.schema_hash, prompt_version="core_v1")
    return Decision.objects.get()


def test_every_text_of_this_release_has_a_name(asked: Decision) -> None:
    assert {names()[text.hash] for text in Text.objects.all()} == {
        "instructions core_v1, OPEN_SIGNAL",
        "answer's schema, OPEN_SIGNAL",
    }


def test_who_uses_a_text_and_when_it_was_used_last(asked: Decision, judged: Judged) -> None:
    later = now() + timedelta(minutes=5)
    judged()
    other = Decision.objects.exclude(pk=asked.pk).get()
    Decision.objects.filter(pk=other.pk).update(
        model="claude", prompt_hash="f" * 64, schema_hash=asked.schema_hash, evaluated_at=later
    )
    found = uses()
    assert (found[asked.prompt_hash].models, found[asked.prompt_hash].decisions) == ((asked.model,), 1)
    assert set(found[asked.schema_hash].models) == {asked.model, "claude"}
    assert found[asked.schema_hash].last == later
    assert found["f" * 64].decisions == 1


def test_the_pages_say_so_and_a_decision_leads_there(admin_client: Client, asked: Decision) -> None:
    listed = admin_client.get("/admin/evaluation/text/").content.decode()
    assert "instructions core_v1, OPEN_SIGNAL" in listed
    assert asked.model in listed
    address = f"/admin/evaluation/text/{asked.prompt_hash}/change/"
    assert address in admin_client.get(f"/admin/evaluation/decision/{asked.pk}/change/").content.decode()
    assert "You judge one trading signal" in admin_client.get(address).content.decode()


def test_a_text_of_an_earlier_release_is_said_to_be_one(admin_client: Client) -> None:
    Text.objects.create(hash="e" * 64, text="<script>alert(1)</script>")
    page = admin_client.get(f"/admin/evaluation/text/{'e' * 64}/change/").content.decode()
    assert "of an earlier release" in page
    assert "<script>alert" not in page
