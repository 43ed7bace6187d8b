"""Requests of the responses dialect: nothing is lost there and back, and what can't be carried is refused by name."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed_ai.dialects.opening import open_dialect
from tests.support.inference.responses import function_call, thought, written

CHAT = open_dialect("openai_chat")
MESSAGES = open_dialect("anthropic_messages")
RESPONSES = open_dialect("openai_responses")
HELLO = {"type": "message", "role": "user", "content": "Hello"}
TOOL = {"type": "function", "name": "weather", "description": "W", "parameters": {"type": "object"}, "strict": False}

texts = st.text(min_size=1, max_size=12)
words = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
statuses = st.sampled_from(["completed", "incomplete"])
pictures = st.builds(
    lambda url, detail: {"type": "input_image", "image_url": url, "detail": detail},
    st.sampled_from(["https://example.com/a.png", "data:image/png;base64,iVBO"]),
    st.sampled_from(["auto", "low", "high"]),
)
pages = st.builds(
    lambda name, data: {"type": "input_file", "filename": name, "file_data": f"data:application/pdf;base64,{data}"},
    words,
    st.sampled_from(["JVBE", "AAAA"]),
)
shown = st.builds(lambda text: {"type": "input_text", "text": text}, texts) | pictures | pages
several = st.lists(shown, min_size=2, max_size=3)
asked = st.builds(lambda content: {"type": "message", "role": "user", "content": content}, texts | several)
instructed = st.builds(
    lambda role, text: {"type": "message", "role": role, "content": text},
    st.sampled_from(["system", "developer"]),
    texts,
)
outputs = st.builds(lambda text: {"type": "output_text", "text": text, "annotations": []}, texts) | st.builds(
    lambda text: {"type": "refusal", "refusal": text}, texts
)


def results_of(call_id: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda output: {"type": "function_call_output", "call_id": call_id, "output": output}, texts | several
    )


@st.composite
def answers(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    """The items of a reply: reasoning, a message, calls with their results in any order."""
    items: list[dict[str, Any]] = []
    if draw(st.booleans()):
        summary = draw(st.lists(texts, max_size=3))
        items.append(thought(*summary, encrypted=draw(words), id=f"rs_{number}"))
    if draw(st.booleans()):
        phase = draw(st.sampled_from([{}, {"phase": "commentary"}, {"phase": "final_answer"}]))
        content = draw(st.lists(outputs, min_size=1, max_size=2))
        items.append(written(*content, id=f"msg_{number}", status=draw(statuses), **phase))
    ids = draw(st.lists(words, max_size=2, unique=True))
    items += [function_call(call_id, draw(words), "{}") for call_id in ids]
    return items + [draw(results_of(call_id)) for call_id in draw(st.permutations(ids))]


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Requests with everything that the dialect's own providers may get."""
    items = [*draw(st.lists(instructed, max_size=1)), draw(asked)]
    for number in range(draw(st.integers(0, 3))):
        items += [*draw(answers(number)), draw(asked)]
    options = {
        "instructions": texts,
        "temperature": st.sampled_from([0.0, 0.5, 2.0]),
        "top_p": st.just(0.5),
        "user": words,
        "prompt_cache_key": words,
        "stream": st.just(True),
        "text": st.fixed_dictionaries({"verbosity": st.sampled_from(["low", "high"]), "format": formats}),
        "reasoning": st.fixed_dictionaries({"effort": st.sampled_from(["low", "max"]), "summary": st.just("auto")}),
    }
    chosen = draw(st.fixed_dictionaries({}, optional=options))
    if draw(st.booleans()):
        chosen |= {"tools": [{**TOOL, "strict": draw(st.booleans() | st.none())}], "parallel_tool_calls": False}
        chosen["tool_choice"] = draw(st.sampled_from(["auto", "required", {"type": "function", "name": "weather"}]))
    return {"input": items, "include": ["reasoning.encrypted_content"], **chosen}


formats = st.just({"type": "json_object"}) | st.builds(
    lambda name, strict: {"type": "json_schema", "name": name, "schema": {"type": "object"}, "strict": strict},
    words,
    st.booleans(),
)


@given(request=requests())
def test_request_comes_back_as_it_was(request: dict[str, Any]) -> None:
    assert RESPONSES.write_request(RESPONSES.read_request({"model": "m", **request})) == request


@given(request=requests())
def test_neutral_values_and_untyped_messages_change_nothing(request: dict[str, Any]) -> None:
    untyped = [
        {name: value for name, value in item.items() if (name, value) != ("type", "message")}
        for item in request["input"]
    ]
    nothing: Mapping[str, Any] = {"background": False, "service_tier": "auto", "truncation": "disabled", "seed": None}

    found = RESPONSES.without_neutral_values({"model": "m", **request, **nothing, "input": untyped})

    assert found == {"model": "m", **request}
    assert list(RESPONSES.further_fields(found)) == [
        field for field in RESPONSES.further_fields(found) if field.name.endswith("input_file")
    ]


def read(**fields: Any) -> Any:
    return RESPONSES.read_request(RESPONSES.without_neutral_values({"model": "m", "input": "Hello", **fields}))


def refusal(**fields: Any) -> ApiError:
    """Why `ask`, or else the reader, refuses the request."""
    body = RESPONSES.without_neutral_values({"model": "m", "input": "Hello", **fields})
    with pytest.raises(ApiError) as refused:
        RESPONSES.ask(body, 100)
        RESPONSES.read_request(body)
    assert refused.value.status == 400
    return refused.value


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"include": ["file_search_call.results"]}, "include.0"),
        ({"include": ["message.output_text.logprobs"]}, "include.0"),
        ({"input": [HELLO, {"type": "item_reference", "id": "msg_1"}]}, "input.1.type"),
        (
            {"input": [{"type": "message", "role": "user", "content": [{"type": "input_audio"}]}]},
            "input.0.content.0.type",
        ),
        ({"input": [{"type": "web_search_call", "id": "ws_1"}]}, "input.0.type"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": "x"}]}]},
            "input.0.content.0",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0.file_id",
        ),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"seed": 1}, "seed"),
        ({"tool_choice": {"type": "mcp", "server_label": "x"}}, "tool_choice.type"),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "x"}]},
            },
            "tool_choice.tools.0.name",
        ),
        *(
            ({"tools": [{"type": kind}]}, "tools.0.type")
            for kind in (
                *("web_search", "file_search", "computer_use_preview", "mcp", "code_interpreter", "image_generation"),
                *("local_shell", "custom", "shell", "apply_patch", "tool_search", "namespace"),
            )
        ),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refusal(**fields).param == param


@pytest.mark.parametrize(
    "kind",
    ["web_search", "file_search", "computer_use_preview", "mcp", "code_interpreter", "image_generation", "custom"],
)
def test_hosted_tool_is_a_further_field_for_upstreams_of_the_dialect(kind: str) -> None:
    body = {"model": "m", "input": "Hello", "tools": [{"type": kind}]}

    assert [field.name for field in RESPONSES.further_fields(body)] == [f"tools.{kind}"]


def test_shorthand_items_and_nulls_are_read() -> None:
    call = {**function_call("a", "weather", "{}"), "namespace": None, "caller": None}
    turns = read(input=[{"role": "developer", "content": "Be kind."}, HELLO, call]).turns

    assert [turn.role for turn in turns] == ["system", "user", "assistant"]


def test_items_of_a_reply_are_one_turn() -> None:
    items = [HELLO, thought(), function_call("a", "weather", "{}"), function_call("b", "weather", "{}")]
    results = [{"type": "function_call_output", "call_id": each, "output": "sunny"} for each in ("b", "a")]

    turns = read(input=[*items, *results, written(), written(id="msg_2"), HELLO]).turns

    assert [turn.role for turn in turns] == ["user", "assistant", "user", "assistant", "assistant", "user"]
    assert [len(turn.parts) for turn in turns] == [1, 3, 2, 1, 1, 1]


def test_allowed_tools_are_those_on_offer() -> None:
    other = {**TOOL, "name": "other"}
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "other"}]}

    sent = CHAT.write_request(read(tools=[TOOL, other], tool_choice=allowed))

    assert [tool["function"]["name"] for tool in sent["tools"]] == ["other"]
    assert sent["tool_choice"] == "required"


def test_everything_that_chat_has_reaches_it() -> None:
    schema = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True, "description": "d"}
    sent = CHAT.write_request(
        read(
            instructions="Be kind.",
            tools=[TOOL],
            tool_choice={"type": "function", "name": "weather"},
            parallel_tool_calls=False,
            text={"format": schema, "verbosity": "low"},
            reasoning={"effort": "max", "summary": "auto"},
            temperature=0.5,
            top_p=0.5,
            safety_identifier="u",
            include=["reasoning.encrypted_content"],
            metadata={"a": "b"},
            stream=True,
        )
    )

    function = {name: value for name, value in TOOL.items() if name != "type"}
    assert sent == {
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": {"type": "function", "function": {"name": "weather"}},
        "parallel_tool_calls": False,
        "response_format": {"type": "json_schema", "json_schema": {n: v for n, v in schema.items() if n != "type"}},
        "verbosity": "low",
        "reasoning_effort": "max",
        "temperature": 0.5,
        "top_p": 0.5,
        "user": "u",
        "stream": True,
    }


def test_image_and_file_in_a_result_reach_messages() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,iVBO"}
    file = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,SGk="}
    result = {"type": "function_call_output", "call_id": "a", "output": [image, file]}

    sent = MESSAGES.write_request(read(input=[HELLO, function_call("a", "look", "{}"), result]))

    (block,) = sent["messages"][2]["content"]
    assert [inner["type"] for inner in block["content"]] == ["image", "document"]
    assert block["content"][1]["source"] == {"type": "text", "media_type": "text/plain", "data": "Hi"}


def test_chat_reaches_responses_whole() -> None:
    call = {"id": "functions.weather:0", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {
                "role": "user",
                "content": [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "u"}}],
            },
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "functions.weather:0", "content": "sunny"},
            {"role": "assistant", "content": "It is sunny.", "refusal": "No"},
        ],
        "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        "response_format": {"type": "json_object"},
        "reasoning_effort": "low",
        "prompt_cache_key": "k",
        "verbosity": "high",
    }

    sent = RESPONSES.write_request(CHAT.read_request(body))

    assert [item["type"] for item in sent["input"]] == [
        *("message", "message", "function_call", "function_call_output", "message")
    ]
    assert sent["input"][1]["content"][1] == {"type": "input_image", "image_url": "u", "detail": "auto"}
    assert sent["input"][2]["call_id"] == sent["input"][3]["call_id"] != "functions.weather:0"
    assert [part["type"] for part in sent["input"][4]["content"]] == ["output_text", "refusal"]
    assert sent["tools"][0] == {
        "type": "function",
        "name": "weather",
        "parameters": {"type": "object"},
        "strict": False,
    }
    assert sent["text"] == {"verbosity": "high", "format": {"type": "json_object"}}
    assert (sent["reasoning"], sent["prompt_cache_key"]) == ({"effort": "low"}, "k")


def test_19_failed_result_is_visible() -> None:
    used = {"type": "tool_use", "id": "a", "name": "weather", "input": {}}
    failed = {"type": "tool_result", "tool_use_id": "a", "is_error": True, "content": [{"type": "text", "text": "no"}]}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [used]},
        {"role": "user", "content": [failed]},
    ]

    sent = RESPONSES.write_request(MESSAGES.read_request({"model": "m", "max_tokens": 50, "messages": turns}))

    assert sent["input"][-1] == {"type": "function_call_output", "call_id": "a", "output": "Error: no"}


@pytest.mark.parametrize("fields", [{"stop_sequences": ["x"]}, {"top_k": 5}])
def test_what_responses_lack_is_refused(fields: dict[str, Any]) -> None:
    turns = [{"role": "user", "content": "Hi"}]

    with pytest.raises(ApiError):
        RESPONSES.write_request(MESSAGES.read_request({"model": "m", "max_tokens": 50, "messages": turns, **fields}))


def test_tokens_are_counted_without_media_and_ids() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 50_000}
    content = [{"type": "input_text", "text": "Hello"}, image]
    body = {"model": "m", "input": [{"type": "message", "role": "user", "content": content}], "tools": [TOOL]}

    counted = RESPONSES.count(body, None)

    assert 258 < counted < 320
    assert RESPONSES.count(body, 10) == 10
    assert RESPONSES.estimate(body) == counted
    size = len(json.dumps(body))
    assert 6_000 < RESPONSES.ask(body, size).input_tokens < 8_000
    assert RESPONSES.ask(body, size).has_images
