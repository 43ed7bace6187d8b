"""OpenRouter's list: what it says of prices and limits, and what a broken or hostile one can't do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed_ai.charges import token_charges
from callmissed_ai.preferences.wishes import NO_PREFERENCES, for_openrouter
from callmissed_ai.routing.openrouter_list import is_listable, model_of, read_list, read_rows, stored_rows
from callmissed_ai.tokens.usage import TokenUsage
from tests.support.inference.any_json import anything

ID = "acme/model-1"
PRICING: dict[str, Any] = {
    "prompt": "0.0000004",
    "completion": "0.0000016",
    "request": "0",
    "image": "0",
    "web_search": "0",
    "internal_reasoning": "0",
    "input_cache_read": "0.0000001",
    "input_cache_write": "0.0000005",
    "audio": "0.0001",
}


def entry(**more: Any) -> dict[str, Any]:
    return {
        "id": ID,
        "name": "Acme: Model 1",
        "context_length": 200_000,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "top_provider": {"max_completion_tokens": 32_000},
        "supported_parameters": ["tools", "response_format"],
        "pricing": PRICING,
        **more,
    }


def listed(**more: Any) -> Any:
    return read_list({"data": [entry(**more)]}).get(ID, "not listed")


def test_everything_that_counts_is_read() -> None:
    model = model_of(listed())

    assert model.price is not None
    assert (model.price.input, model.price.output) == (40_000_000, 160_000_000)
    assert (model.price.cached_input, model.price.cache_write) == (10_000_000, 50_000_000)
    assert (model.context_window, model.max_output_tokens, model.free) == (200_000, 32_000, False)
    assert (model.supports_vision, model.supports_tools, model.supports_json) == (True, True, True)
    assert not model.supports_reasoning
    assert [(route.provider, route.upstream_id) for route in model.routes] == [("openrouter", ID)]


def test_nobody_dearer_may_serve() -> None:
    assert for_openrouter(NO_PREFERENCES, model_of(listed())) == {"max_price": {"prompt": 0.4, "completion": 1.6}}


@pytest.mark.parametrize(
    "pricing",
    [
        None,
        "0.1",
        {},
        PRICING | {"prompt": "-1"},
        PRICING | {"completion": "-1"},
        PRICING | {"prompt": "0"},
        PRICING | {"completion": 0},
        PRICING | {"prompt": "0", "completion": "0"},
        PRICING | {"prompt": None},
        PRICING | {"prompt": "NaN"},
        PRICING | {"prompt": float("nan")},
        PRICING | {"prompt": "Infinity"},
        PRICING | {"prompt": "1e-300"},
        PRICING | {"completion": "1e-999999999"},
        PRICING | {"completion": "1e999999999"},
        PRICING | {"completion": 10**400},
        PRICING | {"completion": "9" * 10_000},
        PRICING | {"prompt": "free"},
        PRICING | {"prompt": ""},
        PRICING | {"prompt": True},
        PRICING | {"prompt": ["0.1"]},
        PRICING | {"prompt": {"usd": "0.1"}},
        PRICING | {"request": "0.01"},
        PRICING | {"image": "0.001"},
        PRICING | {"web_search": "0.004"},
        PRICING | {"internal_reasoning": "0.01"},
        PRICING | {"surcharge": "0.01"},
        PRICING | {"surcharge": "?"},
        PRICING | {"overrides": [{"prompt": "0.1"}]},
        PRICING | {"input_cache_read": "0.0000005"},
        PRICING | {"input_cache_read": "-1"},
    ],
    ids=lambda pricing: str(pricing)[:40],
)
def test_price_in_doubt_is_no_price(pricing: Any) -> None:
    assert listed(pricing=pricing) is None


def test_reasoning_at_the_price_of_output_is_metered() -> None:
    assert listed(pricing=PRICING | {"internal_reasoning": PRICING["completion"]}) is not None


@pytest.mark.parametrize(
    "more",
    [
        {"context_length": None},
        {"context_length": 0},
        {"context_length": -5},
        {"context_length": True},
        {"context_length": "200000"},
        {"context_length": 10**30},
        {"architecture": {"input_modalities": ["text"], "output_modalities": ["text", "image"]}},
        {"architecture": {"output_modalities": []}},
    ],
    ids=str,
)
def test_limit_or_form_in_doubt_is_not_served(more: dict[str, Any]) -> None:
    assert listed(**more) is None


@pytest.mark.parametrize(
    ("most", "expected"), [(None, 50_000), (0, 50_000), (-1, 50_000), ("x", 50_000), (10**6, 200_000), (10**9, 50_000)]
)
def test_output_limit_fits_the_window(most: Any, expected: int) -> None:
    assert listed(top_provider={"max_completion_tokens": most}).max_output_tokens == expected


def test_model_that_is_listed_twice_is_in_doubt() -> None:
    assert read_list({"data": [entry(), entry(pricing=PRICING | {"prompt": "0.0000001"})]})[ID] is None


@pytest.mark.parametrize(
    "model_id",
    ["gpt-4o", "openrouter/auto", "openrouter/free", "/x", "x/", "a/b/c", "a b/c", "a/" + "x" * 200, "../x", "a/é", ""],
)
def test_id_of_another_form_is_none_of_the_list(model_id: str) -> None:
    assert not is_listable(model_id)
    assert read_list({"data": [entry(id=model_id), entry()]}).keys() == {ID}


@pytest.mark.parametrize("document", [None, [], {}, {"data": None}, {"data": []}, {"data": {}}, "x", 1])
def test_what_is_no_list_is_refused(document: Any) -> None:
    with pytest.raises(ValueError, match="no list"):
        read_list(document)


def test_odd_entries_harm_no_others() -> None:
    odd = [None, 1, "x", [], {}, {"id": 1}, {"id": None}, {"id": "a/b"}, {"id": "a/c", "pricing": []}]

    assert read_list({"data": [*odd, entry()]})[ID] is not None


@given(
    more=st.dictionaries(st.sampled_from(sorted(entry())), anything),
    pricing=st.dictionaries(st.sampled_from(sorted(PRICING)), anything),
)
def test_no_list_makes_a_free_call_or_an_error(more: dict[str, Any], pricing: dict[str, Any]) -> None:
    data = [entry(pricing={**PRICING, **pricing}), {**entry(id="acme/other"), **more}]
    for found in read_list({"data": data}).values():
        if found:
            model = model_of(found)
            assert token_charges(model, TokenUsage(1_000_000, 1_000_000)).cost >= 200_000
            assert model.max_output_tokens <= (model.context_window or 0)


def test_stored_rows_come_back_and_others_are_refused() -> None:
    found = read_list({"data": [entry(), entry(id="acme/other", pricing={})]})

    assert read_rows(json.loads(json.dumps(stored_rows(found.values())))) == {ID: found[ID]}
    for rows in (None, {}, [1], [[1]], [["a/b", "x", 1, 0, 0, 1, 1, ""]]):
        with pytest.raises(ValueError, match="no rows"):
            read_rows(rows)
    assert read_rows([["a/b", 0, 0, 0, 0, 1, 1, ""]]) == {}
