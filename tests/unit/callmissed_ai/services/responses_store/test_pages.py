"""Pages of input items: their order, their cursors, and ids that stay the same."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from openai.types.responses import ResponseItem
from pydantic import TypeAdapter

from callmissed.errors import ApiError
from callmissed_ai.services.responses_store.items import listed_id, listed_items
from callmissed_ai.services.responses_store.pages import Order, PageRequest, page_of_items
from tests.support.inference.stored_responses import assistant, stored_response, user

GIVEN = [user(str(number)) for number in range(5)]
STORED = stored_response(given=GIVEN[3:], earlier=GIVEN[:3])
IDS = [listed_id(item, position) for position, item in enumerate(GIVEN)]


def ids(**request: Any) -> list[str]:
    return [item["id"] for item in page_of_items(STORED, PageRequest(**request))["data"]]


def test_newest_items_come_first_unless_asked_otherwise() -> None:
    assert ids() == IDS[::-1]
    assert ids(order="asc") == IDS


def test_a_page_says_where_it_ends() -> None:
    page = page_of_items(STORED, PageRequest("asc", 2))

    assert (page["first_id"], page["last_id"], page["has_more"]) == (IDS[0], IDS[1], True)
    last = page_of_items(STORED, PageRequest("asc", 2, after=IDS[2]))
    assert (last["first_id"], last["last_id"], last["has_more"]) == (IDS[3], IDS[4], False)


def test_pages_after_one_another_have_every_item_once() -> None:
    for order in get_args(Order):
        seen, after = list[str](), ""
        while True:
            page = page_of_items(STORED, PageRequest(order, 2, after=after))
            seen += [item["id"] for item in page["data"]]
            after = page["last_id"]
            if not page["has_more"]:
                break
        assert seen == (IDS if order == "asc" else IDS[::-1])


def test_a_page_before_a_cursor_ends_there() -> None:
    page = page_of_items(STORED, PageRequest("asc", 2, before=IDS[4]))

    assert [item["id"] for item in page["data"]] == IDS[2:4]
    assert page["has_more"]
    assert ids(order="asc", after=IDS[0], before=IDS[3]) == IDS[1:3]


def test_a_page_after_the_last_item_is_empty() -> None:
    page = page_of_items(STORED, PageRequest("asc", after=IDS[4]))

    assert (page["data"], page["first_id"], page["last_id"], page["has_more"]) == ([], None, None, False)


@pytest.mark.parametrize("param", ["after", "before"])
def test_a_cursor_of_no_item_is_refused(param: str) -> None:
    with pytest.raises(ApiError) as refused:
        page_of_items(STORED, replace(PageRequest(), **{param: "msg_nowhere"}))
    assert (refused.value.status, refused.value.param) == (400, param)


ITEMS: list[dict[str, Any]] = [
    {"role": "user", "content": "no type"},
    user("a text"),
    {"role": "developer", "type": "message", "content": [{"type": "input_text", "text": "parts"}]},
    {"role": "assistant", "content": "shorthand"},
    assistant("whole", "msg_1"),
    {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "call_1", "output": "done"},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "…"},
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "…"},
]


def test_items_are_listed_as_the_sdk_reads_them() -> None:
    for item in listed_items(ITEMS):
        TypeAdapter[Any](ResponseItem).validate_python(item)


def test_ids_of_items_are_their_own_or_do_not_change() -> None:
    listed = [item["id"] for item in listed_items(ITEMS)]

    assert listed == [item["id"] for item in listed_items([*ITEMS, user("more")])][: len(listed)]
    assert len(set(listed)) == len(listed)
    assert listed[4] == "msg_1"
    assert " ".join(item_id.partition("_")[0] for item_id in listed) == "msg msg msg msg msg fc fco rs cmp"


def test_the_same_words_said_twice_are_two_items() -> None:
    first, second = listed_items([user("yes"), user("yes")])

    assert first["id"] != second["id"]
