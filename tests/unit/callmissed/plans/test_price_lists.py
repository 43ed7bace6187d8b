"""Price lists: which one is in force, and what its rows say."""

from dataclasses import replace

import pytest

from callmissed.clock import Micros, month_of, month_start
from callmissed.plans import price_lists
from callmissed.plans.plans import Plan, limits
from callmissed.plans.price_lists import PRICE_LISTS, PriceList, price_list

JANUARY = month_start(202701)
TODAY = PRICE_LISTS[-1]


@pytest.fixture
def dearer(monkeypatch: pytest.MonkeyPatch) -> PriceList:
    """A list that comes into force in January: the starter plan is dearer and allows more calls."""
    starter = replace(
        TODAY.plans[Plan.STARTER],
        monthly_price_inr=1_199,
        monthly_quotas={**TODAY.plans[Plan.STARTER].monthly_quotas, "llm": 6_000},
    )
    later = replace(
        TODAY, version="2027-01", effective_from=JANUARY, plans={**TODAY.plans, Plan.STARTER: starter}, packs=()
    )
    monkeypatch.setattr(price_lists, "PRICE_LISTS", (*PRICE_LISTS, later))
    return later


def test_a_later_list_comes_into_force_by_itself(dearer: PriceList) -> None:
    eve = Micros(JANUARY - 1)

    assert (price_list(eve), price_list(JANUARY)) == (TODAY, dearer)
    assert limits(Plan.STARTER, eve).monthly_quotas["llm"] == 5_000
    assert limits(Plan.STARTER, JANUARY).monthly_quotas["llm"] == 6_000
    assert limits(Plan.STARTER, eve).price == 99_900
    assert limits(Plan.STARTER, JANUARY).price == 119_900


def test_lists_begin_with_a_month_in_the_order_of_their_dates() -> None:
    starts = [each.effective_from for each in PRICE_LISTS]

    assert starts == sorted(set(starts))
    assert starts[0] == 0
    assert all(start == month_start(month_of(start)) for start in starts)
    assert len({each.version for each in PRICE_LISTS}) == len(PRICE_LISTS)


def test_every_list_has_every_plan_the_higher_the_dearer() -> None:
    for each in PRICE_LISTS:
        prices = [each.plans[plan].price for plan in Plan]
        assert prices == sorted(set(prices))
        assert prices[0] == 0


def test_the_first_period_of_a_plan_brings_more_where_the_list_says_so() -> None:
    starter, free = TODAY.plans[Plan.STARTER], TODAY.plans[Plan.FREE]

    assert (starter.grant(first=True), starter.grant(first=False)) == (starter.first_grant, starter.monthly_grant)
    assert free.grant(first=True) == free.monthly_grant
