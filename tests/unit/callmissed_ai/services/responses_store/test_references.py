"""References to stored items: which there are, and what a request is with the items in their place."""

from collections.abc import Mapping
from typing import Any

import pytest

from callmissed.errors import ApiError
from callmissed.platform.routes import MAX_BODY_BYTES
from callmissed_ai.dialects.strict_json import MAX_CONTAINERS
from callmissed_ai.services.responses_store.items import listed_id
from callmissed_ai.services.responses_store.records import JsonObject, json_text
from callmissed_ai.services.responses_store.references import Reference, references_in, resolved
from tests.support.inference.stored_responses import assistant, reference, stored_response, user

ONE = assistant("One", "msg_1")
TWO = assistant("Two", "msg_2")
FOUND: Mapping[str, JsonObject] = {"msg_1": ONE, "msg_2": TWO}


def request(*items: Any) -> dict[str, Any]:
    return {"model": "lab-chat", "input": list(items)}


def too_long(body: Mapping[str, Any], found: Mapping[str, JsonObject]) -> None:
    with pytest.raises(ApiError) as error:
        resolved(body, len(json_text(body)), (), found)
    assert (error.value.status, error.value.code, error.value.param) == (400, "context_length_exceeded", "input")


def test_items_stand_where_the_references_stood() -> None:
    body = request(user("a"), reference("msg_1"), user("b"), {"id": "msg_2"}, reference("msg_1"))

    whole = resolved(body, 200, (), FOUND)

    assert whole.body == {**body, "input": [user("a"), ONE, user("b"), TWO, ONE]}
    assert list(whole.places) == [0, 1, 2, 3, 4]
    assert whole.size == 200 + 2 * len(json_text(ONE)) + len(json_text(TWO))


def test_a_request_without_references_stays_as_it_is() -> None:
    body = request(user("a"), {"id": "msg_1", "role": "assistant", "content": "One"})

    assert resolved(body, 100, [ONE], FOUND).body is body
    assert references_in(body) == []


def test_an_item_of_the_conversation_before_is_not_repeated() -> None:
    previous = stored_response(output=[ONE])
    first = listed_id(previous.given[0], 0)
    body = request(reference("msg_1"), user("go on"), reference(first), reference("msg_2"), user("and on"))

    assert references_in(body, previous.conversation) == [Reference(3, "msg_2")]
    whole = resolved(body, 200, previous.conversation, {"msg_2": TWO})

    assert whole.body["input"] == [user("go on"), TWO, user("and on")]
    assert list(whole.places) == [1, 3, 4]


@pytest.mark.parametrize("item_id", [None, 5, [], {}, ""], ids=str)
def test_an_id_that_is_none_is_a_reference_to_nothing(item_id: Any) -> None:
    (found,) = references_in(request(user("a"), reference(item_id)))

    error = found.not_found()

    assert (error.status, error.code, error.param) == (404, "item_not_found", "input.1.id")


@pytest.mark.parametrize("given", ["Hello", None, 5, ["Hello", reference("msg_1")]], ids=str)
def test_an_input_that_is_no_list_of_items_has_no_references(given: Any) -> None:
    assert references_in({"input": given}) == []
    assert resolved({"input": given}, 10, (), {}).body == {"input": given}


def test_the_message_of_a_missing_item_is_short_whatever_the_id() -> None:
    error = Reference(0, "\ud83d" + "x" * 5_000).not_found()

    assert len(error.message.encode()) < 400


def test_bytes_of_each_item_count_however_often_it_is_referred_to() -> None:
    long = assistant("x" * (MAX_BODY_BYTES // 100), "msg_1")

    too_long(request(*[reference("msg_1")] * 101), {"msg_1": long})


def test_objects_of_all_items_count() -> None:
    wide = {**ONE, "content": [{}] * (MAX_CONTAINERS // 50)}

    too_long(request(*[reference("msg_1")] * 51), {"msg_1": wide})
