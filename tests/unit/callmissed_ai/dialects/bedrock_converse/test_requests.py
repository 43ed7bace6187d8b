"""Requests of chat and messages for Converse, which botocore's own model of the API accepts."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.inference.converse_requests import (
    CHAT,
    CLAUDE,
    CONVERSE,
    HELLO,
    LLAMA,
    NOVA,
    PNG,
    PROFILE,
    SCHEMA,
    SPEC,
    WEATHER,
    calling,
    from_chat,
    from_messages,
    refused,
    result,
    user,
)
from tests.support.inference.targets import target


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


def test_documents_have_plain_and_different_names() -> None:
    pdf = {"type": "base64", "media_type": "application/pdf", "data": PNG}
    text = {"type": "text", "media_type": "text/plain", "data": "Hello"}
    blocks = [
        {"type": "document", "source": pdf, "title": "Täx  2026.pdf"},
        {"type": "document", "source": pdf, "title": "T x 2026 pdf", "context": "Of a year."},
        {"type": "document", "source": text},
    ]

    content = from_messages(messages=user(*blocks))["messages"][0]["content"]
    documents = [each["document"] for each in content if "document" in each]

    assert [(each["format"], each["name"]) for each in documents] == [
        ("pdf", "T x 2026 pdf"),
        ("pdf", "T x 2026 pdf (2)"),
        ("txt", "Document"),
    ]
    assert documents[1]["context"] == "Of a year."
    assert base64.b64decode(documents[2]["source"]["bytes"]) == b"Hello"


@pytest.mark.parametrize(("texts", "expected"), [((), ["See the document."]), (("Sum up",), ["Sum up"])])
def test_document_stands_beside_a_text(texts: tuple[str, ...], expected: list[str]) -> None:
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Hello"}}
    blocks = [document, *({"type": "text", "text": text} for text in texts)]

    content = from_messages(messages=user(*blocks))["messages"][0]["content"]

    assert [block["text"] for block in content if "text" in block] == expected


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
