"""An error names the caller's own field, whichever dialect refuses it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, DialectName, Model, ProviderRoute, ProviderSettings
from callmissed.errors import ApiError, invalid_request
from callmissed_ai.services.chat import parse
from callmissed_ai.services.conversations.work import ChatWork

DIALECTS: tuple[DialectName, ...] = ("openai_chat", "anthropic_messages", "openai_responses")
ROWS = {name: ProviderSettings(name, name, "https://host.test/v1") for name in DIALECTS}
ROUTES = {name: ProviderRoute(name, "upstream") for name in DIALECTS}
MODEL: Model = replace(load_catalog().models["anthropic/claude-sonnet-4.6"], id="lab", routes=(*ROUTES.values(),))
CATALOG = Catalog({"lab": MODEL}, ROWS)
HELLO = [{"role": "user", "content": "Hello"}]
REQUESTS: Mapping[DialectName, Mapping[str, Any]] = {
    "openai_chat": {"messages": HELLO},
    "anthropic_messages": {"messages": HELLO, "max_tokens": 9_000},
    "openai_responses": {"input": HELLO},
}
ANY_KEYS = {"type": "object", "additionalProperties": {"type": "string"}}
SYSTEM = [{"role": "system", "content": "Be kind."}]


def work_of(caller: DialectName, **fields: Any) -> ChatWork:
    body = {"model": "lab", **REQUESTS[caller], **fields}
    return parse(caller, CATALOG, body, len(json.dumps(body)))


@pytest.mark.parametrize(
    ("caller", "upstream", "param", "fields"),
    [
        ("openai_chat", "openai_responses", "stop", {"stop": ["x"]}),
        ("anthropic_messages", "openai_responses", "stop_sequences", {"stop_sequences": ["x"]}),
        ("anthropic_messages", "openai_responses", "top_k", {"top_k": 3}),
        ("openai_chat", "anthropic_messages", "stop", {"stop": [" "]}),
        ("openai_chat", "anthropic_messages", "response_format", {"response_format": {"type": "json_object"}}),
        ("openai_responses", "anthropic_messages", "text.format", {"text": {"format": {"type": "json_object"}}}),
        (
            "openai_responses",
            "anthropic_messages",
            "text.format",
            {"text": {"format": {"type": "json_schema", "name": "x", "schema": ANY_KEYS}}},
        ),
        ("openai_responses", "anthropic_messages", "input", {"input": SYSTEM}),
        ("openai_chat", "anthropic_messages", "messages", {"messages": SYSTEM}),
        ("openai_responses", "anthropic_messages", "temperature", {"temperature": 1.5}),
        (
            "anthropic_messages",
            "openai_chat",
            "messages.1",
            {"messages": [*HELLO, {"role": "assistant", "content": "And"}]},
        ),
    ],
)
def test_what_another_dialect_lacks(
    caller: DialectName, upstream: DialectName, param: str, fields: dict[str, Any]
) -> None:
    work = work_of(caller, **fields)

    for asked in (work.check_route, work.request_for):
        with pytest.raises(ApiError) as refused:
            asked(MODEL, ROUTES[upstream])
        assert (refused.value.status, refused.value.param) == (400, param)
        assert f"'{param}'" in refused.value.message


PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}}
FILE = {"type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}
SHOWN = {"type": "input_image", "image_url": "http://host.test/a.png", "detail": "auto"}


def called_twice(second: object, *more: object) -> dict[str, Any]:
    """Items with the results of two calls, and more."""
    calls = [{"type": "function_call", "call_id": each, "name": "f", "arguments": "{}"} for each in ("a", "b")]
    results = [{"type": "function_call_output", "call_id": "a", "output": "seen"}]
    return {"input": [*HELLO, *calls, *results, {**results[0], "call_id": "b", "output": second}, *more]}


def answered_twice(second: object, *more: object) -> dict[str, Any]:
    """Messages with the results of two calls, and more in the same message."""
    calls = [{"type": "tool_use", "id": each, "name": "f", "input": {}} for each in ("a", "b")]
    results = [{"type": "tool_result", "tool_use_id": "a", "content": "seen"}]
    answer = [*results, {**results[0], "tool_use_id": "b", "content": second}, *more]
    return {"messages": [*HELLO, {"role": "assistant", "content": calls}, {"role": "user", "content": answer}]}


TEXT = {"type": "text", "text": "See"}


@pytest.mark.parametrize(
    ("caller", "upstream", "param", "fields"),
    [
        ("openai_responses", "openai_chat", "input.4.output.1", called_twice([{**TEXT, "type": "input_text"}, FILE])),
        ("openai_responses", "anthropic_messages", "input.4.output.0", called_twice([SHOWN])),
        (
            "openai_responses",
            "anthropic_messages",
            "input.5.content.0",
            called_twice("x", {"role": "user", "content": [SHOWN]}),
        ),
        ("anthropic_messages", "openai_chat", "messages.2.content.1.content.1", answered_twice([TEXT, PDF])),
        ("anthropic_messages", "openai_chat", "messages.2.content.3", answered_twice([TEXT], TEXT, PDF)),
        (
            "openai_chat",
            "anthropic_messages",
            "messages.0.content.1",
            {
                "messages": [
                    {"role": "user", "content": [TEXT, {"type": "image_url", "image_url": {"url": "http://x"}}]}
                ]
            },
        ),
    ],
)
def test_part_that_another_dialect_lacks_has_its_own_place(
    caller: DialectName, upstream: DialectName, param: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(ApiError) as refused:
        work_of(caller, **fields).request_for(MODEL, ROUTES[upstream])

    assert (refused.value.status, refused.value.param) == (400, param)
    assert f"'{param}'" in refused.value.message


def test_name_of_another_dialect_stays_what_the_caller_wrote() -> None:
    with pytest.raises(ApiError) as refused:
        work_of("anthropic_messages", stop=["x"]).request_for(MODEL, ROUTES["openai_responses"])

    assert refused.value.param == "stop"


TOO_LONG = {"code": "context_length_exceeded", "message": "Too long."}


@pytest.mark.parametrize(
    ("upstream", "error", "params"),
    [
        ("openai_chat", TOO_LONG, ("messages", "messages", "input")),
        ("openai_responses", TOO_LONG, ("messages", "messages", "input")),
        ("anthropic_messages", {"message": "prompt is too long"}, ("messages", "messages", "input")),
        (
            "anthropic_messages",
            {"message": "adaptive thinking is not supported on this model"},
            ("reasoning_effort", "output_config.effort", "reasoning.effort"),
        ),
        (
            "anthropic_messages",
            {"message": "output_config.format.schema: no"},
            ("response_format", None, "text.format"),
        ),
        (
            "openai_chat",
            {"message": "No.", "param": "response_format"},
            ("response_format", "output_config.format", "text.format"),
        ),
        (
            "openai_responses",
            {"message": "No.", "param": "text.format.schema"},
            ("response_format", "output_config.format", "text.format.schema"),
        ),
        ("openai_chat", {"message": "No.", "param": "tools[0].function"}, ("tools[0].function", "tools", "tools")),
        ("openai_chat", {"message": "No.", "param": "stream_options"}, ("stream_options", None, None)),
        ("openai_chat", {"message": "No."}, (None, None, None)),
    ],
)
def test_refusal_of_an_upstream(upstream: DialectName, error: dict[str, Any], params: tuple[str | None, ...]) -> None:
    for caller, param in zip(DIALECTS, params, strict=True):
        refused = work_of(caller).refusal(ROUTES[upstream], error)

        assert (refused.status, refused.param) == (400, param), caller
        assert "(field" not in refused.message or param is None or f"(field '{param}')" in refused.message
        if caller != upstream and param is None:
            assert "(field" not in refused.message


@pytest.mark.parametrize(
    ("caller", "said", "param"),
    [
        ("openai_chat", "messages[0].content[1].image_url.url", "messages[0].content[1].image_url.url"),
        ("anthropic_messages", "messages[0].content[1].image_url.url", "messages"),
        ("openai_responses", "messages[0].content[1].image_url.url", "input"),
        ("openai_responses", "response_format.json_schema", "text.format"),
        ("anthropic_messages", "stop", "stop_sequences"),
        ("openai_responses", None, None),
    ],
)
def test_the_sandbox_names_the_callers_fields(caller: DialectName, said: str | None, param: str | None) -> None:
    refused = invalid_request(f"Invalid '{said}': no.", said)

    named = work_of(caller).in_callers_terms(ROUTES["openai_chat"], refused)

    assert (named.param, named.message) == (param, f"Invalid '{param}': no.")
