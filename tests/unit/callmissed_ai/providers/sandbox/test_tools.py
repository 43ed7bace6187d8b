import json
from typing import Any

import pytest


def function(name: str, description: str = "", strict: bool | None = None, **properties: Any) -> dict[str, Any]:
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    described = {"name": name, "description": description, "parameters": parameters, "strict": strict}
    return {"type": "function", "function": described}


TEXT = {"type": "string"}
WEATHER = function("get_weather", "Current temperature and forecast of a town", city=TEXT)
BOOK = function("book_table", "Reserve seats in a restaurant", guests={"type": "integer"}, restaurant=TEXT)
CLOCK = function("get_time", "Local hour", city=TEXT)


def called(reply: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    (choice,) = reply["choices"]
    calls = choice["message"].get("tool_calls", [])
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    assert all(call["type"] == "function" and call["id"].startswith("call_") for call in calls)
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("What's the weather in Paris?", [("get_weather", {"city": "Paris"})]),
        ("what's the weather in paris", [("get_weather", {"city": "paris"})]),
        ("Please run GET_WEATHER for New Delhi", [("get_weather", {"city": "New Delhi"})]),
        ("Any forecast, any temperature near Oslo?", [("get_weather", {"city": "Oslo"})]),
        ("Book me a table for 4 at “Chez Ami”.", [("book_table", {"guests": 4, "restaurant": "Chez Ami"})]),
        ("Hello, who are you?", []),
        ("The forecast of love", []),
    ],
)
async def test_auto_calls_what_the_message_speaks_of(sandbox, prompt, expected):
    assert called(await sandbox.ask(prompt, tools=[WEATHER, BOOK])) == expected


async def test_a_message_that_names_two_functions_calls_both(sandbox):
    prompt = "Weather and time in Rome, please"
    assert called(await sandbox.ask(prompt, tools=[WEATHER, BOOK, CLOCK])) == [
        ("get_weather", {"city": "Rome"}),
        ("get_time", {"city": "Rome"}),
    ]
    alone = await sandbox.ask(prompt, tools=[WEATHER, BOOK, CLOCK], parallel_tool_calls=False)
    assert called(alone) == [("get_weather", {"city": "Rome"})]


async def test_schemas_of_all_calls_share_one_limit(sandbox):
    long = {"type": "string", "description": "x" * 20_000}
    many = [function(f"get_{name}", city=long) for name in ("snow", "rain", "wind", "frost", "storm", "tide")]
    prompt = " ".join(each["function"]["name"] for each in many)

    assert len(called(await sandbox.ask(prompt, tools=many[:3]))) == 3
    error = await sandbox.refusal(prompt, tools=many)
    assert error["code"] == "invalid_function_parameters"
    assert "the schemas of all calls are longer than 100000 bytes" in error["message"]


async def test_ids_of_calls_differ(sandbox):
    reply = await sandbox.ask("Weather and time", tools=[WEATHER, CLOCK], n=2)
    ids = [call["id"] for choice in reply["choices"] for call in choice["message"]["tool_calls"]]
    assert len(set(ids)) == 4


async def test_none_never_calls(sandbox):
    reply = await sandbox.ask("get_weather!", tools=[WEATHER], tool_choice="none")
    assert called(reply) == []
    assert "No function is called, of 1 on offer (get_weather)" in reply["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "book_table"}}], ids=["required", "named"]
)
async def test_required_and_named_always_call(sandbox, choice):
    ((name, arguments),) = called(await sandbox.ask("Hello", tools=[BOOK, WEATHER], tool_choice=choice))
    assert name == "book_table"
    assert isinstance(arguments["guests"], int)
    assert arguments["restaurant"]


async def test_content_is_null_beside_calls(sandbox):
    reply = await sandbox.ask("weather", tools=[WEATHER])
    assert reply["choices"][0]["message"]["content"] is None


def after_a_call(*more: dict[str, Any]) -> list[dict[str, Any]]:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'}}
    return [
        {"role": "user", "content": "What's the weather in Rome?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"celsius": 21}'},
        *more,
    ]


async def test_answers_from_the_tool_result_instead_of_calling_again(sandbox):
    reply = await sandbox.ask(messages=after_a_call(), tools=[WEATHER])
    assert called(reply) == []
    assert 'A tool answered: “{"celsius": 21}”' in reply["choices"][0]["message"]["content"]


async def test_calls_again_for_the_next_question(sandbox):
    further = [{"role": "assistant", "content": "21."}, {"role": "user", "content": "And the weather in Oslo?"}]
    assert called(await sandbox.ask(messages=after_a_call(*further), tools=[WEATHER])) == [
        ("get_weather", {"city": "Oslo"})
    ]


async def test_structured_replies_take_values_from_the_tool_result(sandbox):
    schema = {"type": "object", "properties": {"celsius": {"type": "integer"}, "city": TEXT}}
    wanted = {"type": "json_schema", "json_schema": {"name": "report", "schema": schema}}
    reply = await sandbox.ask(messages=after_a_call(), tools=[WEATHER], response_format=wanted)
    assert json.loads(reply["choices"][0]["message"]["content"]) == {"celsius": 21, "city": "Rome"}


async def test_arguments_are_cut_by_the_limit(sandbox):
    whole = await sandbox.ask("weather in Rome", tools=[WEATHER])
    reply = await sandbox.ask("weather in Rome", tools=[WEATHER], max_tokens=5)
    (choice,) = reply["choices"]
    assert choice["finish_reason"] == "length"
    complete = whole["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    cut = choice["message"]["tool_calls"][0]["function"]["arguments"]
    assert complete.startswith(cut)
    assert cut != complete
    assert reply["usage"]["completion_tokens"] == 5
    none = await sandbox.ask("weather in Rome", tools=[WEATHER], max_tokens=1)
    assert none["choices"][0]["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "annotations": [],
    }


async def test_a_function_without_parameters(sandbox):
    ping = {"type": "function", "function": {"name": "ping"}}
    assert called(await sandbox.ask("ping", tools=[ping])) == [("ping", {})]


async def test_tools_count_as_prompt(sandbox):
    plain, offered = await sandbox.ask("Hello"), await sandbox.ask("Hello", tools=[WEATHER])
    assert offered["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"] + 20


async def test_optional_arguments_are_given_when_the_message_speaks_of_them(sandbox):
    tool = function("get_weather", city=TEXT, unit={"enum": ["celsius", "fahrenheit"]}, days={"type": "integer"})
    tool["function"]["parameters"]["required"] = ["city"]
    assert called(await sandbox.ask("weather in Rome", tools=[tool])) == [("get_weather", {"city": "Rome"})]
    assert called(await sandbox.ask("weather in Rome in Fahrenheit", tools=[tool])) == [
        ("get_weather", {"city": "Rome", "unit": "fahrenheit"})
    ]
    assert called(await sandbox.ask("weather in Rome, days: 3", tools=[tool])) == [
        ("get_weather", {"city": "Rome", "days": 3})
    ]


@pytest.mark.parametrize(
    ("parameters", "strict", "part"),
    [
        ({"type": "string"}, None, "schema must be a JSON Schema of 'type: \"object\"', got 'type: \"string\"'"),
        ({"type": "object", "properties": {}}, True, "'additionalProperties' is required to be supplied"),
        (
            {"type": "object", "properties": {"a": TEXT}, "additionalProperties": False},
            True,
            "every key in properties. Missing 'a'",
        ),
        (
            {"type": "object", "properties": {"a": TEXT}, "required": 5, "additionalProperties": False},
            True,
            "every key in properties. Missing 'a'",
        ),
        ({"type": "object", "properties": None, "additionalProperties": False}, True, "None is not of type 'object'"),
        (
            {"type": "object", "properties": {"weather": {"type": "wether"}}},
            None,
            "'wether' is not valid under any of the given schemas",
        ),
        ({"type": "object", "required": ["a"], "properties": {"a": False}}, None, "no value fits"),
    ],
)
async def test_wrong_parameters_are_refused_by_name(sandbox, parameters, strict, part):
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": parameters, "strict": strict}}
    error = await sandbox.refusal("weather", tools=[tool])
    assert "Invalid schema for function 'get_weather'" in error["message"]
    assert part in error["message"]
    assert (error["param"], error["code"]) == ("tools[0].function.parameters", "invalid_function_parameters")
