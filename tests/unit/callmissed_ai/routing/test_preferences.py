"""Preferences over routes: which are left, in which order, and what goes on to OpenRouter."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, DialectName, Model, ProviderRoute
from callmissed.catalog.prices import token_price
from callmissed.errors import ApiError
from callmissed_ai.preferences.wishes import NO_PREFERENCES, Preferences
from callmissed_ai.routing.preferences import preferred
from callmissed_ai.routing.selection import servable
from callmissed_ai.services import chat
from callmissed_ai.services.conversations.work import ChatWork

BUILT_IN = load_catalog()
PROVIDERS = ("groq", "xai", "openrouter", "mistral")
PLAIN = replace(
    BUILT_IN.models["gpt-4o"],
    id="plain",
    routes=tuple(ProviderRoute(name, f"{name}-model") for name in PROVIDERS[:3]),
    price=token_price(50_000_000, 150_000_000),
    output_limit_field="max_tokens",
)
DEAR = replace(PLAIN, id="dear", price=token_price(500_000_000, 1_500_000_000))
ALONE = replace(PLAIN, id="alone", routes=(ProviderRoute("groq", "alone"),))
CATALOG = Catalog({model.id: model for model in (PLAIN, DEAR, ALONE)}, BUILT_IN.providers)
DIALECTS: tuple[DialectName, ...] = ("openai_chat", "openai_responses", "anthropic_messages")
HELLO = {"role": "user", "content": "Hello"}


def work_of(dialect: DialectName = "openai_chat", model: str = "plain", **fields: Any) -> ChatWork:
    asked = {"messages": [HELLO], "max_tokens": 50}
    if dialect == "openai_responses":
        asked = {"input": "Hello", "max_output_tokens": 50}
    body = {"model": model, **asked, **fields}
    work = servable(chat.parse(dialect, CATALOG, body, 1_000), lambda _provider: True)
    assert isinstance(work, ChatWork)
    return work


def routes_of(**provider: Any) -> list[str]:
    return [route.provider for route in work_of(provider=provider).models[0].routes]


def sent_to_openrouter(**fields: Any) -> Mapping[str, Any]:
    work = work_of(**fields)
    (model, *_) = work.models
    (route,) = [route for route in model.routes if route.provider == "openrouter"]
    return work.request_for(model, route).json


@pytest.mark.parametrize(
    ("provider", "left"),
    [
        ({}, ["groq", "xai", "openrouter"]),
        ({"order": [], "only": [], "ignore": [], "sort": None}, ["groq", "xai", "openrouter"]),
        ({"order": ["xai"]}, ["xai", "groq", "openrouter"]),
        ({"order": ["openrouter", "xai"]}, ["openrouter", "xai", "groq"]),
        ({"order": ["XAI", "xai"]}, ["xai", "groq", "openrouter"]),
        ({"order": ["together"]}, ["openrouter", "groq", "xai"]),
        ({"order": ["xai", "together", "openrouter"]}, ["xai", "openrouter", "groq"]),
        ({"order": ["xai"], "allow_fallbacks": False}, ["xai"]),
        ({"order": ["together"], "allow_fallbacks": False}, ["openrouter"]),
        ({"allow_fallbacks": False}, ["groq"]),
        ({"allow_fallbacks": True}, ["groq", "xai", "openrouter"]),
        ({"only": ["xai"]}, ["xai"]),
        ({"only": ["xai", "groq"]}, ["groq", "xai"]),
        ({"only": ["together"]}, ["openrouter"]),
        ({"only": ["xai", "together"]}, ["xai", "openrouter"]),
        ({"ignore": ["groq"]}, ["xai", "openrouter"]),
        ({"ignore": ["together"]}, ["groq", "xai", "openrouter"]),
        ({"only": ["groq", "xai"], "ignore": ["groq"]}, ["xai"]),
        ({"max_price": {"input": 0.5, "output": "1.5"}}, ["groq", "xai", "openrouter"]),
        ({"max_price": {"prompt": 1, "request": 0, "image": 0}}, ["groq", "xai", "openrouter"]),
    ],
)
def test_routes_that_are_left(provider: dict[str, Any], left: list[str]) -> None:
    assert routes_of(**provider) == left


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ({"only": ["together"]}, "provider.only"),
        ({"ignore": ["groq"]}, "provider.ignore"),
        ({"order": ["xai"], "allow_fallbacks": False}, "provider.order"),
        ({"max_price": {"input": 0.49}}, "provider.max_price"),
        ({"max_price": {"completion": 1.4999, "output": 9}}, "provider.max_price"),
        ({"max_price": {"completion": 0}}, "provider.max_price"),
    ],
)
def test_preference_that_leaves_nothing_is_named(dialect: DialectName, provider: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        work_of(dialect, "alone", provider=provider)

    assert (refused.value.status, refused.value.code, refused.value.param) == (400, "no_matching_provider", param)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("provider", "param"),
    [
        ("groq", "provider"),
        ([], "provider"),
        ({"order": "groq"}, "provider.order"),
        ({"only": [1]}, "provider.only.0"),
        ({"only": [""]}, "provider.only.0"),
        ({"ignore": ["x"] * 101}, "provider.ignore"),
        ({"ignore": ["x" * 201]}, "provider.ignore.0"),
        ({"sort": "speed"}, "provider.sort"),
        ({"sort": {"by": "price"}}, "provider.sort"),
        ({"allow_fallbacks": "no"}, "provider.allow_fallbacks"),
        ({"max_price": 1}, "provider.max_price"),
        ({"max_price": {"input": -1}}, "provider.max_price.input"),
        ({"max_price": {"input": True}}, "provider.max_price.input"),
        ({"max_price": {"input": "nan"}}, "provider.max_price.input"),
        ({"max_price": {"input": "inf"}}, "provider.max_price.input"),
        ({"max_price": {"input": []}}, "provider.max_price.input"),
        ({"max_price": {"input": "1,5"}}, "provider.max_price.input"),
        ({"max_price": {"tokens": 1}}, "provider.max_price.tokens"),
    ],
    ids=str,
)
def test_malformed_preference_is_named(dialect: DialectName, provider: Any, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        work_of(dialect, provider=provider)

    assert (refused.value.status, refused.value.code) in [(400, "invalid_request_error"), (400, "unsupported_field")]
    assert param in refused.value.message


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("wish", [{"zdr": True}, {"data_collection": "deny"}, {"require_parameters": True}], ids=str)
def test_wish_that_openrouter_alone_understands_leads_there_in_every_dialect(
    dialect: DialectName, wish: dict[str, Any]
) -> None:
    (model,) = work_of(dialect, provider=wish).models

    assert [route.provider for route in model.routes] == ["openrouter"]
    sent = sent_to_openrouter(dialect=dialect, provider=wish)
    assert sent["provider"] == {**wish, "max_price": {"prompt": 0.5, "completion": 1.5}}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(("model", "wish"), [("alone", "zdr"), ("plain", "frob")])
def test_wish_that_no_route_understands_is_named_in_every_dialect(dialect: DialectName, model: str, wish: str) -> None:
    with pytest.raises(ApiError) as refused:
        work_of(dialect, model, provider={wish: True})

    assert (refused.value.code, refused.value.param) == ("unsupported_field", f"provider.{wish}")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_fallback_by_name_is_what_models_means_in_every_dialect(dialect: DialectName) -> None:
    work = work_of(dialect, "alone", models=["plain"], route="fallback")

    assert [model.id for model in work.models] == ["alone", "plain"]
    for model in work.models:
        assert all("route" not in work.request_for(model, route).json for route in model.routes)
    with pytest.raises(ApiError) as refused:
        work_of(dialect, "alone", route="sideways")
    assert (refused.value.code, refused.value.param) == ("invalid_request_error", "route")


def test_model_above_the_price_gives_way_to_its_fallback() -> None:
    work = work_of(model="dear", models=["plain"], provider={"max_price": {"input": 1}})

    assert [model.id for model in work.models] == ["plain"]


def test_dear_fallback_is_not_held_for() -> None:
    limited = work_of(models=["dear"], provider={"max_price": {"input": 1}})

    assert limited.estimate == work_of().estimate < work_of(models=["dear"]).estimate


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("provider", "passed"),
    [
        ({"only": ["openrouter"]}, None),
        ({"order": ["xai", "openrouter"]}, None),
        ({"max_price": {"input": 9}}, None),
        ({"order": ["xai", "together", "deepinfra"]}, {"order": ["together", "deepinfra"]}),
        ({"only": ["xai", "together"]}, {"only": ["together"]}),
        ({"ignore": ["groq", "azure"]}, {"ignore": ["groq", "azure"]}),
        ({"sort": "latency"}, {"sort": "latency"}),
        ({"order": ["together"], "allow_fallbacks": False}, {"order": ["together"], "allow_fallbacks": False}),
    ],
)
def test_openrouter_gets_what_means_its_own_providers(
    dialect: DialectName, provider: dict[str, Any], passed: dict[str, Any] | None
) -> None:
    sent = sent_to_openrouter(dialect=dialect, provider=provider)

    ours = {"max_price": {"prompt": 0.5, "completion": 1.5}}
    assert sent.get("provider") == (passed | ours if passed else None)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_openrouter_gets_what_it_alone_understands_and_others_are_left_out(dialect: DialectName) -> None:
    wished = {"zdr": True, "data_collection": "deny", "quantizations": ["fp8"]}

    assert [route.provider for route in work_of(dialect, provider=wished).models[0].routes] == ["openrouter"]
    assert wished.items() <= sent_to_openrouter(dialect=dialect, provider=wished)["provider"].items()


@pytest.mark.parametrize(
    "provider", [{"plugins": []}, {"preferred_max_latency": 1}, {"x": {}}, {"cache_control": {}}], ids=str
)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_wish_that_may_have_a_price_is_refused(dialect: DialectName, provider: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        sent_to_openrouter(dialect=dialect, provider=provider)

    assert (refused.value.status, refused.value.param) == (400, f"provider.{next(iter(provider))}")


def test_nobody_else_gets_preferences() -> None:
    work = work_of(provider={"order": ["together"], "sort": "price"})

    for route in work.models[0].routes:
        assert ("provider" in work.request_for(work.models[0], route).json) is (route.provider == "openrouter")


@pytest.mark.parametrize(("suffix", "sort"), [("nitro", "throughput"), ("floor", "price")])
def test_suffix_is_of_its_model_alone(suffix: str, sort: str) -> None:
    work = work_of(model=f"plain:{suffix}", models=["dear"])

    assert [work.preferences.sort_of(model.id) for model in work.models] == [sort, None]
    upstream_ids = [work.request_for(model, model.routes[-1]).json["model"] for model in work.models]
    assert upstream_ids == [f"openrouter-model:{suffix}", "openrouter-model"]


def test_suffix_lets_openrouter_take_nobody_dearer_than_the_model() -> None:
    assert sent_to_openrouter(model="plain:nitro")["provider"] == {"max_price": {"prompt": 0.5, "completion": 1.5}}


def test_model_with_and_without_suffix_is_one() -> None:
    assert [model.id for model in work_of(model="plain:nitro", models=["plain", "plain:floor"]).models] == ["plain"]


names = st.lists(st.sampled_from([*PROVIDERS, "together"]), max_size=4).map(tuple)


@given(order=names, only=names, ignore=names, fallbacks=st.booleans())
def test_preferences_never_add_or_double_a_route(
    order: tuple[str, ...], only: tuple[str, ...], ignore: tuple[str, ...], fallbacks: bool
) -> None:
    preferences = Preferences(order=order, only=only, ignore=ignore, allow_fallbacks=fallbacks)
    try:
        (model,) = preferred((PLAIN,), preferences)
    except ApiError as refused:
        assert (refused.status, refused.code) == (400, "no_matching_provider")
        return
    assert set(model.routes) <= set(PLAIN.routes)
    assert len(set(model.routes)) == len(model.routes)
    assert not {route.provider for route in model.routes} & set(ignore)


def test_no_preferences_change_nothing() -> None:
    models: tuple[Model, ...] = (PLAIN, DEAR)

    assert preferred(models, NO_PREFERENCES) is models
