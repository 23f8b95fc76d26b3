"""Stored JSON as tables: every value in its place, nothing live, nothing too deep."""

from typing import Any

import pytest

from core.told import DEEPEST, NOTHING, told


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, NOTHING),
        ({}, NOTHING),
        ([], NOTHING),
        (0, "0"),
        (False, "no"),
        (1.25e-05, "0.0000125"),
        (["a", 1, None], f"a, 1, {NOTHING}"),
        ({"b": 1, "a": True}, '<tr><th scope="row">a</th><td>yes</td></tr><tr><th scope="row">b</th><td>1</td></tr>'),
        ([{"a": 1}, {"b": 2}], f'<th scope="col">b</th></tr><tr><td>1</td><td>{NOTHING}</td></tr>'),
        ([[1, 2], {"a": 3}], "<div>1, 2</div>"),
    ],
)
def test_what_becomes_of_json(value: Any, shown: str) -> None:
    assert shown in str(told(value))


def test_no_word_of_it_is_live() -> None:
    hostile = "<script>alert(1)</script>"
    page = str(told({hostile: [{hostile: hostile}, {"x": [hostile]}], "y": hostile}))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5


def test_what_is_too_deep_is_text() -> None:
    value: Any = "end"
    for _ in range(DEEPEST + 5):
        value = {"in": value}
    page = str(told(value))
    assert page.count("<table") == DEEPEST
    assert "end" in page
