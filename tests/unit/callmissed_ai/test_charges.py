"""Charges: lines with denominators of their own, summed exactly and rounded once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import UNITS, Category, Model
from callmissed.catalog.prices import token_price as priced
from callmissed.ledger.entries import UsageLine
from callmissed_ai.charges import (
    COUNTED,
    PER_TOKENS,
    Charges,
    max_token_cost,
    max_unit_cost,
    token_charges,
    unit_charges,
)
from callmissed_ai.tokens.usage import TokenUsage

CHAT = load_catalog().listed(Category.LLM)[0]
SPEECH = next(model for model in load_catalog().listed(Category.TTS) if model.price is None)


def test_lines_of_every_unit_are_summed_before_they_are_rounded() -> None:
    lines = [
        UsageLine("input_tokens", 1, 250_000, PER_TOKENS),
        UsageLine("audio_milliseconds", 1, 900_000, 3_600_000),
        UsageLine("characters", 1, 2_500, 10_000),
        UsageLine("images", 2, 7, 1),
    ]

    assert Charges(lines).cost == 14 + 1
    assert [Charges([line]).cost for line in lines] == [0, 0, 0, 14]


def test_call_without_lines_costs_nothing() -> None:
    assert Charges(()).cost == 0


def test_cached_tokens_are_a_line_of_their_own_only_where_they_have_a_price() -> None:
    used = TokenUsage(10, 5, cached=4, estimated=True)
    plain = replace(CHAT, price=priced(100, 200))
    cached = replace(CHAT, price=priced(100, 200, 10))

    assert [(line.unit, line.quantity) for line in token_charges(plain, used).lines] == [
        ("input_tokens", 10),
        ("output_tokens", 5),
    ]
    assert [(line.unit, line.quantity, line.price) for line in token_charges(cached, used).lines] == [
        ("input_tokens", 6, 100),
        ("output_tokens", 5, 200),
        ("cached_input_tokens", 4, 10),
    ]
    assert token_charges(cached, used).estimated


@pytest.mark.parametrize(("written", "price"), [(None, 100), (125, 125), (0, 0)])
def test_tokens_written_to_a_cache_are_a_line_of_their_own(written: int | None, price: int) -> None:
    model = replace(CHAT, price=priced(100, 200, 10, written))

    lines = token_charges(model, TokenUsage(10, 5, cached=4, cache_write=3)).lines

    assert [(line.unit, line.quantity, line.price) for line in lines] == [
        ("input_tokens", 3, 100),
        ("output_tokens", 5, 200),
        ("cached_input_tokens", 4, 10),
        ("cache_write_tokens", 3, price),
    ]


@pytest.mark.parametrize(
    "charge", [lambda: token_charges(SPEECH, TokenUsage(1, 1)), lambda: max_token_cost(SPEECH, 1, 1)]
)
def test_model_without_token_prices_is_a_defect(charge: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="no token price"):
        charge()


@pytest.mark.parametrize("category", list(UNITS))
def test_every_unit_is_charged_by_what_is_counted_of_it(category: Category) -> None:
    model = load_catalog().listed(category)[0]
    assert model.unit_price
    counted, per = COUNTED[model.unit_price.unit]

    whole, part = unit_charges(model, per), unit_charges(model, 1)

    assert whole.lines == [UsageLine(counted, per, model.unit_price.amount, per)]
    assert whole.cost == max_unit_cost(model, per) == model.unit_price.amount
    assert part.cost <= max_unit_cost(model, 1)


@pytest.mark.parametrize("charge", [unit_charges, max_unit_cost])
def test_a_model_without_a_unit_price_is_not_charged_by_units(charge: Callable[[Model, int], object]) -> None:
    with pytest.raises(ValueError, match="no unit price"):
        charge(CHAT, 1)
