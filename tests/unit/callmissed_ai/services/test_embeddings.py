"""Embeddings work: what each kind of upstream is asked for, and a hold that covers every outcome."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Category, ProviderRoute
from callmissed.catalog.prices import token_price
from callmissed.errors import ApiError
from callmissed.money import MicroCredits
from callmissed_ai.services.embeddings import EmbeddingsWork, parse

CATALOG = load_catalog()
MODELS = CATALOG.listed(Category.EMBEDDING)
SMALL = CATALOG.models["text-embedding-3-small"]

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
inputs = st.lists(texts, min_size=1, max_size=4) | st.lists(st.integers(0, 10**5), min_size=1, max_size=40)


def work_of(value: Any = "Hello", **fields: Any) -> EmbeddingsWork:
    return parse(CATALOG, {"model": SMALL.id, "input": value, **fields}, 0)


@given(inputs, st.integers(0, 10**12), st.sampled_from(MODELS))
def test_our_own_count_never_costs_more_than_the_hold(value: Any, price: int, model: Any) -> None:
    work = replace(work_of(value), model=replace(model, price=token_price(price, 0)))

    charges = asyncio.run(work.meter(work.model, work.model.routes[0]).charges())

    assert charges.estimated
    assert charges.cost <= work.estimate


@pytest.mark.parametrize("value", ["x7!" * 30_000, [5] * 3_000])
def test_our_own_count_ends_at_the_window(value: Any) -> None:
    work = replace(work_of(value), model=replace(SMALL, context_window=2_000))

    charges = asyncio.run(work.meter(work.model, work.model.routes[0]).charges())

    assert charges.lines[0].quantity == 2_000
    assert charges.cost <= work.estimate


def test_work_cannot_be_made_shorter() -> None:
    assert work_of().shorter(MicroCredits(10**9)) is None


@pytest.mark.parametrize(
    ("provider", "asked", "sent"),
    [
        ("openai", "base64", "base64"),
        ("azure", "base64", "base64"),
        ("openai", "float", "float"),
        ("lab", "base64", "float"),
        ("sandbox", "base64", "float"),
    ],
)
def test_upstream_is_asked_for_the_encoding_that_it_understands(provider: str, asked: str, sent: str) -> None:
    request = work_of(encoding_format=asked, user="u").request_for(SMALL, ProviderRoute(provider, "upstream-id"))

    assert request.path == "/embeddings"
    assert request.json["encoding_format"] == sent
    assert (request.json["model"], request.json["user"]) == ("upstream-id", "u")


@pytest.mark.parametrize(("fields", "sent"), [({}, 1536), ({"dimensions": 8}, 8)])
def test_sandbox_gets_the_size_of_the_models_vectors(fields: dict[str, int], sent: int) -> None:
    work = work_of(**fields)

    assert work.request_for(SMALL, ProviderRoute("sandbox", SMALL.id)).json["dimensions"] == sent
    assert work.request_for(SMALL, ProviderRoute("openai", SMALL.id)).json.get("dimensions") == fields.get("dimensions")


def test_model_under_maintenance_is_503() -> None:
    catalog = Catalog({SMALL.id: replace(SMALL, status="maintenance")}, CATALOG.providers)

    with pytest.raises(ApiError) as refused:
        parse(catalog, {"model": SMALL.id, "input": "Hello"}, 0)

    assert (refused.value.status, refused.value.code) == (503, "model_under_maintenance")


def test_dimensions_of_a_model_whose_own_are_not_known_are_passed_on() -> None:
    catalog = Catalog({SMALL.id: replace(SMALL, dimensions=None)}, CATALOG.providers)
    work = parse(catalog, {"model": SMALL.id, "input": "Hello", "dimensions": 9999}, 0)

    assert work.request_for(work.model, ProviderRoute("lab", "x")).json["dimensions"] == 9999
    assert "dimensions" not in work_of().request_for(work.model, ProviderRoute("sandbox", "x")).json


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        (SMALL.id, {"input_type": "query"}, "input_type"),
        ("gemini-embedding-001", {"input_type": "query"}, "input_type"),
        ("titan-embed-text-v2", {"input_type": "query"}, "input_type"),
        ("sandbox-embedding", {"input_type": "question"}, "input_type"),
        ("titan-embed-text-v2", {"dimensions": 300}, "dimensions"),
        ("bge-m3", {"dimensions": 512}, "dimensions"),
        ("gemini-embedding-001", {"dimensions": 3073}, "dimensions"),
        ("titan-embed-text-v2", {"input": [1, 2]}, "input"),
        ("gemini-embedding-001", {"input": [1, 2]}, "input"),
        ("bge-m3", {"input": [[1, 2], [3]]}, "input"),
        ("cohere-embed-multilingual-v3", {"input": ["a", "b" * 2_049]}, "input"),
    ],
)
def test_what_a_model_cannot_do_is_refused_by_name(model: str, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse(CATALOG, {"model": model, "input": "Hello", **fields}, 0)

    assert (refused.value.status, refused.value.param) == (400, param)


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        *(("cohere-embed-multilingual-v3", {"input_type": kind}) for kind in ("query", "passage", "search_query")),
        ("sandbox-embedding", {"input_type": "search_document"}),
        ("titan-embed-text-v2", {"dimensions": 256}),
        ("cohere-embed-multilingual-v3", {"dimensions": 1024}),
    ],
)
def test_what_a_model_can_do_reaches_its_provider(model: str, fields: dict[str, Any]) -> None:
    work = parse(CATALOG, {"model": model, "input": "Hello", **fields}, 0)

    sent = work.request_for(work.model, work.model.routes[0]).json
    assert {name: sent[name] for name in fields} == fields


@pytest.mark.parametrize("tokens", [[1, 2], [[1, 2], [3]]])
def test_tokens_reach_providers_whose_models_made_them(tokens: Any) -> None:
    assert [work_of(tokens).request_for(SMALL, route).json["input"] for route in SMALL.routes] == [tokens, tokens]


def test_null_is_no_value() -> None:
    names = ("encoding_format", "dimensions", "user", "input_type", "anything")
    route = SMALL.routes[0]

    assert work_of(**dict.fromkeys(names)).request_for(SMALL, route) == work_of().request_for(SMALL, route)


def test_gemini_gets_no_user() -> None:
    work = parse(CATALOG, {"model": "gemini-embedding-001", "input": "Hello", "user": "u"}, 0)

    assert "user" not in work.request_for(work.model, work.model.routes[0]).json
