"""Fields that may change an upstream's price: closed at every depth unless a row admits them."""

from dataclasses import replace
from typing import Any

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, Model, ProviderRoute
from callmissed.catalog.prices import token_price
from callmissed.errors import ApiError
from callmissed_ai.dialects.openai_chat.fields import REQUEST
from callmissed_ai.services import chat, embeddings
from callmissed_ai.services.conversations.work import ChatWork

BUILT_IN = load_catalog()
PLAIN = replace(
    BUILT_IN.models["sandbox"],
    id="plain",
    routes=(ProviderRoute("groq", "a"), ProviderRoute("xai", "b")),
    price=token_price(50, 150),
)
HELLO = {"role": "user", "content": "Hello"}
TEXT = {"type": "text", "text": "Hello"}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "It.", "parameters": {"x": 1}}}
MARK = {"type": "ephemeral"}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [HELLO, {"role": "user", "content": list(parts)}]}


def catalog_of(*models: Model, **unpriced: set[str]) -> Catalog:
    rows = {
        name: replace(row, unpriced_fields=frozenset(), quirks=frozenset()) for name, row in BUILT_IN.providers.items()
    }
    rows |= {name: replace(rows[name], unpriced_fields=frozenset(fields)) for name, fields in unpriced.items()}
    return Catalog({model.id: model for model in models}, rows)


CATALOG = catalog_of(PLAIN)


def parsed(catalog: Catalog = CATALOG, **fields: Any) -> ChatWork:
    return chat.parse("openai_chat", catalog, {"model": "plain", "messages": [HELLO], **fields}, 1_000)


def refused_param(catalog: Catalog = CATALOG, **fields: Any) -> str | None:
    with pytest.raises(ApiError) as refused:
        parsed(catalog, **fields)
    assert (refused.value.status, refused.value.code) == (400, "unsupported_field")
    assert len(refused.value.message) < 500
    return refused.value.param


PRICED: list[tuple[str, dict[str, Any]]] = [
    ("service_tier", {"service_tier": "priority"}),
    ("service_tier", {"service_tier": "flex"}),
    ("web_search_options", {"web_search_options": {}}),
    ("plugins", {"plugins": [{"id": "web"}]}),
    ("plugins", {"plugins": ["web"]}),
    ("preset", {"preset": "dear"}),
    ("best_of", {"best_of": 20}),
    ("num_return_sequences", {"num_return_sequences": 5}),
    ("modalities", {"modalities": ["text", "audio"]}),
    ("modalities", {"modalities": ["audio"]}),
    ("audio", {"audio": {"voice": "alloy", "format": "wav"}}),
    ("provider.zdr", {"provider": {"zdr": True}}),
    ("provider.preferred_min_throughput", {"provider": {"preferred_min_throughput": 9}}),
    ("prediction", {"prediction": {"type": "content", "content": "x"}}),
    ("moderation", {"moderation": {"model": "omni-moderation-latest"}}),
    ("transforms", {"transforms": ["middle-out"]}),
    ("extra_body", {"extra_body": {"service_tier": "priority"}}),
    ("max_output_tokens", {"max_output_tokens": 100_000}),
    ("max_new_tokens", {"max_new_tokens": 100_000}),
    ("search_parameters", {"search_parameters": {"mode": "on"}}),
    ("enable_search", {"enable_search": True}),
    ("data_sources", {"data_sources": []}),
    ("x" * 120, {"x" * 5_000: 1}),
    ("prompt_cache_retention", {"prompt_cache_retention": "24h"}),
    ("prompt_cache_options", {"prompt_cache_options": {"mode": "explicit"}}),
    ("cache_control", {"cache_control": MARK}),
    ("stream_options.include_cost", {"stream": True, "stream_options": {"include_cost": True}}),
    ("reasoning.tier", {"reasoning": {"effort": "low", "tier": 2}}),
    ("response_format.type", {"response_format": {"type": "audio"}}),
    ("response_format.voice", {"response_format": {"type": "text", "voice": "alloy"}}),
    ("response_format.json_schema.x", {"response_format": {"type": "json_schema", "json_schema": {"x": 1}}}),
    ("tools.1.type", {"tools": [WEATHER, {"type": "web_search"}]}),
    ("tools.0.type", {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]}),
    ("tools.0.type", {"tools": [{"google_search": {}}]}),
    ("tools.0.type", {"tools": [{"type": ["function"]}]}),
    ("tools.0.web_search", {"tools": [WEATHER | {"web_search": {}}]}),
    ("tools.0.function.hosted", {"tools": [{"type": "function", "function": {"name": "x", "hosted": True}}]}),
    ("tools.0.cache_control", {"tools": [WEATHER | {"cache_control": MARK}]}),
    ("tool_choice.type", {"tools": [WEATHER], "tool_choice": {"type": "web_search"}}),
    ("messages.0.audio", {"messages": [HELLO | {"audio": {"id": "audio_1"}}]}),
    ("messages.0.images", {"messages": [HELLO | {"images": [{}]}]}),
    ("messages.0.cache_control", {"messages": [HELLO | {"cache_control": MARK}]}),
    ("messages.0.tool_calls.0.hosted", {"messages": [HELLO | {"tool_calls": [{"id": "1", "hosted": {}}]}]}),
    ("messages.1.content.0.type", user({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}})),
    ("messages.1.content.1.type", user(TEXT, {"type": "file", "file": {"file_id": "file-1"}})),
    ("messages.1.content.0.type", user({"type": "video_url", "video_url": {"url": "x"}})),
    ("messages.1.content.0.file", user(TEXT | {"file": {}})),
    (
        "messages.1.content.0.image_url.max_pixels",
        user({"type": "image_url", "image_url": {"url": "", "max_pixels": 9}}),
    ),
    ("messages.1.content.0.cache_control", user(TEXT | {"cache_control": MARK})),
    ("messages.1.content.0.cache_control", user(TEXT | {"cache_control": "1h"})),
    ("store", {"store": {"hosted": True}}),
    ("verbosity", {"verbosity": [{"hosted": True}]}),
    ("reasoning.effort", {"reasoning": {"effort": {"hosted": True}}}),
    ("messages.0.name", {"messages": [HELLO | {"name": [{"hosted": True}]}]}),
    ("messages.0.tool_calls.0.id", {"messages": [HELLO | {"tool_calls": [{"id": {"hosted": True}}]}]}),
    ("messages.1.content.0.text", user(TEXT | {"text": [{"type": "video_url", "video_url": {"url": "x"}}]})),
    ("messages.1.content.0.image_url.url", user({"type": "image_url", "image_url": {"url": {"hosted": True}}})),
    ("tools.0.function.name", {"tools": [{"type": "function", "function": {"name": {"hosted": True}}}]}),
    ("messages.1.content.0.prompt_cache_breakpoint", user(TEXT | {"prompt_cache_breakpoint": {"mode": "explicit"}})),
]


@pytest.mark.parametrize(("param", "fields"), PRICED, ids=[f"{name[:40]} {i}" for i, (name, _) in enumerate(PRICED)])
def test_field_that_may_be_priced_is_refused_by_name(param: str, fields: dict[str, Any]) -> None:
    assert refused_param(**fields) == param


NEUTRAL = {
    "service_tier": ("auto", "default"),
    "modalities": (["text"],),
    "plugins": ([],),
    "best_of": (1,),
    "num_return_sequences": (1,),
    "transforms": ([],),
    "prompt_cache_retention": ("in_memory",),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name, values in NEUTRAL.items() for value in (None, *values)]
    + [(name, None) for name in ("web_search_options", "audio", "prediction", "provider", "x_unknown")],
)
def test_value_that_says_nothing_is_left_out(name: str, value: object) -> None:
    fields: dict[str, Any] = {name: value}
    work = parsed(**fields)

    assert work.models == (PLAIN,)
    assert name not in work.request_for(PLAIN, PLAIN.routes[0]).json


OPEN: list[dict[str, Any]] = [
    {"temperature": 1, "top_p": 1, "top_k": 5, "min_p": 0.1, "seed": 1, "stop": ["x"], "logit_bias": {"1": 1}},
    {"logprobs": True, "top_logprobs": 2, "frequency_penalty": 1, "presence_penalty": 1, "repetition_penalty": 1},
    {"metadata": {"any": "thing"}, "store": False, "user": "u", "safety_identifier": "s", "prompt_cache_key": "k"},
    {"verbosity": "low", "reasoning_effort": "max", "reasoning": {"effort": "low"}},
    {"functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}},
    {"tools": [WEATHER, {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}}]},
    {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False},
    {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"any": 1}, "strict": True}}},
    {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
    user(TEXT, {"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}}),
    {
        "messages": [
            HELLO | {"name": "n", "audio": None, "function_call": None},
            {"role": "assistant", "content": None, "refusal": None, "annotations": [{"any": {"thing": 1}}]},
            {"role": "assistant", "content": "Hi", "extra_content": {"google": {"thought_signature": "x"}}},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": [TEXT], "closed": True}, TEXT]},
            {"role": "assistant", "reasoning_content": "Hm.", "reasoning_details": [{"any": ["thing"]}]},
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": "1",
                        "type": "function",
                        "function": {"name": "f", "arguments": {"any": [{"thing": 1}]}},
                        "extra_content": {"google": {"thought_signature": "x"}},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ]
    },
]


@pytest.mark.parametrize("fields", OPEN, ids=lambda fields: " ".join(fields)[:60])
def test_field_that_leaves_the_price_unchanged_reaches_the_upstream(fields: dict[str, Any]) -> None:
    sent = parsed(**fields).request_for(PLAIN, PLAIN.routes[0]).json

    assert {name: sent[name] for name in fields if name != "stream_options"} == {
        name: value for name, value in fields.items() if name != "stream_options"
    }


SCHEMA = {"name": "x", "schema": {"type": "object"}}


@pytest.mark.parametrize("strict", [{}, {"strict": False}, {"strict": True}])
def test_structured_outputs_make_the_schema_strict(strict: dict[str, bool]) -> None:
    wanted = {"type": "json_schema", "json_schema": {**SCHEMA, **strict}}

    sent = parsed(structured_outputs=True, response_format=wanted).request_for(PLAIN, PLAIN.routes[0]).json

    assert sent["response_format"] == {"type": "json_schema", "json_schema": {**SCHEMA, "strict": True}}
    assert "structured_outputs" not in sent


@pytest.mark.parametrize("given", [False, None])
def test_structured_outputs_may_be_off(given: bool | None) -> None:
    wanted = {"type": "json_schema", "json_schema": SCHEMA}

    sent = parsed(structured_outputs=given, response_format=wanted).request_for(PLAIN, PLAIN.routes[0]).json

    assert sent["response_format"] == wanted
    assert "structured_outputs" not in sent


@pytest.mark.parametrize(
    "fields",
    [
        {"structured_outputs": True},
        {"structured_outputs": True, "response_format": {"type": "json_object"}},
        {"structured_outputs": True, "response_format": {"type": "json_schema", "json_schema": "x"}},
        {"structured_outputs": True, "response_format": []},
        {"structured_outputs": {"json": {}}},
        {"structured_outputs": 1},
        {"structured_outputs": "true"},
    ],
)
def test_structured_outputs_without_a_schema_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        parsed(**fields)

    assert (refused.value.status, refused.value.param) == (400, "structured_outputs")


def test_every_field_of_the_sdk_is_decided() -> None:
    decided = {name for name, _ in PRICED} | NEUTRAL.keys() | REQUEST.fields

    assert CompletionCreateParamsStreaming.__annotations__.keys() <= decided


def test_field_narrows_a_model_to_the_routes_that_admit_it() -> None:
    catalog = catalog_of(PLAIN, xai={"preset", "messages.prefix", "tools.web_search", "messages.content.file"})
    fields = {"preset": "x", "messages": [HELLO | {"prefix": True}], "tools": [{"type": "web_search"}]}

    work = parsed(catalog, **fields)

    assert work.models[0].routes == (PLAIN.routes[1],)
    assert work.request_for(work.models[0], PLAIN.routes[1]).json["preset"] == "x"
    assert parsed(catalog).models == (PLAIN,)


def test_fields_that_no_one_route_admits_together_are_refused() -> None:
    catalog = catalog_of(PLAIN, xai={"preset"}, groq={"top_a"})

    assert refused_param(catalog, preset="x", top_a=1) == "top_a"


def test_fallback_without_a_route_that_admits_the_field_is_left_out_unless_all_are() -> None:
    other = replace(PLAIN, id="other", routes=(ProviderRoute("zai", "c"),))
    catalog = catalog_of(PLAIN, other, xai={"preset"})

    assert [model.id for model in parsed(catalog, models=["other"], preset="x").models] == ["plain"]
    assert [model.id for model in parsed(catalog, model="other", models=["plain"], preset="x").models] == ["plain"]
    assert refused_param(catalog_of(PLAIN, other, groq=set()), models=["other"], preset="x") == "preset"


def test_model_with_a_price_for_cache_writes_admits_marks_of_the_usual_lifetime() -> None:
    priced = replace(PLAIN, price=token_price(50, 150, None, 60))
    catalog = catalog_of(priced)

    for mark in (MARK, MARK | {"ttl": "5m"}):
        part = TEXT | {"cache_control": mark}
        assert parsed(catalog, **user(part)).models == (priced,)
    assert parsed(catalog, prompt_cache_retention="24h").models == (priced,)
    for dear in (MARK | {"ttl": "1h"}, "1h", [MARK | {"ttl": "1h"}]):
        assert refused_param(catalog, **user(TEXT | {"cache_control": dear})) == "messages.1.content.0.cache_control"


def test_cache_writes_are_in_the_estimate() -> None:
    body = {"model": "plain", "messages": [HELLO], "max_tokens": 1}
    plain = chat.parse("openai_chat", catalog_of(PLAIN), body, 10_000)
    priced = chat.parse("openai_chat", catalog_of(replace(PLAIN, price=token_price(50, 150, None, 100))), body, 10_000)

    assert plain.estimate < priced.estimate <= 2 * plain.estimate


def test_further_field_of_embeddings_needs_a_row_that_admits_it() -> None:
    body = {"model": "text-embedding-3-small", "input": "Hello", "user": None, "truncate": None}
    assert "truncate" not in embeddings.parse(BUILT_IN, body, 0).body

    with pytest.raises(ApiError) as refused:
        embeddings.parse(BUILT_IN, body | {"input_type": "query"}, 0)
    assert (refused.value.code, refused.value.param) == ("unsupported_field", "input_type")

    openai = replace(BUILT_IN.providers["openai"], unpriced_fields=frozenset({"input_type"}))
    admitting = Catalog(BUILT_IN.models, {**BUILT_IN.providers, "openai": openai})
    work = embeddings.parse(admitting, body | {"input_type": "query"}, 0)
    assert [route.provider for route in work.model.routes] == ["openai"]


def test_transforms_reach_openrouter_alone() -> None:
    kimi = BUILT_IN.models["kimi-k2.5"]
    work = parsed(BUILT_IN, model=kimi.id, transforms=["middle-out"])

    (route,) = work.models[0].routes
    assert route.provider == "openrouter"
    assert work.request_for(kimi, route).json["transforms"] == ["middle-out"]
    assert refused_param(BUILT_IN, model="sarvam-30b", transforms=["middle-out"]) == "transforms"
