"""What a caller is shown of a reply's tokens: what the bill counts, whoever counted."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest

from callmissed.catalog.loader import load_catalog
from callmissed.catalog.model import Catalog, DialectName
from callmissed_ai.charges import INPUT_TOKENS, OUTPUT_TOKENS, Charges
from callmissed_ai.dialects.bedrock_converse.usage import read_usage
from callmissed_ai.dialects.openai_chat.usage import count_request
from callmissed_ai.services.chat import parse
from callmissed_ai.work import Meter
from tests.support.inference.behaviours import chunk, completion, event
from tests.support.inference.gateway import providers_toml
from tests.support.inference.messages import message, message_event, message_stream
from tests.support.inference.responses import response, response_stream

MODELS: Mapping[str, str] = {
    "openai_chat": "lab-chat",
    "anthropic_messages": "claude-chat",
    "openai_responses": "gpt-chat",
}
HELLO = {"role": "user", "content": "How are you?"}
BODIES: Mapping[str, Mapping[str, Any]] = {
    "openai_chat": {"messages": [HELLO], "stream_options": {"include_usage": True}},
    "anthropic_messages": {"messages": [HELLO], "max_tokens": 100},
    "openai_responses": {"input": [HELLO]},
}
DIALECTS: tuple[DialectName, ...] = get_args(DialectName)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(providers_toml(9, 9))


def without_usage(upstream: str, *, streamed: bool) -> bytes:
    """A reply of the upstream's, which reports no usage."""
    if upstream == "openai_chat":
        whole = completion("Hello there")
        events = [event(chunk({"role": "assistant", "content": "Hello there"})), event(chunk({}, finish="stop"))]
        stream = b"".join([*events, b"data: [DONE]\n\n"])
    elif upstream == "anthropic_messages":
        whole = message({"type": "text", "text": "Hello there"})
        stream = b"".join(_without_usage(each) for each in message_stream(whole))
    else:
        whole = response(usage=None)
        stream = b"".join(response_stream(whole))
    return stream if streamed else json.dumps({k: v for k, v in whole.items() if k != "usage"}).encode()


def _without_usage(body: bytes) -> bytes:
    name, _, data = body.decode().partition("\ndata: ")
    fields = json.loads(data)
    fields.pop("usage", None)
    fields.get("message", {}).pop("usage", None)
    return f"{name}\ndata: {json.dumps(fields)}\n\n".encode()


def shown_of(caller: str, body: bytes, *, streamed: bool) -> tuple[int, int]:
    """Tokens read and written as the caller is shown them."""
    if not streamed:
        usage = json.loads(body)["usage"]
    else:
        lines = [line[6:] for line in body.decode().split("\n") if line.startswith("data: {")]
        events = [json.loads(line) for line in lines]
        found = [each.get("usage") or each.get("response", {}).get("usage") for each in events]
        usage = [each for each in found if each][-1]
    names = ("prompt_tokens", "completion_tokens") if caller == "openai_chat" else ("input_tokens", "output_tokens")
    return usage[names[0]], usage[names[1]]


def put_through(meter: Meter, body: bytes, *, streamed: bool) -> tuple[bytes, Charges]:
    """What the caller gets, and what the call costs."""
    passed = meter.feed(body)
    passed += b"" if meter.finished else meter.end()
    assert (meter.finished, meter.broken) == (True, "")
    charges = asyncio.run(meter.charges())
    return meter.final(passed) + meter.closing(None, "req_1") if streamed else meter.final(passed), charges


@pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
@pytest.mark.parametrize("upstream", MODELS)
@pytest.mark.parametrize("caller", DIALECTS)
def test_a_caller_is_shown_what_is_counted(
    catalog: Catalog, caller: DialectName, upstream: str, streamed: bool
) -> None:
    body = {"model": MODELS[upstream], "stream": streamed, **BODIES[caller]}
    if not streamed:
        body.pop("stream_options", None)
    work = parse(caller, catalog, body, len(json.dumps(body)))
    meter = work.meter(work.models[0], work.models[0].routes[0])

    got, charges = put_through(meter, without_usage(upstream, streamed=streamed), streamed=streamed)

    billed = {line.unit: line.quantity for line in charges.lines}
    assert charges.estimated
    assert billed[OUTPUT_TOKENS] == 2
    assert shown_of(caller, got, streamed=streamed) == (billed[INPUT_TOKENS], billed[OUTPUT_TOKENS])
    if meter.response is not None:
        assert shown_of(caller, json.dumps(meter.response).encode(), streamed=False)[1] == 2


def test_a_chat_caller_that_did_not_ask_is_shown_no_usage(catalog: Catalog) -> None:
    body = {"model": "lab-chat", "stream": True, "messages": [HELLO]}
    work = parse("openai_chat", catalog, body, len(json.dumps(body)))
    meter = work.meter(work.models[0], work.models[0].routes[0])

    got, _ = put_through(meter, without_usage("openai_chat", streamed=True), streamed=True)

    assert b'"usage":{' not in got.replace(b" ", b"")


def test_names_of_models_are_no_text_of_the_prompt() -> None:
    body = {"model": "m", "messages": [HELLO]}
    named = {"model": "a-very-long-name/" * 9, "models": ["another/" * 9], "provider": {"order": ["lab"]}}

    assert count_request({**body, **named}) == count_request(body)


@pytest.mark.parametrize("caller", ["openai_chat", "anthropic_messages"])
def test_what_a_provider_says_at_the_start_alone_covers_nothing_that_comes_at_the_end(
    catalog: Catalog, caller: DialectName
) -> None:
    """A call's input may stand in its first event, from where it is passed on when its block, or the stream, ends."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Thiruvananthapuram"}}
    whole = message(call, stop_reason="tool_use")
    begun = message_event(
        "message_start", message={**whole, "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}
    )
    events = [
        begun,
        message_event("content_block_start", index=0, content_block=call),
        message_event("message_delta", delta={"stop_reason": "tool_use", "stop_sequence": None}),
        message_event("message_stop"),
    ]
    body = {"model": "claude-chat", "stream": True, **BODIES[caller]}
    work = parse(caller, catalog, body, len(json.dumps(body)))
    meter = work.meter(work.models[0], work.models[0].routes[0])

    got, charges = put_through(meter, b"".join(events), streamed=True)

    billed = {line.unit: line.quantity for line in charges.lines}
    assert billed[OUTPUT_TOKENS] > 8
    assert shown_of(caller, got, streamed=True)[1] == billed[OUTPUT_TOKENS]


@pytest.mark.parametrize("streamed", [False, True], ids=["blocking", "streaming"])
@pytest.mark.parametrize("caller", ["anthropic_messages", "openai_responses"])
def test_a_passed_on_reply_has_the_model_as_it_was_asked_for(
    catalog: Catalog, caller: DialectName, streamed: bool
) -> None:
    name = f"{MODELS[caller]}:floor"
    body = {"model": name, "stream": streamed, **BODIES[caller]}
    work = parse(caller, catalog, body, len(json.dumps(body)))
    meter = work.meter(work.models[0], work.models[0].routes[0])

    got, _ = put_through(meter, without_usage(caller, streamed=streamed), streamed=streamed)

    said = [json.loads(line[6:]) for line in got.decode().split("\n") if line.startswith("data: {")]
    found = [each.get("message") or each.get("response") for each in said] if streamed else [json.loads(got)]
    assert {each["model"] for each in found if each} == {name}


@pytest.mark.parametrize("caller", DIALECTS)
def test_a_message_that_reports_its_input_alone_has_its_output_counted(catalog: Catalog, caller: DialectName) -> None:
    whole = {**message({"type": "text", "text": "Hello there"}), "usage": {"input_tokens": 9}}
    body = {"model": "claude-chat", **BODIES[caller]}
    body.pop("stream_options", None)
    work = parse(caller, catalog, body, len(json.dumps(body)))
    meter = work.meter(work.models[0], work.models[0].routes[0])

    got, charges = put_through(meter, json.dumps(whole).encode(), streamed=False)

    billed = {line.unit: line.quantity for line in charges.lines}
    assert billed[OUTPUT_TOKENS] == 2
    assert shown_of(caller, got, streamed=False) == (billed[INPUT_TOKENS], 2)


@pytest.mark.parametrize("usage", [{"inputTokens": 9}, {"outputTokens": 3}, {"inputTokens": 9, "outputTokens": None}])
def test_a_report_of_bedrock_that_lacks_a_side_is_none(usage: dict[str, Any]) -> None:
    assert read_usage(usage) is None
