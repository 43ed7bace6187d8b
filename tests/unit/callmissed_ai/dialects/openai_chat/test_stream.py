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
from callmissed_ai.dialects.openai_chat import stream
from callmissed_ai.dialects.openai_chat.stream import DONE, ChatStreamMeter, check_beginning, closing
from callmissed_ai.streams.sse import is_event_stream
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.transports.base import UpstreamUnreachable

USAGE = {"prompt_tokens": 3, "completion_tokens": 2}


@dataclass(frozen=True)
class Metered:
    """What a meter made of a stream."""

    passed: bytes
    usage: TokenUsage | None
    written: str
    finished: bool
    broken: str


async def free_of_charge(_usage: TokenUsage | None, _written: Callable[[], str]) -> Charges:
    return Charges(())


def metered(pieces: Sequence[bytes], *, wants_usage: bool = False) -> Metered:
    """Feed the pieces as the relay does: until the meter says that there is no more to come."""
    meter = ChatStreamMeter(wants_usage=wants_usage, charge=free_of_charge)
    passed = b""
    for piece in pieces:
        passed += meter.feed(piece)
        if meter.finished or meter.broken:
            break
    else:
        meter.end()
    return Metered(passed, meter.usage, meter.written(), meter.finished, meter.broken)


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
    st.sampled_from([[], None, [{"delta": {}}]]),
)
ends = st.sampled_from(
    [DONE, b"data:[DONE]\n\n", event({"error": {"message": "no"}}), event({"object": "error"}), b"data: error\n\n", b""]
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """Events of one stream, with one kind of line end; something may follow what ends it."""
    before, after = st.lists(contents | comments | usages, max_size=8), st.lists(contents, max_size=2)
    events = [*draw(before), draw(ends), *draw(after)]
    line_end = draw(st.sampled_from([b"\n", b"\r\n"]))
    return [piece.replace(b"\n", line_end) for piece in events if piece]


@st.composite
def cuts(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    """`whole` cut anywhere, into many pieces or few."""
    places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=30)))
    return [whole[start:stop] for start, stop in zip([0, *places], [*places, len(whole)], strict=True)]


@given(st.data(), streams(), st.booleans())
def test_cuts_change_nothing(data: st.DataObject, events: list[bytes], wants_usage: bool) -> None:
    whole = b"".join(events)

    result = metered(events, wants_usage=wants_usage)

    assert metered([whole], wants_usage=wants_usage) == result
    assert metered(data.draw(cuts(whole)), wants_usage=wants_usage) == result
    assert metered([whole[i : i + 1] for i in range(len(whole))], wants_usage=wants_usage) == result


@given(st.data(), st.lists(contents | comments | usages, max_size=8))
def test_a_whole_stream_passes_byte_for_byte_to_who_wants_usage(data: st.DataObject, events: list[bytes]) -> None:
    whole = b"".join(events)

    result = metered(data.draw(cuts(whole + DONE)), wants_usage=True)

    assert (result.passed, result.finished, result.broken) == (whole, True, "")


@given(st.lists(contents | comments, max_size=8), st.integers(0, 8))
def test_only_the_usage_chunk_is_taken_out(events: list[bytes], place: int) -> None:
    result = metered([*events[:place], event({"choices": [], "usage": USAGE}), *events[place:], DONE])

    assert result.passed == b"".join(events)
    assert result.usage == TokenUsage(3, 2)


@given(st.lists(texts, max_size=8))
def test_everything_written_is_kept_where_no_usage_came(written: list[str]) -> None:
    assert metered([*map(said, written), DONE]).written == "".join(written)


@given(st.lists(st.binary(max_size=40), max_size=8))
@example([b'data: {"choices": 5, "usage": {}}\n\n', b'data: {"choices": [1], "error": false}\n\n'])
@example([b"data: " + b"[" * 5000 + b"\n\n", b"event: error\n\n"])
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    result = metered(pieces)

    assert result.passed in b"".join(pieces) or result.usage or result.finished or result.broken


@given(st.lists(st.sampled_from([b"data: ", b'{"a":1}', b"error", b"\n", b"\r\n", b"\n\n", b"[DONE]", b": x"])))
@example([b"data: ", b"\n", b"\n\n", b"data: ", b"\n\n"])
def test_no_mixture_of_marks_raises(marks: list[bytes]) -> None:
    assert metered(marks).passed in b"".join(marks)


def test_the_last_usage_counts() -> None:
    result = metered([said("a", usage=USAGE), said("b", usage={"prompt_tokens": 3, "completion_tokens": 9}), DONE])

    assert result.usage == TokenUsage(3, 9)


def test_text_is_folded_and_nothing_of_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_FOLD_BYTES", 100)
    words = [f"word{number} " for number in range(100)]

    assert metered(list(map(said, words))).written == "".join(words)


def test_an_event_without_end_breaks_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "_MAX_EVENT_BYTES", 100)

    result = metered([said("a"), b"data: " + b"x" * 200])

    assert (result.passed, result.broken) == (said("a"), "an event without end")


@given(streams())
def test_every_first_byte_of_a_stream_can_be_one(events: list[bytes]) -> None:
    whole = b"".join(events)

    assert all(is_event_stream(whole[:length]) for length in range(1, len(whole) + 1))


@pytest.mark.parametrize("first", [event({"error": "x"}), b": wait\n\n" + event({"error": "x"})])
def test_stream_that_fails_at_once_is_left_for_another_route(first: bytes) -> None:
    with pytest.raises(UpstreamUnreachable):
        check_beginning(first)


@pytest.mark.parametrize(
    "first",
    [
        said("a") + event({"error": "x"}),
        event({"usage": USAGE, "choices": []}) + event({"error": "x"}),
        said("a"),
        DONE,
        event({"error": "x"})[:-1],
        b"data: " + b"x" * 100,
    ],
)
def test_stream_that_does_not_fail_at_once_is_passed_on(first: bytes) -> None:
    check_beginning(first)


@pytest.mark.parametrize("first", [b"<html>", b"{}", b"data: <html>\n\n", b"data: 5\n\n"])
def test_stream_that_begins_with_no_chunk_is_unusable(first: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        check_beginning(first)

    assert (refused.value.status, refused.value.code) == (502, "upstream_error")


def test_closing_is_done_or_the_error_in_its_envelope() -> None:
    error = ApiError(503, "provider_error", "Broke off.")

    assert closing(None, "req_1") == DONE
    result = json.loads(closing(error, "req_1").removeprefix(b"data: "))["error"]
    assert (result["code"], result["message"], result["request_id"]) == ("provider_error", "Broke off.", "req_1")
