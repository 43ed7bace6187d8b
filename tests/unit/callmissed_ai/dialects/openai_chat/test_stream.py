"""The meter of a stream: however the bytes are cut, the same passes on and the same is read."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callmissed.errors import ApiError
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.conversation import ReplyFrame
from callmissed_ai.dialects.openai_chat import stream
from callmissed_ai.dialects.openai_chat.stream import DONE, ChatStreamMeter, closing
from callmissed_ai.dialects.output_bounds import OutputBounds, output_bounds
from callmissed_ai.tokens.usage import TokenUsage

USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


@dataclass(frozen=True)
class Metered:
    """What a meter made of a stream."""

    passed: bytes
    usage: TokenUsage | None
    written: str
    finished: bool
    broken: str
    begun: bool


async def free_of_charge(_usage: TokenUsage | None, _written: Callable[[], str]) -> Charges:
    return Charges(())


BOUNDS = output_bounds(1_000)
FRAME = ReplyFrame("abc", 1_780_000_000, "m")


def metered(pieces: Sequence[bytes], *, wants_usage: bool = False, bounds: OutputBounds = BOUNDS) -> Metered:
    """Feed the pieces as an answer does: until the meter says that there is no more to come."""
    meter = ChatStreamMeter(lambda: FRAME, wants_usage=wants_usage, bounds=bounds, charge=free_of_charge)
    passed = b""
    for piece in pieces:
        passed += meter.feed(piece)
        if meter.finished or meter.broken:
            break
    else:
        passed += meter.end()
    return Metered(passed, meter.usage, meter.written(), meter.finished, meter.broken, meter.begun)


def event(body: Any) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def said(text: str, **more: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}}], **more})


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["error", '"usage": {', "data: [DONE]", "[DONE]", "data: x", "\n\n", "\r\n\r\n", ": ping", '{"error": 1}']
)
contents = st.builds(said, texts) | st.builds(said, texts, usage=st.none()) | st.builds(said, texts, error=st.none())
comments = st.sampled_from([b": ping\n\n", b"event: message\nid: 1\n" + said("x"), b"retry: 5\n\n"])
usages = st.builds(
    lambda tokens, choices: event({"choices": choices, "usage": {"prompt_tokens": tokens, "completion_tokens": 1}}),
    st.integers(0, 99),
    st.sampled_from([[], None, [{"delta": {}}], [{"delta": {"content": "x"}}]]),
)
quiet = st.sampled_from([said(""), event({"choices": [{"delta": {"role": "assistant"}}]}), b"\n", b"\n\n", b": x\n\n"])
finishes = st.sampled_from(
    [event({"choices": [{"delta": {}, "finish_reason": reason}]}) for reason in ("stop", "error", "", None)]
)
ends = st.sampled_from(
    [DONE, b"data:[DONE]\n\n", event({"error": {"message": "no"}}), event({"object": "error"}), b"data: error\n\n", b""]
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Events of one stream, with one kind of line end; something may follow what ends it."""
    before, after = st.lists(contents | comments | usages | finishes, max_size=8), st.lists(contents, max_size=2)
    start = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    events = [start, *draw(st.lists(quiet | usages, max_size=3)), *draw(before), draw(ends), *draw(after)]
    line_end = draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    return [piece.replace(b"\n", line_end) for piece in events if piece]


@st.composite
def cuts(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    """`whole` cut anywhere, into many pieces or few."""
    places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=30)))
    return [whole[start:stop] for start, stop in zip([0, *places], [*places, len(whole)], strict=True)]


@given(st.data(), streams(), st.booleans(), st.sampled_from([BOUNDS, OutputBounds(20, 1_000, 150)]))
def test_cuts_change_nothing(data: st.DataObject, events: list[bytes], wants_usage: bool, bounds: OutputBounds) -> None:
    whole = b"".join(events)

    result = metered(events, wants_usage=wants_usage, bounds=bounds)

    assert metered([whole], wants_usage=wants_usage, bounds=bounds) == result
    assert metered(data.draw(cuts(whole)), wants_usage=wants_usage, bounds=bounds) == result
    assert metered([whole[i : i + 1] for i in range(len(whole))], wants_usage=wants_usage, bounds=bounds) == result


@given(st.data(), st.lists(contents | comments | usages, max_size=8))
def test_a_whole_stream_passes_byte_for_byte_to_who_wants_usage(data: st.DataObject, events: list[bytes]) -> None:
    whole = said("a") + b"".join(events)

    result = metered(data.draw(cuts(whole + DONE)), wants_usage=True)

    assert (result.passed, result.finished, result.broken) == (whole, True, "")


@given(st.lists(contents | comments, max_size=8), st.integers(0, 8))
def test_only_the_usage_chunk_is_taken_out(events: list[bytes], place: int) -> None:
    result = metered([said("a"), *events[:place], event({"choices": [], "usage": USAGE}), *events[place:], DONE])

    assert result.passed == said("a") + b"".join(events)
    assert result.usage == TokenUsage(3, 2)


@given(st.lists(texts, max_size=8))
def test_everything_written_is_kept_where_no_usage_came(written: list[str]) -> None:
    assert metered([*map(said, written), DONE]).written == "".join(written)


@given(st.lists(st.binary(max_size=40), max_size=8))
@example([b'data: {"choices": 5, "usage": {}}\n\n', b'data: {"choices": [1], "error": false}\n\n'])
@example([b"data: " + b"[" * 5000 + b"\n\n", b"event: error\n\n"])
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    result = metered(pieces)

    assert result.passed in b"".join(pieces) + b"\n\n" or result.usage or result.finished or result.broken


@given(st.lists(st.sampled_from([b"data: ", b'{"a":1}', b"error", b"\n", b"\r\n", b"\n\n", b"[DONE]", b": x"])))
@example([b"data: ", b"\n", b"\n\n", b"data: ", b"\n\n"])
def test_no_mixture_of_marks_raises(marks: list[bytes]) -> None:
    assert metered(marks).passed in b"".join(marks) + b"\n\n"


def usage(prompt: int, completion: int, cached: int = 0) -> bytes:
    details = {"prompt_tokens_details": {"cached_tokens": cached}} if cached else {}
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion, **details}})


@pytest.mark.parametrize(
    "reports",
    [
        [usage(3, 2), usage(3, 9)],
        [usage(3, 9), usage(0, 0)],
        [usage(0, 9), usage(3, 0)],
        [usage(3, 9), event({"choices": [], "usage": None}), event({"choices": [], "usage": {"prompt_tokens": -1}})],
    ],
    ids=["growing", "zeros at last", "one each", "nonsense at last"],
)
def test_the_larger_of_two_reports_counts_for_each_field(reports: list[bytes]) -> None:
    assert metered([said("a"), *reports, DONE]).usage == TokenUsage(3, 9)


def test_cached_tokens_of_an_earlier_report_stay() -> None:
    assert metered([said("a"), usage(30, 9, cached=20), usage(30, 9), DONE]).usage == TokenUsage(30, 9, 20)


def test_text_after_a_report_is_counted_as_well() -> None:
    assert metered([said("a"), usage(3, 0), said("b"), said("c"), DONE]).written == "bc"


def test_text_before_a_report_and_with_it_is_in_the_report() -> None:
    assert metered([said("a"), said("b", usage=USAGE), DONE]).written == ""


def test_text_before_zeros_that_shrink_an_earlier_report_is_counted() -> None:
    assert metered([said("a"), usage(3, 2), said("b"), usage(0, 0), DONE]).written == "b"


@pytest.mark.parametrize("step", [1, 100, 10_000])
def test_text_is_measured_in_steps_and_nothing_of_it_is_lost(step: int) -> None:
    words = [f"word{number} " for number in range(100)]
    bounds = OutputBounds(10_000, 100_000, step)

    assert metered(list(map(said, words)), bounds=bounds).written == "".join(words)
    assert metered([*map(said, words[:50]), usage(3, 2), *map(said, words[50:])], bounds=bounds).written == "".join(
        words[50:]
    )


def test_an_event_without_end_breaks_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_MAX_EVENT_BYTES", 100)

    result = metered([said("a"), b"data: " + b"x" * 200])

    assert (result.passed, result.broken) == (said("a"), "an event without end")


FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]})
ERROR = event({"error": {"message": "no"}})


def delta(**fields: Any) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"role": "assistant", **fields}}]})


@pytest.mark.parametrize(
    "first",
    [
        said(" "),
        FINISH,
        delta(reasoning_content="x"),
        delta(reasoning="x"),
        delta(reasoning_details=[{"text": "x"}]),
        delta(refusal="no"),
        delta(content=None, tool_calls=[{"index": 0, "function": {"name": "f", "arguments": ""}}]),
        delta(function_call={"name": "f"}),
        event({"choices": [{"message": {"content": "x"}}]}),
        b"\xef\xbb\xbf" + said("x"),
        b"id: 1\nevent: message\nretry: 5\n" + said("x"),
    ],
)
def test_reply_begins_with_what_belongs_to_it(first: bytes) -> None:
    assert metered([first]).begun


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b": OPENROUTER PROCESSING\n\n",
        ROLE,
        said(""),
        delta(content=None, tool_calls=[], refusal=None),
        usage(3, 2),
        event({"choices": None}),
        event({"choices": ["x"]}),
        event({"choices": [{"delta": "x"}]}),
        event({"id": "1"}),
        b"data:\n\n",
        b"retry: 5\n\n",
        b"\n\n",
        said("x").rstrip(),
        DONE,
        ERROR,
        ERROR.rstrip(),
        event({"choices": [{"delta": {"content": "x"}, "finish_reason": "error"}]}),
        event({"choices": [{"delta": {"content": "x"}}], "error": {"code": 1}}),
        b"event: error\n" + said("x"),
        b"<html>\n\n<body>",
        b'{"choices": [{"message": {"content": "x"}}]}',
        b"data: <html>\n\n",
        b"data: 5\n\n",
        b"data: [1]\n\n",
        b'data: {"choices": [{"delta": {"content": "x"}}], "more": NaN}\n\n',
        b'data: {"choices": [{"delta": {"content": "x", "more": ' + b"[" * 400 + b"]" * 400 + b"}}]}\n\n",
        b'data: {"choices": [{"delta": {"content": "\xff"}}]}\n\n',
        b"\x00" + said("x").replace(b": ", b"\x00: ", 1),
        said("x").decode().encode("utf-16"),
    ],
)
def test_reply_does_not_begin_with_anything_else_and_a_stream_of_it_is_broken(first: bytes) -> None:
    for pieces in ([first], [first[place : place + 1] for place in range(len(first))], [first, DONE]):
        result = metered(pieces)

        assert (result.begun, result.finished) == (False, False)
        assert result.broken


def test_stream_of_comments_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_MAX_BYTES_BEFORE_REPLY", 100)

    assert metered([b": wait\n\n"] * 20).broken == "no reply in the stream"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("last", [b"", b"\n", b"\n\n"])
def test_reply_with_a_finish_reason_needs_no_done(line_end: bytes, last: bytes) -> None:
    whole = (said("a") + FINISH + usage(3, 2).rstrip() + last).replace(b"\n", line_end)

    result = metered([whole])

    assert (result.passed, result.finished, result.broken) == ((said("a") + FINISH).replace(b"\n", line_end), True, "")
    assert result.usage == TokenUsage(3, 2)


def test_finish_reason_in_the_last_event_counts_without_its_blank_line() -> None:
    result = metered([said("a"), FINISH.rstrip()])

    assert (result.passed, result.finished) == (said("a") + FINISH, True)


def test_only_event_counts_without_its_blank_line() -> None:
    only = event({"choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]})

    for lacking in (b"", b"\n", b"\r\n"):
        assert metered([ROLE, only.rstrip() + lacking]).passed == ROLE + only
        assert metered([only.rstrip() + lacking]).finished
        assert metered([b"\xef\xbb\xbf" + only.rstrip() + lacking]).passed == only
    assert not metered([event({"choices": [{"delta": {}, "finish_reason": "error"}]}).rstrip()]).begun


def test_finish_reason_on_a_line_of_its_own_counts() -> None:
    lines = b'data: {"choices": [{"delta": {}, "finish_reason":\ndata: "stop"}]}\n\n'

    assert metered([said("a"), lines]).finished


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": "3", "completion_tokens": 2}, {"prompt_tokens": -1}])
def test_usage_chunk_that_makes_no_sense_is_taken_out_too(usage: dict[str, Any]) -> None:
    odd = event({"choices": [], "usage": usage})

    result = metered([said("a"), odd, FINISH, DONE])

    assert (result.passed, result.usage, result.written) == (said("a") + FINISH, None, "a")
    assert metered([said("a"), odd, DONE], wants_usage=True).passed == said("a") + odd


def test_finish_reason_that_was_measured_long_ago_counts() -> None:
    assert metered([FINISH, *[said("a")] * 99], bounds=OutputBounds(1_000, 100_000, 200)).finished


@pytest.mark.parametrize("reason", [None, "", False])
def test_stream_without_a_finish_reason_needs_done(reason: object) -> None:
    chunk = {"choices": [{"delta": {"content": '"finish_reason": "stop"'}, "finish_reason": reason}]}

    assert metered([event(chunk)]).broken == "no [DONE] and no finish reason"
    assert metered([event(chunk), DONE]).finished


def test_usage_of_an_error_event_is_read() -> None:
    result = metered([said("a"), event({"error": {"code": 1}, "choices": [], "usage": USAGE})])

    assert (result.broken, result.usage) == ("the upstream reports an error", TokenUsage(3, 2))


def test_bytes_that_are_not_utf8_never_pass() -> None:
    odd = said("x").replace(b"x", b"\xff")

    assert metered([said("a") + odd + said("b")]).passed == said("a")


def test_reply_far_above_its_limit_is_stopped() -> None:
    bounds = output_bounds(50)

    result = metered([said("word " * 10)] * 20_000, bounds=bounds)

    assert result.broken == "a reply far above its output limit"
    assert bounds.characters < len(result.written) <= bounds.characters + bounds.step_bytes


def test_reply_whose_bytes_are_no_text_is_stopped() -> None:
    bounds = output_bounds(50)

    result = metered([said("", padding="x" * 1_000)] * 3_000, bounds=bounds)
    begun = metered([said("a"), *[said("", padding="x" * 1_000)] * 3_000], bounds=bounds)

    assert result.broken == "no reply in the stream"
    assert begun.broken == "a reply far above its output limit"
    assert len(begun.passed) <= bounds.body_bytes + bounds.step_bytes


def test_reply_within_its_limit_is_never_stopped() -> None:
    twenty = [{"token": "word", "logprob": -0.123456789, "bytes": [119, 111, 114, 100]}] * 20
    token = said("word", logprobs={"content": [{"token": "word", "top_logprobs": twenty}]})

    assert metered([token] * 500 + [DONE], bounds=output_bounds(500)).finished


def test_closing_is_done_or_the_error_in_its_envelope() -> None:
    error = ApiError(503, "provider_error", "Broke off.")

    assert closing(None, "req_1") == DONE
    result = json.loads(closing(error, "req_1").removeprefix(b"data: "))["error"]
    assert (result["code"], result["message"], result["request_id"]) == ("provider_error", "Broke off.", "req_1")
