"""Who may look at the pages, and what everybody is told on each of them."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

PAGES = ["/feed", "/models", "/system", "/playground"]
pytestmark = pytest.mark.django_db


def test_the_front_door_leads_to_the_feed(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/feed"


@pytest.mark.parametrize("path", [*PAGES, "/events/0199aaaa-0000-7000-8000-000000000000"])
def test_strangers_are_led_to_the_login_and_back(client: Client, path: str) -> None:
    assert client.get(path).headers["Location"] == f"/admin/login/?next={path}"


def test_a_part_that_asks_after_the_session_ended_leads_its_page_to_the_login(client: Client) -> None:
    answer = client.get("/system/now", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/admin/login/")


@pytest.mark.parametrize("path", PAGES)
def test_known_people_who_are_no_staff_are_refused(client: Client, path: str) -> None:
    client.force_login(User.objects.create_user("nora"))
    assert client.get(path).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_which_market_it_speaks_of(viewer: Client, path: str, settings: object) -> None:
    page = viewer.get(path)
    assert page.status_code == 200
    assert 'data-market="hyperliquid"' in page.content.decode()


@pytest.mark.parametrize("path", PAGES)
def test_no_page_holds_a_script_or_a_style_of_its_own(viewer: Client, path: str) -> None:
    page = viewer.get(path).content.decode()
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick" not in page
    assert page.count("<script") == page.count("<script src=") + page.count('<script type="module" src=')
