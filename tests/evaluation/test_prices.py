"""What calls cost: exact to the last digit, and never zero for want of knowledge."""

from decimal import Decimal

import pytest

from core.canonical import digest
from evaluation.ports import LONGEST_ECHO
from evaluation.prices import FREE, Rates, Usage, cost, total, worst_case
from evaluation.prompting import render
from tests.evaluation.cases import payload

RATES = Rates(Decimal("2.5"), Decimal(10), Decimal("1.25"))


@pytest.mark.parametrize(
    ("rates", "usage", "dollars"),
    [
        (RATES, Usage(1_000_000, 0), "2.5"),
        (RATES, Usage(1_200, 180), "0.0048"),
        (RATES, Usage(1_200, 180, 1_000), "0.00355"),
        (RATES, Usage(1_200, 180, 5_000), "0.0033"),
        (RATES, Usage(1, 0), "0.0000025"),
        (FREE, Usage(None, None), "0"),
    ],
)
def test_a_call_costs_what_its_tokens_cost(rates: Rates, usage: Usage, dollars: str) -> None:
    assert cost(rates, usage) == Decimal(dollars)


@pytest.mark.parametrize(("rates", "usage"), [(None, Usage(1, 1)), (RATES, Usage(None, 1)), (RATES, Usage(1, None))])
def test_what_is_not_known_is_not_free(rates: Rates | None, usage: Usage) -> None:
    assert cost(rates, usage) is None
    assert total([Decimal(1), cost(rates, usage)]) is None


def test_the_worst_case_is_never_less_than_any_answer_can_cost() -> None:
    data = payload()
    prompt = render(data, digest(data), "OPEN_SIGNAL", "core_v1")
    first, again = worst_case(RATES, prompt, 1_000)
    sent = len(prompt.system) + len(data)
    assert first > (cost(RATES, Usage(sent, 1_000)) or 0)
    assert again > (cost(RATES, Usage(sent + LONGEST_ECHO, 1_000)) or 0)
