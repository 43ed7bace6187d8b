"""The Anthropic SDK for Python: messages."""

from typing import Any

import anthropic
from harness import PNG, WEATHER, Setting, expect, run
from pydantic import BaseModel

TOOL: Any = {"name": "get_weather", "description": "The weather", "input_schema": WEATHER}
TIME: Any = {"name": "get_time", "input_schema": WEATHER}
CITY: Any = {"role": "user", "content": "Call get_weather for the city Pune"}
BOTH: Any = {"role": "user", "content": "Call get_weather and get_time for the city Pune"}
THINKING: Any = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 4000}


class City(BaseModel):
    """A structured reply."""

    city: str
    population: int


def client(setting: Setting) -> anthropic.Anthropic:
    """A client of the API that retries nothing."""
    return anthropic.Anthropic(base_url=setting.origin, api_key=setting.key, max_retries=0, timeout=30)


def create(setting: Setting, *messages: Any, **fields: Any) -> Any:
    """A message."""
    return client(setting).messages.create(**asked(setting, *messages, **fields))


def streamed(setting: Setting, *messages: Any, **fields: Any) -> Any:
    """A message that came as a stream."""
    with client(setting).messages.stream(**asked(setting, *messages, **fields)) as events:
        return events.get_final_message()


def asked(setting: Setting, *messages: Any, **fields: Any) -> Any:
    """A request."""
    return {"model": setting.model, "max_tokens": 1000, "messages": list(messages), **fields}


def user(text: str) -> Any:
    """A message of the user."""
    return {"role": "user", "content": text}


def answer(message: Any) -> dict[str, Any]:
    """A message as it goes back."""
    return {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in message.content]}


def results(message: Any) -> dict[str, Any]:
    """The results of a message's calls: their names."""
    calls = [block for block in message.content if block.type == "tool_use"]
    return {
        "role": "user",
        "content": [{"type": "tool_result", "tool_use_id": call.id, "content": call.name} for call in calls],
    }


def text(setting: Setting) -> None:
    message = create(setting, user("Hello"), system="Be kind")
    expect([block.text for block in message.content] == ["You said: Hello My instructions are: Be kind"], message)
    expect((message.stop_reason, message.type) == ("end_turn", "message"), message)


def stream(setting: Setting) -> None:
    message = streamed(setting, user("Hello"))
    expect((message.content[0].text, message.stop_reason) == ("You said: Hello", "end_turn"), message)
    expect(message.usage.output_tokens == 3, message)


def conversation(setting: Setting) -> None:
    message = create(setting, user("One"), {"role": "assistant", "content": "Yes"}, user("Two"))
    expect(message.content[0].text == "You said: Two", message)


def tools(setting: Setting) -> None:
    first = create(setting, CITY, tools=[TOOL])
    (call,) = first.content
    expect((first.stop_reason, call.name, call.input) == ("tool_use", "get_weather", {"city": "Pune"}), first)
    last = create(setting, CITY, answer(first), results(first), tools=[TOOL])
    expect(last.content[0].text == "The tools say: get_weather", last)


def parallel_tools(setting: Setting) -> None:
    first = create(setting, BOTH, tools=[TOOL, TIME])
    last = create(setting, BOTH, answer(first), results(first), tools=[TOOL, TIME])
    expect(last.content[0].text == "The tools say: get_weather; get_time", last)
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    expect(len(create(setting, BOTH, tools=[TOOL, TIME], tool_choice=choice).content) == 1, "two calls")


def streamed_tools(setting: Setting) -> None:
    message = streamed(setting, BOTH, tools=[TOOL, TIME])
    found = [(block.name, block.input) for block in message.content]
    expect(found == [("get_weather", {"city": "Pune"}), ("get_time", {"city": "Pune"})], message)


def forced_tool(setting: Setting) -> None:
    named = create(setting, user("Pune"), tools=[TOOL, TIME], tool_choice={"type": "tool", "name": "get_time"})
    expect([block.name for block in named.content] == ["get_time"], named)
    some = create(setting, user("Pune"), tools=[TOOL], tool_choice={"type": "any"})
    expect(some.stop_reason == "tool_use", some)
    none = create(setting, CITY, tools=[TOOL], tool_choice={"type": "none"})
    expect(none.stop_reason == "end_turn", none)


def structured_output(setting: Setting) -> None:
    message = client(setting).messages.parse(
        model=setting.model, max_tokens=1000, messages=[user("city: Pune, population: 7")], output_format=City
    )
    expect(message.parsed_output == City(city="Pune", population=7), message)


def thinking(setting: Setting) -> None:
    for ask in (create, streamed):
        message = ask(setting, user("Hello"), **THINKING)
        thought, said = message.content
        expect((thought.thinking, said.text) == ("The user says: Hello", "You said: Hello"), message)


def thinking_with_tools(setting: Setting) -> None:
    for ask in (create, streamed):
        first = ask(setting, CITY, tools=[TOOL], **THINKING)
        expect([block.type for block in first.content] == ["thinking", "tool_use"], first)
        last = ask(setting, CITY, answer(first), results(first), tools=[TOOL], **THINKING)
        expect(last.content[-1].text == "The tools say: get_weather", last)


def image(setting: Setting) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    message = create(
        setting, {"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "Look"}]}
    )
    expect(message.content[0].text == "I see images: 1", message)


def stop(setting: Setting) -> None:
    stopped = create(setting, user("One two three"), stop_sequences=["two"])
    expect(stopped.content[0].text == "You said: One ", stopped)
    expect(stopped.stop_reason in ("stop_sequence", "end_turn"), stopped)


def limit(setting: Setting) -> None:
    cut = create(setting, user("word " * 30), max_tokens=20)  # responses allow no limit below 16
    expect((len(cut.content[0].text.split()), cut.stop_reason) == (20, "max_tokens"), cut)


def usage(setting: Setting) -> None:
    used = create(setting, user("One two three")).usage
    expect((used.input_tokens, used.output_tokens) == (3, 5), used)
    counted = client(setting).messages.count_tokens(model=setting.model, messages=[user("One two three")])
    expect(counted.input_tokens > 0, counted)


def cache_marks(setting: Setting) -> None:
    system = [{"type": "text", "text": "Know all of this", "cache_control": {"type": "ephemeral"}}]
    used = create(setting, user("Hello"), system=system).usage
    expect(used.input_tokens + used.cache_creation_input_tokens == 5, used)


def models(setting: Setting) -> None:
    expect(setting.model in [model.id for model in client(setting).models.list()], "not listed")
    expect(client(setting).models.retrieve(setting.model).display_name, "not found")


def errors(setting: Setting) -> None:
    kinds = ((400, anthropic.BadRequestError), (429, anthropic.OverloadedError), (500, anthropic.OverloadedError))
    for status, kind in kinds:
        try:
            create(setting, user(f"fail with {status}"))
        except kind as error:
            expect(error.request_id, error)
        else:
            raise AssertionError(f"no error for {status}")


def broken_stream(setting: Setting) -> None:
    seen = ""
    try:
        with client(setting).messages.stream(**asked(setting, user("break off"))) as events:
            for piece in events.text_stream:
                seen += piece
    except anthropic.APIStatusError as error:
        expect((seen[:3], error.type) == ("You", "overloaded_error"), error)
    else:
        raise AssertionError("the stream ended well")


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
        "cache marks": cache_marks,
        "models": models,
        "errors": errors,
        "broken stream": broken_stream,
    },
    ["anthropic"],
)
