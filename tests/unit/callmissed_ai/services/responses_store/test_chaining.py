"""Continuing a stored response: what is put before the input, what fits, and what is referred to."""

from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed.platform.routes import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import MAX_CONTAINERS
from callmissed_ai.services.responses_store.chaining import PREVIOUS, chained, unchained
from callmissed_ai.services.responses_store.records import JsonObject, StoredResponse, json_text
from tests.support.inference.stored_responses import assistant, stored_response, user


def request(given: Any = "and then?", **fields: Any) -> dict[str, Any]:
    return {"model": "lab-chat", "input": given, PREVIOUS: "resp_x", **fields}


def refused(body: dict[str, Any], previous: StoredResponse) -> ApiError:
    with pytest.raises(ApiError) as error:
        chained(body, len(json_text(body)), previous)
    assert error.value.status == 400
    return error.value


def big(count: int, size: int) -> list[JsonObject]:
    """Turns of a question and an answer, each with so many characters."""
    return [item for number in range(count) for item in (user(f"{number} " + "q" * size), assistant("a" * size))]


def test_the_conversation_comes_before_the_input() -> None:
    previous = stored_response(
        given=[user("second")], earlier=[user("first"), assistant("one")], output=[assistant("two")]
    )

    joined = chained(request(), 100, previous)

    assert joined.body["input"] == [*previous.conversation, user("and then?")]
    assert (joined.earlier, joined.own) == (previous.conversation, [user("and then?")])
    assert joined.body[PREVIOUS] == "resp_x"
    assert joined.size >= 100 + len(json_text(previous.conversation)) - 2


def test_items_of_a_list_stay_as_they_were_sent() -> None:
    own = [{"type": "function_call_output", "call_id": "call_1", "output": "done"}, {"role": "user", "content": "so?"}]

    assert chained(request(own), 100, stored_response()).own == own


@pytest.mark.parametrize("given", [None, []])
def test_a_response_may_be_continued_without_input(given: Any) -> None:
    previous = stored_response()

    assert chained(request(given), 100, previous).body["input"] == previous.conversation


@pytest.mark.parametrize("given", [5, {"role": "user"}, True])
def test_an_input_of_another_type_is_left_to_validation(given: Any) -> None:
    body = request(given)

    assert chained(body, 100, stored_response()).body is body


def test_a_request_that_continues_nothing_stays_as_it_is() -> None:
    body = {"model": "lab-chat", "input": "Hello"}

    joined = unchained(body, 30)

    assert joined.body is body
    assert (joined.size, joined.earlier, joined.own) == (30, (), [user("Hello")])


@pytest.mark.parametrize("given", [["hello"], [user("and"), 7]], ids=str)
def test_an_input_with_what_is_no_item_is_left_to_validation(given: Any) -> None:
    body = request(given)

    assert chained(body, 100, stored_response()).body is body


def test_a_conversation_of_three_megabytes_is_continued() -> None:
    previous = stored_response(earlier=big(50, 30_000))

    assert len(json_text(previous.conversation)) > 3_000_000
    assert chained(request(), 100, previous).earlier == previous.conversation


def test_a_conversation_that_is_too_long_names_the_response() -> None:
    previous = stored_response(earlier=big(50, MAX_BODY_BYTES // 100))

    error = refused(request(), previous)

    assert (error.code, error.param) == ("context_length_exceeded", PREVIOUS)


def test_objects_of_the_whole_are_counted() -> None:
    half = [{"type": "message", "role": "user", "content": [{}] * (MAX_CONTAINERS // 2)}]

    error = refused(request(half), stored_response(given=half))

    assert (error.code, error.param) == ("context_length_exceeded", PREVIOUS)


def test_brackets_in_texts_are_no_objects() -> None:
    previous = stored_response(given=[user("[{" * MAX_CONTAINERS)])

    assert chained(request(), 100, previous).earlier == previous.conversation


def test_the_oldest_turns_are_left_out_where_the_caller_agrees() -> None:
    turns = big(50, MAX_BODY_BYTES // 100)
    previous = stored_response(earlier=turns)

    joined = chained(request(truncation="auto"), 100, previous)

    left_out = len(previous.conversation) - len(joined.earlier)
    assert 0 < left_out < 10
    assert joined.earlier == previous.conversation[left_out:]
    assert joined.earlier[0]["role"] == "user"
    assert joined.size <= MAX_BODY_BYTES


def test_a_turn_is_left_out_as_a_whole() -> None:
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "a" * MAX_BODY_BYTES}
    result = {"type": "function_call_output", "call_id": "call_1", "output": "done"}
    previous = stored_response(earlier=[user("first"), call, result, assistant("one")], given=[user("second")])

    joined = chained(request(truncation="auto"), 100, previous)

    assert joined.earlier == previous.conversation[4:]


def test_a_conversation_of_one_turn_too_long_is_left_out() -> None:
    previous = stored_response(given=[user("x" * MAX_BODY_BYTES)])

    joined = chained(request(truncation="auto"), 100, previous)

    assert (joined.earlier, joined.body["input"]) == ([], [user("and then?")])
