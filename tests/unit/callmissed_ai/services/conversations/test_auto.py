"""`auto`: capable free models in its place, at its price and under its name."""

from dataclasses import replace
from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, DialectName, Model
from callmissed.errors import ApiError
from callmissed_ai.routing.selection import servable
from callmissed_ai.services import chat
from callmissed_ai.services.conversations.auto import AUTO

CATALOG = load_catalog()
PRICE = CATALOG.models[AUTO].price
HELLO = {"role": "user", "content": "Hello"}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}


def work_of(
    dialect: DialectName = "openai_chat", *, catalog: Catalog = CATALOG, size: int = 1_000, **fields: Any
) -> Any:
    body = {"model": AUTO, "max_tokens": 50, "messages": [HELLO], **fields}
    return servable(chat.parse(dialect, catalog, body, size), lambda _provider: True)


def chosen(**fields: Any) -> list[Model]:
    return list(work_of(**fields).models)


def ids(**fields: Any) -> list[str]:
    return [model.id for model in chosen(**fields)]


def test_free_models_come_cheap_ones_first_and_the_own_route_last() -> None:
    models = chosen()

    costs = [price.input + price.output for model in models[:-1] if (price := CATALOG.models[model.id].price)]
    assert costs == sorted(costs)
    assert models[-1].id == AUTO
    assert {model.id for model in models} == {
        model.id
        for model in CATALOG.models.values()
        if model.free and model.category == "llm" and not model.realtime and model.id != "sandbox"
    } - {"gpt-5.5"}


def test_every_choice_has_the_price_and_the_name_of_auto() -> None:
    assert {(model.price, model.billed_id) for model in chosen()} == {(PRICE, AUTO)}
    assert work_of().model_id == AUTO


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic_messages"])
def test_images_go_to_models_that_see(dialect: DialectName) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBO"}
    block = {"role": "user", "content": [{"type": "image", "source": source}]}

    models = chosen(dialect=dialect, messages=[IMAGE if dialect == "openai_chat" else block])

    assert models
    assert all(model.supports_vision for model in models)


@pytest.mark.parametrize(
    ("lacks", "fields"),
    [
        ("supports_tools", {"tools": TOOLS}),
        ("supports_tools", {"functions": [{"name": "look"}]}),
        ("supports_json", {"response_format": SCHEMA}),
        ("supports_json", {"response_format": {"type": "json_object"}}),
        ("supports_streaming", {"stream": True}),
    ],
)
def test_model_that_lacks_what_is_asked_for_is_no_choice(lacks: str, fields: dict[str, Any]) -> None:
    lacking = replace(CATALOG.models["glm-5.2"], **{lacks: False})
    catalog = Catalog({**CATALOG.models, lacking.id: lacking}, CATALOG.providers)

    assert lacking.id in ids(catalog=catalog)
    assert lacking.id not in ids(catalog=catalog, **fields)


def test_responses_say_what_they_need_too() -> None:
    text = {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}
    work = chat.parse("openai_responses", CATALOG, {"model": AUTO, "input": "Hello", "text": text}, 1_000)

    assert not {"sarvam-30b", "sarvam-105b"} & {model.id for model in work.models}


def test_sarvam_is_no_choice_for_json() -> None:
    assert not {"sarvam-30b", "sarvam-105b"} & set(ids(response_format=SCHEMA))


def test_long_requests_go_to_long_windows_first() -> None:
    models = chosen(size=500_000, messages=[{"role": "user", "content": "x" * 500_000}])

    assert models[0].context_window == 1_048_576
    windows = [model.context_window or 0 for model in models[:-1]]
    assert windows == sorted(windows, reverse=True)


def test_limit_above_all_windows_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        work_of(max_tokens=2_000_000)

    assert (refused.value.status, refused.value.param) == (400, "model")


def test_fallback_to_auto_and_suffixes_work() -> None:
    assert ids(model="gpt-4o", models=[AUTO])[0] == "gpt-4o"
    work = work_of(model="auto:floor", provider={"max_price": {"input": 0.3, "output": 0.5}})
    assert len(work.models) > 5
    assert work.preferences.sort_of(AUTO) == "price"
    with pytest.raises(ApiError):
        work_of(provider={"max_price": {"input": 0.29}})


def test_model_without_a_provider_is_left_out_and_a_field_that_few_may_get_leaves_those() -> None:
    work = servable(
        chat.parse("openai_chat", CATALOG, {"model": AUTO, "messages": [HELLO]}, 99), lambda name: name == "groq"
    )
    assert [model.id for model in work.models] == ["gpt-oss-120b"]

    assert {route.provider for model in chosen(reasoning_format="hidden") for route in model.routes} == {"groq"}


def test_unknown_price_is_no_choice() -> None:
    assert "openrouter/auto" not in ids()
    assert "kimi-k2.5-fast" not in ids()
