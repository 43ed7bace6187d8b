"""Charges: lines with denominators of their own, summed exactly and rounded once."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Category
from callmissed.catalog.prices import token_price as priced
from callmissed.ledger.entries import UsageLine
from callmissed_ai.charges import (
    PER_AUDIO_MILLISECONDS,
    PER_CHARACTERS,
    PER_ONE,
    PER_TOKENS,
    Charges,
    max_token_cost,
    token_charges,
)
from callmissed_ai.tokens.usage import TokenUsage

CHAT = load_catalog().listed(Category.LLM)[0]
SPEECH = next(model for model in load_catalog().listed(Category.TTS) if model.price is None)


def test_lines_of_every_unit_are_summed_before_they_are_rounded() -> None:
    lines = [
        UsageLine("input_tokens", 1, 250_000, PER_TOKENS),
        UsageLine("audio_milliseconds", 1, 900_000, PER_AUDIO_MILLISECONDS),
        UsageLine("characters", 1, 2_500, PER_CHARACTERS),
        UsageLine("images", 2, 7, PER_ONE),
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
