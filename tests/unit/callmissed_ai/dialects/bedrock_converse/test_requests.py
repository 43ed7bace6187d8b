"""Requests of chat and messages for Converse, which botocore's own model of the API accepts."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from callmissed.errors import ApiError
from callmissed_ai.dialects.opening import open_dialect, open_upstream_dialect
from callmissed_ai.routing.refusals import is_about_our_account
from tests.support.inference.converse import redacted
from tests.support.inference.targets import target

CONVERSE = open_upstream_dialect("bedrock_converse")
CHAT = open_dialect("openai_chat")
MESSAGES = open_dialect("anthropic_messages")
SHAPE: Any = get_session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "amazon.nova-pro-v1:0"
GPT = "openai.gpt-oss-120b-1:0"
LLAMA = "meta.llama3-3-70b-instruct-v1:0"
HELLO = {"role": "user", "content": "Hello"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
SPEC = {"toolSpec": {"name": "weather", "inputSchema": {"json": {"type": "object"}}}}
SCHEMA = '{"type":"object","additionalProperties":false}'
PNG = "iVBORw0KGgo="


def accepted(body: Mapping[str, Any]) -> dict[str, Any]:
    """`body` as JSON, which must fit the API's model."""
    sent = json.loads(json.dumps(body))
    report = ParamValidator().validate(_decoded(sent) | {"modelId": "m"}, SHAPE)
    assert not report.has_errors(), report.generate_report()
    return sent


def _decoded(value: Any) -> Any:
    """`value` with its blobs as bytes, as botocore takes them."""
    if isinstance(value, list):
        return [_decoded(each) for each in value]
    if not isinstance(value, dict):
        return value
    blobs = ("bytes", "redactedContent")
    return {k: base64.b64decode(v, validate=True) if k in blobs else _decoded(v) for k, v in value.items()}


def from_chat(upstream_id: str = CLAUDE, *, cache_write: int | None = None, **fields: Any) -> dict[str, Any]:
    asked = CHAT.read_request({"model": "m", "messages": [HELLO], **fields})
    return accepted(CONVERSE.write_request(asked, target(upstream_id, cache_write=cache_write)))


def from_messages(upstream_id: str = CLAUDE, *, cache_write: int | None = None, **fields: Any) -> dict[str, Any]:
    asked = MESSAGES.read_request({"model": "m", "max_tokens": 100, "messages": [HELLO], **fields})
    return accepted(CONVERSE.write_request(asked, target(upstream_id, cache_write=cache_write)))


def calling(*ids: str) -> dict[str, Any]:
    calls = [{"id": each, "type": "function", "function": {"name": "weather", "arguments": "{}"}} for each in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str, content: str = "Rain") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def user(*blocks: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def refused(write: Any, *arguments: Any, **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as error:
        write(*arguments, **fields)
    assert error.value.status == 400
    return error.value


def test_everything_that_converse_has_is_carried() -> None:
    body = from_messages(
        system="Be kind.",
        temperature=0.5,
        top_k=5,
        stop_sequences=["END"],
        metadata={"user_id": "u-1"},
        output_config={"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        tools=[{"name": "weather", "description": "Of a town.", "input_schema": {"type": "object"}, "strict": True}],
        tool_choice={"type": "any"},
        stream=True,
    )

    spec = {**SPEC["toolSpec"], "description": "Of a town.", "strict": True}
    assert CONVERSE.addressed(body, target().model, CLAUDE, 77) == {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "system": [{"text": "Be kind."}],
        "inferenceConfig": {"temperature": 0.5, "stopSequences": ["END"], "maxTokens": 77},
        "toolConfig": {"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}},
        "outputConfig": {
            "effort": "high",
            "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": SCHEMA}}},
        },
        "additionalModelRequestFields": {"top_k": 5},
        "additionalModelResponseFieldPaths": ["/stop_sequence"],
        "requestMetadata": {"user": "u-1"},
    }


@pytest.mark.parametrize(
    ("upstream_id", "segment"),
    [
        (CLAUDE, "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"),
        (
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0",
            "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Ainference-profile%2Feu.amazon.nova-pro-v1%3A0",
        ),
    ],
)
def test_model_is_one_segment_of_the_path(upstream_id: str, segment: str) -> None:
    assert CONVERSE.upstream_path(upstream_id, streamed=False) == f"/model/{segment}/converse"
    assert CONVERSE.upstream_path(upstream_id, streamed=True) == f"/model/{segment}/converse-stream"


def test_16_results_are_one_turn_in_the_order_sent() -> None:
    body = from_chat(messages=[HELLO, calling("b", "a"), result("a"), result("b", "Sun"), HELLO], tools=[WEATHER])

    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "a", "content": [{"text": "Rain"}]}},
        {"toolResult": {"toolUseId": "b", "content": [{"text": "Sun"}]}},
        {"text": "Hello"},
    ]


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "weather"}}, {"tool": {"name": "weather"}}),
        (None, None),
    ],
)
def test_17_tools_come_with_their_choice(choice: Any, sent: Any) -> None:
    body = from_chat(LLAMA, tools=[WEATHER], tool_choice=choice)

    assert body["toolConfig"] == {"tools": [SPEC], **({"toolChoice": sent} if sent else {})}


def test_17_none_sends_no_tools_where_no_turn_used_any() -> None:
    assert "toolConfig" not in from_chat(LLAMA, tools=[WEATHER], tool_choice="none")


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("tool_choice", {"tools": [WEATHER], "tool_choice": "none"}),
        ("tools", {}),
        ("parallel_tool_calls", {"tools": [WEATHER], "parallel_tool_calls": False}),
    ],
)
def test_17_what_a_model_can_not_be_asked_is_refused(param: str, fields: dict[str, Any]) -> None:
    used = [HELLO, calling("a"), result("a")]

    assert refused(from_chat, LLAMA, messages=used, **fields).param == param


@pytest.mark.parametrize(
    ("fields", "choice"),
    [
        ({"tools": [WEATHER], "tool_choice": "none"}, {"type": "none"}),
        ({}, {"type": "none"}),
        ({"tools": [WEATHER], "parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {
                "tools": [WEATHER],
                "parallel_tool_calls": False,
                "tool_choice": {"type": "function", "function": {"name": "weather"}},
            },
            {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_17_claude_has_its_own_field(fields: dict[str, Any], choice: Any) -> None:
    body = from_chat(messages=[HELLO, calling("a"), result("a")], **fields)

    assert body["toolConfig"] == {"tools": [SPEC]}
    assert body["additionalModelRequestFields"] == {"tool_choice": choice}


def test_19_failed_result_is_marked_or_says_so() -> None:
    used = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    failed = {"type": "tool_result", "tool_use_id": "a", "is_error": True, "content": [{"type": "text", "text": "No"}]}
    fields: dict[str, Any] = {
        "messages": [HELLO, {"role": "assistant", "content": [used]}, *user(failed)],
        "tools": [{"name": "weather", "input_schema": {}}],
    }

    marked, worded = from_messages(**fields), from_messages(LLAMA, **fields)

    assert marked["messages"][2]["content"][0]["toolResult"]["status"] == "error"
    assert worded["messages"][2]["content"] == [{"toolResult": {"toolUseId": "a", "content": [{"text": "Error: No"}]}}]


def test_20_blank_texts_never_reach_the_upstream() -> None:
    parts = [{"type": "text", "text": text} for text in ("", " ", "Hi")]

    assert from_chat(messages=[{"role": "user", "content": parts}])["messages"][0]["content"] == [{"text": "Hi"}]
    assert refused(from_chat, messages=[{"role": "user", "content": " "}]).param == "messages.0"


def test_21_cache_marks_are_points_where_written_caches_have_a_price() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    fields: dict[str, Any] = {
        "system": [{"type": "text", "text": "Be kind.", **mark}],
        "messages": user({"type": "text", "text": "Hello", **mark}),
        "tools": [{"name": "weather", "input_schema": {}, **mark}],
    }
    point = {"cachePoint": {"type": "default"}}

    priced, unpriced = from_messages(cache_write=60, **fields), from_messages(**fields)

    assert priced["system"][1] == priced["messages"][0]["content"][1] == priced["toolConfig"]["tools"][1] == point
    assert "cachePoint" not in json.dumps(unpriced)


def test_21_mark_within_a_result_follows_the_result() -> None:
    text = {"type": "text", "text": "Rain", "cache_control": {"type": "ephemeral"}}
    used = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    body = from_messages(
        cache_write=60,
        messages=[
            HELLO,
            {"role": "assistant", "content": [used]},
            *user({"type": "text", "text": "Well?"}, {"type": "tool_result", "tool_use_id": "a", "content": [text]}),
        ],
        tools=[{"name": "weather", "input_schema": {}}],
    )

    assert body["messages"][2]["content"] == [
        {"toolResult": {"toolUseId": "a", "content": [{"text": "Rain"}]}},
        {"cachePoint": {"type": "default"}},
        {"text": "Well?"},
    ]


def test_22_signed_thoughts_go_back_to_claude_as_they_came() -> None:
    thoughts = [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"},
        {"type": "redacted_thinking", "data": "ZW5jcnlwdGVk"},
    ]
    turns = [HELLO, {"role": "assistant", "content": [*thoughts, {"type": "text", "text": "Yes"}]}, HELLO]

    claude, llama = from_messages(messages=turns), from_messages(LLAMA, messages=turns)

    assert claude["messages"][1]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2lnbmVk"}}},
        {"reasoningContent": {"redactedContent": redacted("ZW5jcnlwdGVk")}},
        {"text": "Yes"},
    ]
    assert llama["messages"][1]["content"] == [{"text": "Yes"}]


def test_open_turn_of_claude_can_not_be_continued_by_another_model() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}
    used = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    fields: dict[str, Any] = {
        "messages": [
            HELLO,
            {"role": "assistant", "content": [thought, used]},
            *user({"type": "tool_result", "tool_use_id": "a", "content": "Rain"}),
        ],
        "tools": [{"name": "weather", "input_schema": {}}],
    }

    assert from_messages(**fields)["messages"][1]["content"][0] == {
        "reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2lnbmVk"}}
    }
    assert refused(from_messages, NOVA, **fields).param == "messages.1.content.0"


PROFILE = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abcdef012345"


@pytest.mark.parametrize(
    ("upstream_id", "model_id", "sent"),
    [
        (PROFILE, "anthropic/claude-sonnet-4-5", {"top_k": 5}),
        (PROFILE, "house-nova", {"inferenceConfig": {"topK": 5}}),
        ("arn:aws:bedrock:eu-west-1:1:inference-profile/eu.amazon.nova-x", "claude", {"inferenceConfig": {"topK": 5}}),
        ("arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-x", "m", {"top_k": 5}),
    ],
)
def test_family_is_known_by_the_id_or_by_ours(upstream_id: str, model_id: str, sent: Any) -> None:
    asked = CHAT.read_request({"model": "m", "messages": [HELLO], "top_k": 5})

    body = CONVERSE.write_request(asked, target(upstream_id, model_id=model_id))

    assert body["additionalModelRequestFields"] == sent


def test_model_of_no_known_family_gets_signed_thoughts_back() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
    said = {"role": "assistant", "content": [thought, {"type": "text", "text": "Yes"}]}

    body = from_messages(PROFILE, messages=[HELLO, said, HELLO])

    assert "reasoningContent" in body["messages"][1]["content"][0]


def test_ids_of_calls_fit_and_stay_the_same_in_call_and_result() -> None:
    long = "call|" + "x" * 80
    body = from_chat(messages=[HELLO, calling(long), result(long)], tools=[WEATHER])

    (call,), (answer,) = body["messages"][1]["content"], body["messages"][2]["content"]
    assert call["toolUse"]["toolUseId"] == answer["toolResult"]["toolUseId"] != long


def test_images_are_bytes_with_a_format() -> None:
    inline = {"type": "image_url", "image_url": {"url": "data:image/jpg;base64,/9j/4AAQSkZJRg=="}}
    block = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}

    chat = from_chat(messages=[{"role": "user", "content": [inline]}])
    messages = from_messages(messages=user(block))

    assert chat["messages"][0]["content"] == [{"image": {"format": "jpeg", "source": {"bytes": "/9j/4AAQSkZJRg=="}}}]
    assert messages["messages"][0]["content"] == [{"image": {"format": "png", "source": {"bytes": PNG}}}]


@pytest.mark.parametrize("url", ["https://example.com/a.png", "data:image/tiff;base64,AAAA", "data:image/png,AAAA"])
def test_image_that_converse_does_not_take_is_refused(url: str) -> None:
    shown = {"type": "image_url", "image_url": {"url": url}}

    assert refused(from_chat, messages=[{"role": "user", "content": [shown]}]).param == "messages.0.content.0"


def test_image_by_url_is_no_refusal_where_it_will_be_inline() -> None:
    shown = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    asked = CHAT.read_request({"model": "m", "messages": [{"role": "user", "content": [shown]}]})

    CONVERSE.write_request(asked, replace(target(CLAUDE), awaits_media=True))


@pytest.mark.parametrize(("effort", "budget"), [("low", 1_024), ("high", 3_200)])
def test_effort_is_a_budget_for_a_model_that_thinks_by_budget(effort: str, budget: int) -> None:
    asked = CHAT.read_request({"model": "m", "messages": [HELLO], "reasoning_effort": effort})

    body = accepted(CONVERSE.write_request(asked, target(CLAUDE, thinks_by_budget=True)))

    assert body["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": budget}
    assert "outputConfig" not in body


def test_budget_gives_way_to_a_turn_without_its_thoughts() -> None:
    fields: dict[str, Any] = {
        "messages": [HELLO, calling("a"), result("a")],
        "tools": [WEATHER],
        "reasoning": {"max_tokens": 2_000},
    }

    assert "additionalModelRequestFields" not in from_chat(**fields)


def test_documents_have_plain_and_different_names() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": PNG}
    text = {"type": "text", "media_type": "text/plain", "data": "Hello"}
    blocks = [
        {"type": "document", "source": pdf, "title": "Täx  2026.pdf"},
        {"type": "document", "source": pdf, "title": "T x 2026 pdf", "context": "Of a year."},
        {"type": "document", "source": text},
    ]

    documents = [each["document"] for each in from_messages(messages=user(*blocks))["messages"][0]["content"]]

    assert [(each["format"], each["name"]) for each in documents] == [
        ("pdf", "T x 2026 pdf"),
        ("pdf", "T x 2026 pdf (2)"),
        ("txt", "Document"),
    ]
    assert documents[1]["context"] == "Of a year."
    assert base64.b64decode(documents[2]["source"]["bytes"]) == b"Hello"


@pytest.mark.parametrize(
    ("upstream_id", "effort", "sent"),
    [
        (CLAUDE, "max", {"thinking": {"type": "adaptive"}}),
        (CLAUDE, "none", {"thinking": {"type": "disabled"}}),
        (NOVA, "max", {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
        (NOVA, "none", {"reasoningConfig": {"type": "disabled"}}),
        (GPT, "minimal", {"reasoning_effort": "low"}),
        (LLAMA, "none", None),
    ],
)
def test_thinking_is_in_the_words_of_the_models_family(upstream_id: str, effort: str, sent: Any) -> None:
    body = from_chat(upstream_id, reasoning_effort=effort)

    assert body.get("additionalModelRequestFields") == sent
    assert body.get("outputConfig") == ({"effort": "max"} if (upstream_id, effort) == (CLAUDE, "max") else None)


@pytest.mark.parametrize(("budget", "effort"), [(200, "low"), (1_500, "medium"), (3_900, "high")])
def test_budget_is_a_share_of_the_limit_where_there_are_efforts(budget: int, effort: str) -> None:
    body = from_messages(GPT, thinking={"type": "enabled", "budget_tokens": budget})

    assert body["additionalModelRequestFields"] == {"reasoning_effort": effort}


@pytest.mark.parametrize(
    ("upstream_id", "sent"),
    [(CLAUDE, {"top_k": 5}), (NOVA, {"inferenceConfig": {"topK": 5}}), ("cohere.command-r-v1:0", {"k": 5})],
)
def test_top_k_is_where_the_models_family_has_it(upstream_id: str, sent: Any) -> None:
    assert from_chat(upstream_id, top_k=5)["additionalModelRequestFields"] == sent


@pytest.mark.parametrize(
    ("param", "upstream_id", "fields"),
    [
        ("top_k", LLAMA, {"top_k": 5}),
        ("reasoning", LLAMA, {"reasoning_effort": "high"}),
        ("response_format", CLAUDE, {"response_format": {"type": "json_object"}}),
        ("temperature", CLAUDE, {"temperature": 1.5}),
        ("n", CLAUDE, {"n": 2}),
        ("seed", CLAUDE, {"seed": 1}),
    ],
)
def test_what_converse_does_not_have_is_refused_by_name(param: str, upstream_id: str, fields: dict[str, Any]) -> None:
    assert refused(from_chat, upstream_id, **fields).param == param


def test_tools_with_longer_names_get_others() -> None:
    (tool,) = from_messages(tools=[{"name": "a" * 100, "input_schema": {}}])["toolConfig"]["tools"]

    assert len(tool["toolSpec"]["name"]) <= 64


def test_user_that_the_log_can_not_hold_has_another_name() -> None:
    (named,) = from_chat(user="ünal|1")["requestMetadata"].values()

    assert named.startswith("user_")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Input is too long for requested model.", "context_length_exceeded"),
        (
            "The model returned the following errors: prompt is too long: 9 > 8",
            "context_length_exceeded",
        ),
        ("Malformed input request: secret-detail", "invalid_request_error"),
    ],
)
def test_refusals_are_in_our_words(message: str, code: str) -> None:
    error = CONVERSE.refusal({"message": message})

    assert error.status == 400
    assert error.code == code
    assert "secret-detail" not in error.message


@pytest.mark.parametrize(
    "message",
    [
        "The provided model identifier is invalid.",
        "Invocation of model ID anthropic.x with on-demand throughput isn't supported.",
    ],
)
def test_refusals_of_our_model_ids_are_no_callers_fault(message: str) -> None:
    assert is_about_our_account({"message": message})
