"""The OpenAI SDK for Python: chat completions."""

import json
from typing import Any

import openai
from harness import PNG, WEATHER, Setting, expect, run
from pydantic import BaseModel

TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER, "strict": True}}
TIME: Any = {"type": "function", "function": {"name": "get_time", "parameters": WEATHER}}
CITY: Any = {"role": "user", "content": "Call get_weather for the city Pune"}


class City(BaseModel):
    """A structured reply."""

    city: str
    population: int


def client(setting: Setting) -> openai.OpenAI:
    """A client of the API that retries nothing."""
    return openai.OpenAI(base_url=f"{setting.origin}/v1", api_key=setting.key, max_retries=0, timeout=30)


def create(setting: Setting, *messages: Any, **fields: Any) -> Any:
    """A completion."""
    asked: Any = {"model": setting.model, "messages": list(messages), **fields}
    return client(setting).chat.completions.create(**asked)


def user(text: str) -> Any:
    """A message of the user."""
    return {"role": "user", "content": text}


def text(setting: Setting) -> None:
    reply = create(setting, {"role": "system", "content": "Be kind"}, user("Hello"), max_completion_tokens=100)
    expect(reply.choices[0].message.content == "You said: Hello My instructions are: Be kind", reply)
    expect((reply.choices[0].finish_reason, reply.object) == ("stop", "chat.completion"), reply)


def stream(setting: Setting) -> None:
    with client(setting).chat.completions.stream(
        model=setting.model, messages=[user("Hello")], stream_options={"include_usage": True}
    ) as events:
        reply = events.get_final_completion()
    expect(reply.choices[0].message.content == "You said: Hello", reply)
    expect(reply.usage and reply.usage.completion_tokens == 3, reply)


def conversation(setting: Setting) -> None:
    reply = create(setting, user("One"), {"role": "assistant", "content": "Yes"}, user("Two"))
    expect(reply.choices[0].message.content == "You said: Two", reply)


def tools(setting: Setting) -> None:
    first = create(setting, CITY, tools=[TOOL]).choices[0]
    (call,) = first.message.tool_calls
    expect((first.finish_reason, call.function.name) == ("tool_calls", "get_weather"), first)
    expect(json.loads(call.function.arguments) == {"city": "Pune"}, first)
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    last = create(setting, CITY, first.message.model_dump(exclude_none=True), result, tools=[TOOL])
    expect(last.choices[0].message.content == "The tools say: sunny", last)


def parallel_tools(setting: Setting) -> None:
    both = user("Call get_weather and get_time for the city Pune")
    first = create(setting, both, tools=[TOOL, TIME]).choices[0].message
    results = [{"role": "tool", "tool_call_id": each.id, "content": each.function.name} for each in first.tool_calls]
    last = create(setting, both, first.model_dump(exclude_none=True), *reversed(results), tools=[TOOL, TIME])
    expect("get_weather" in last.choices[0].message.content and "get_time" in last.choices[0].message.content, last)
    one = create(setting, both, tools=[TOOL, TIME], parallel_tool_calls=False).choices[0].message
    expect(len(one.tool_calls) == 1, one)


def streamed_tools(setting: Setting) -> None:
    both = user("Call get_weather and get_time for the city Pune")
    with client(setting).chat.completions.stream(model=setting.model, messages=[both], tools=[TOOL]) as events:
        reply = events.get_final_completion()
    (call,) = reply.choices[0].message.tool_calls or []
    expect(json.loads(call.function.arguments) == {"city": "Pune"}, reply)


def forced_tool(setting: Setting) -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}
    named = create(setting, user("Pune"), tools=[TOOL, TIME], tool_choice=choice).choices[0].message
    expect([call.function.name for call in named.tool_calls] == ["get_time"], named)
    some = create(setting, user("Pune"), tools=[TOOL], tool_choice="required").choices[0].message
    expect(some.tool_calls, some)
    none = create(setting, CITY, tools=[TOOL], tool_choice="none").choices[0].message
    expect(not none.tool_calls, none)


def structured_output(setting: Setting) -> None:
    reply = client(setting).chat.completions.parse(
        model=setting.model, messages=[user("city: Pune, population: 7")], response_format=City
    )
    expect(reply.choices[0].message.parsed == City(city="Pune", population=7), reply)


def thinking(setting: Setting) -> None:
    reply = create(setting, user("Hello"), reasoning_effort="high", max_completion_tokens=4000)
    expect(reply.choices[0].message.content == "You said: Hello", reply)
    expect(reply.choices[0].message.reasoning_content == "The user says: Hello", reply)


def thinking_with_tools(setting: Setting) -> None:
    asked: Any = {"tools": [TOOL], "reasoning_effort": "high", "max_completion_tokens": 4000}
    first = create(setting, CITY, **asked).choices[0].message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny"}
    last = create(setting, CITY, first.model_dump(exclude_none=True), result, **asked)
    expect(last.choices[0].message.content == "The tools say: sunny", last)


def image(setting: Setting) -> None:
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    reply = create(setting, {"role": "user", "content": [{"type": "text", "text": "Look"}, part]})
    expect(reply.choices[0].message.content == "I see images: 1", reply)


def stop(setting: Setting) -> None:
    stopped = create(setting, user("One two three"), stop=["two"]).choices[0]
    expect((stopped.message.content, stopped.finish_reason) == ("You said: One ", "stop"), stopped)


def limit(setting: Setting) -> None:
    cut = create(setting, user("word " * 30), max_completion_tokens=20).choices[0]  # responses: not below 16
    expect((len(cut.message.content.split()), cut.finish_reason) == (20, "length"), cut)


def usage(setting: Setting) -> None:
    used = create(setting, user("One two three")).usage
    expect((used.prompt_tokens, used.completion_tokens, used.total_tokens) == (3, 5, 8), used)


def errors(setting: Setting) -> None:
    for status, kind in (
        (400, openai.BadRequestError),
        (429, openai.APIStatusError),
        (500, openai.InternalServerError),
    ):
        try:
            create(setting, user(f"fail with {status}"))
        except kind as error:
            expect(error.request_id, error)
        else:
            raise AssertionError(f"no error for {status}")


def broken_stream(setting: Setting) -> None:
    seen = ""
    try:
        for chunk in create(setting, user("break off"), stream=True):
            seen += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    except openai.APIError:
        expect(seen.startswith("You"), seen)
    else:
        raise AssertionError("the stream ended well")


FUNCTION: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}
CLOCK: Any = {"type": "function", "name": "get_time", "parameters": WEATHER, "strict": True}


def respond(setting: Setting, given: Any, **fields: Any) -> Any:
    """A response."""
    asked: Any = {"model": setting.model, "input": given, "store": False, **fields}
    return client(setting).responses.create(**asked)


def respond_streamed(setting: Setting, given: Any, **fields: Any) -> Any:
    """A response that came as a stream, whose events are numbered without gaps."""
    asked: Any = {"model": setting.model, "input": given, "store": False, **fields}
    with client(setting).responses.stream(**asked) as events:
        numbers = [event.sequence_number for event in events]
        expect(numbers == [*range(len(numbers))], numbers)
        return events.get_final_response()


def response_text(setting: Setting) -> None:
    for ask in (respond, respond_streamed):
        reply = ask(setting, "Hello", instructions="Be kind")
        expect(reply.output_text == "You said: Hello My instructions are: Be kind", reply)
        expect((reply.status, reply.usage.output_tokens) == ("completed", 8), reply)


def response_conversation(setting: Setting) -> None:
    first = respond(setting, "One")
    reply = respond(setting, [user("One"), *(item.model_dump() for item in first.output), user("Two")])
    expect(reply.output_text == "You said: Two", reply)


def response_tools(setting: Setting) -> None:
    both = user("Call get_weather and get_time for the city Pune")
    for ask in (respond, respond_streamed):
        first = ask(setting, [both], tools=[FUNCTION, CLOCK], reasoning={"effort": "high"}, max_output_tokens=4000)
        calls = [item for item in first.output if item.type == "function_call"]
        expect([call.name for call in calls] == ["get_weather", "get_time"], first)
        expect(all(json.loads(call.arguments) == {"city": "Pune"} for call in calls), first)
        results = [{"type": "function_call_output", "call_id": call.call_id, "output": call.name} for call in calls]
        history = [both, *first.output, *results]
        last = ask(setting, history, tools=[FUNCTION, CLOCK], reasoning={"effort": "high"}, max_output_tokens=4000)
        expect(last.output_text == "The tools say: get_weather; get_time", last)


def response_structured(setting: Setting) -> None:
    asked: Any = {"model": setting.model, "input": "city: Pune, population: 7", "store": False}
    reply = client(setting).responses.parse(text_format=City, **asked)
    expect(reply.output_parsed == City(city="Pune", population=7), reply)


def response_image(setting: Setting) -> None:
    parts = [
        {"type": "input_text", "text": "Look"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
    ]
    reply = respond(setting, [{"role": "user", "content": parts}])
    expect(reply.output_text == "I see images: 1", reply)


def response_limit(setting: Setting) -> None:
    reply = respond(setting, "word " * 30, max_output_tokens=20)
    expect((len(reply.output_text.split()), reply.status) == (20, "incomplete"), reply)
    expect(reply.incomplete_details.reason == "max_output_tokens", reply)


def response_errors(setting: Setting) -> None:
    try:
        respond(setting, "fail with 400")
    except openai.BadRequestError as error:
        expect(error.request_id, error)
    else:
        raise AssertionError("no error")


def response_broken(setting: Setting) -> None:
    last = ""
    try:
        for event in respond(setting, "break off", stream=True):
            last = event.type
    except openai.APIError:
        return
    expect(last in ("response.failed", "error"), last)


run(
    {
        "text": text,
        "stream": stream,
        "conversation": conversation,
        "tools": tools,
        "parallel tools": parallel_tools,
        "streamed tools": streamed_tools,
        "forced tool": forced_tool,
        "structured output": structured_output,
        "thinking": thinking,
        "thinking with tools": thinking_with_tools,
        "image": image,
        "stop sequence": stop,
        "limit": limit,
        "usage": usage,
        "errors": errors,
        "broken stream": broken_stream,
        "responses, text": response_text,
        "responses, conversation": response_conversation,
        "responses, thinking with tools": response_tools,
        "responses, structured output": response_structured,
        "responses, image": response_image,
        "responses, limit": response_limit,
        "responses, errors": response_errors,
        "responses, broken stream": response_broken,
    },
    ["openai"],
)
