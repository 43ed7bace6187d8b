"""Replies and requests between a caller and an upstream who both speak responses: untouched but for what is ours."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import PartGrew, RedactedThinking, ReplyFrame, Thinking
from callmissed_ai.dialects.openai_responses.carriers import content_of
from callmissed_ai.dialects.openai_responses.dialect import ResponsesDialect
from callmissed_ai.dialects.output_bounds import output_bounds
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.work import Meter
from tests.support.inference.responses import function_call, response, response_event, response_stream, thought, written

RESPONSES = ResponsesDialect()
ASKED: Mapping[str, Any] = {"model": "m", "input": "Hello", "store": True, "max_output_tokens": 40}
FRAME = ReplyFrame("x1", 1, "lab-chat", ASKED)
OWN = {"id": "resp_x1", "model": "lab-chat", "store": True, "previous_response_id": None, "max_output_tokens": 40}
WHOLE = response(thought("Hm"), written(), function_call("a", "weather", '{"city": "Pune"}'))
MODEL = replace(load_catalog().models["sandbox"], supports_reasoning=True)
HELLO = {"type": "message", "role": "user", "content": "Hello"}
BROKE = ApiError(503, "provider_error", "It broke.")


async def charge(usage: TokenUsage | None, _written: object) -> Charges:
    raise AssertionError(usage)


def meter(*, streamed: bool = True) -> Meter:
    return RESPONSES.meter(lambda: FRAME, streamed=streamed, wants_usage=True, bounds=output_bounds(100), charge=charge)


def fed(pieces: Sequence[bytes]) -> tuple[Meter, bytes]:
    """A meter that has read a whole body, and what it passed on."""
    reading = meter()
    body = b"".join(map(reading.feed, pieces))
    return reading, body if reading.finished else body + reading.end()


def events_of(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in body.decode().splitlines() if line.startswith("data: ")]


def test_stream_passes_but_for_what_is_ours_and_its_last_event_waits() -> None:
    sent = response_stream(WHOLE)

    reading, body = fed(sent)

    assert reading.finished
    assert body.endswith(b"".join(sent[2:-1]))
    assert [each["response"] for each in events_of(body)[:2]] == [
        {**each["response"], **OWN} for each in events_of(b"".join(sent[:2]))
    ]
    (last,) = events_of(reading.closing(None, "req_1"))
    assert last == {"type": "response.completed", "sequence_number": len(sent) - 1, "response": {**WHOLE, **OWN}}
    assert reading.response == last["response"]


@given(data=st.data())
def test_stream_is_the_same_however_it_is_cut(data: st.DataObject) -> None:
    body = b"".join(response_stream(WHOLE))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert fed(pieces)[1] == fed([body])[1]


def test_whole_reply_is_ours_by_the_same_fields() -> None:
    reading = meter(streamed=False)
    reading.feed(json.dumps(WHOLE).encode())

    assert json.loads(reading.end()) == {**WHOLE, **OWN} == reading.response
    assert reading.closing(None, "req_1") == b""


@pytest.mark.parametrize("cut", range(3, len(response_stream(WHOLE)) - 1))
def test_break_is_a_failed_response_with_the_next_number(cut: int) -> None:
    reading, body = fed(response_stream(WHOLE)[:cut])

    (last,) = events_of(reading.closing(BROKE, "req_1"))
    assert reading.broken
    assert (last["type"], last["sequence_number"]) == ("response.failed", events_of(body)[-1]["sequence_number"] + 1)
    assert {name: last["response"][name] for name in ("id", "status")} == {"id": "resp_x1", "status": "failed"}
    assert last["response"]["error"]["message"] == "It broke."
    assert reading.response is None


def test_settlement_that_fails_takes_the_place_of_the_last_event() -> None:
    reading, _ = fed(response_stream(WHOLE))

    (last,) = events_of(reading.closing(BROKE, "req_1"))
    assert (last["type"], last["sequence_number"]) == ("response.failed", len(response_stream(WHOLE)) - 1)
    assert len(last["response"]["output"]) == 3


def test_item_of_an_unknown_type_passes() -> None:
    new = {"type": "something_new", "id": "x"}
    sent = [
        *response_stream(WHOLE)[:-1],
        response_event("response.output_item.added", 90, output_index=9, item=new),
        response_event("response.something.delta", 91, output_index=9, delta="a"),
        response_event("response.output_item.done", 92, output_index=9, item=new),
        response_event("response.completed", 93, response=WHOLE),
    ]

    reading, body = fed(sent)

    assert reading.finished
    assert body.endswith(b"".join(sent[-4:-1]))


@pytest.mark.parametrize(
    "event",
    [
        response_event("response.failed", 2, response=response(status="failed", error={"message": "secret"})),
        response_event("error", 2, message="secret", code="x"),
        response_event("response.output_text.delta", 2, delta="a"),
        response_event("response.output_text.delta", 2, output_index="0", delta="a"),
        response_event("response.function_call_arguments.delta", 2, output_index=0, delta="a"),
        response_event("response.completed", 2),
        response_event("response.completed", 2, response=[1]),
        b"data: [1]\n\n",
        b"data: {\n\n",
        b"data: \xff\n\n",
        b"data: [DONE]\n\n",
    ],
)
def test_hostile_stream_is_broken_and_shows_nothing_of_it(event: bytes) -> None:
    reading, body = fed([*response_stream(WHOLE)[:2], event])

    assert reading.broken
    assert not reading.finished
    assert b"secret" not in body + reading.closing(BROKE, "req_1")


@pytest.mark.parametrize(
    "body",
    [{}, {"output": []}, response(status="failed"), response(status="in_progress"), response(output={}), {"error": {}}],
)
def test_what_is_no_response_is_unusable(body: Mapping[str, Any]) -> None:
    reading = meter(streamed=False)
    reading.feed(json.dumps(body).encode())

    assert reading.end() == b""
    assert reading.broken


def test_last_event_without_output_gets_what_was_streamed() -> None:
    bare = {name: value for name, value in WHOLE.items() if name != "output"}
    reading, _ = fed([*response_stream(WHOLE)[:-1], response_event("response.completed", 90, response=bare)])

    (last,) = events_of(reading.closing(None, "req_1"))
    assert last["response"]["output"] == WHOLE["output"]


@pytest.mark.parametrize("kept", ["done", "delta"])
def test_text_adds_up_without_the_deltas_or_without_the_ends(kept: str) -> None:
    sent = [each for each in response_stream(WHOLE) if b"_text." not in each or kept.encode() in each.split(b"\n")[0]]
    sent = [each for each in sent if b"content_part" not in each]
    reader = RESPONSES.stream_reader()

    events = [event for piece in sent for event in reader.feed(piece)]

    grown = [event.text for event in events if isinstance(event, PartGrew)]
    assert "".join(grown) == 'HmHello there{"city": "Pune"}'


def addressed(**fields: Any) -> Mapping[str, Any]:
    return RESPONSES.addressed({**ASKED, **fields}, MODEL, "gpt", 40)


def test_upstream_keeps_nothing() -> None:
    sent = addressed(models=["other"], previous_response_id="resp_1")

    assert sent == {
        "model": "gpt",
        "input": "Hello",
        "store": False,
        "max_output_tokens": 40,
        "include": ["reasoning.encrypted_content"],
    }


@pytest.mark.parametrize(
    ("asked", "reasons", "sent"),
    [
        ({"store": False}, True, None),
        ({"store": True}, False, None),
        ({"store": False, "include": ["reasoning.encrypted_content"]}, True, ["reasoning.encrypted_content"]),
        ({"store": False, "include": ["reasoning.encrypted_content"]}, False, None),
        (
            {"include": ["message.output_text.logprobs"]},
            True,
            ["message.output_text.logprobs", "reasoning.encrypted_content"],
        ),
    ],
)
def test_encrypted_reasoning_is_asked_for_where_there_is_some(
    asked: Mapping[str, Any], *, reasons: bool, sent: list[str] | None
) -> None:
    model = replace(MODEL, supports_reasoning=reasons)

    assert RESPONSES.addressed({**ASKED, **asked}, model, "gpt", 40).get("include") == sent


def test_limit_is_not_below_what_the_upstream_accepts() -> None:
    assert RESPONSES.addressed(ASKED, MODEL, "gpt", 5)["max_output_tokens"] == 16


def test_effort_is_mapped() -> None:
    model = replace(MODEL, reasoning_efforts={"max": "xhigh", "low": ""})
    efforts = [
        RESPONSES.addressed({**ASKED, "reasoning": {"effort": effort, "summary": "auto"}}, model, "gpt", 40)[
            "reasoning"
        ]
        for effort in ("max", "low", "high")
    ]

    assert efforts == [
        {"summary": "auto", "effort": "xhigh"},
        {"summary": "auto"},
        {"summary": "auto", "effort": "high"},
    ]


def carried(part: Thinking | RedactedThinking) -> dict[str, Any]:
    return {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": content_of(part)}


FOREIGN = carried(Thinking("Hm", "c2ln"))


def test_thoughts_of_others_and_those_known_by_id_alone_are_left_out() -> None:
    by_id = {"type": "reasoning", "id": "rs_1", "summary": []}
    kept = [HELLO, thought("Hm"), written(), HELLO]

    assert addressed(input=[HELLO, FOREIGN, by_id, *kept[1:]])["input"] == kept


def test_thought_of_another_in_an_open_turn_is_refused() -> None:
    result = {"type": "function_call_output", "call_id": "a", "output": "sunny"}

    with pytest.raises(ApiError) as refused:
        addressed(input=[HELLO, FOREIGN, function_call("a", "weather", "{}"), result])
    assert refused.value.param == "input.1"


@pytest.mark.parametrize("content", ["callmissed-1:", "callmissed-1:!!", "callmissed-1:e30=", "callmissed-1:WzEsMl0="])
def test_carrier_that_a_client_changed_is_a_plain_thought(content: str) -> None:
    item = {"type": "reasoning", "id": "rs_x", "summary": [{"type": "summary_text", "text": "Hm"}]}

    (turn,) = RESPONSES.read_request({"model": "m", "input": [{**item, "encrypted_content": content}]}).turns

    assert turn.parts == (Thinking("Hm"),)
