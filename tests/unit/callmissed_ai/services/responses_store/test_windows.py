"""What is left out of a conversation that is longer than its models' windows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callmissed.catalog.loader import load_catalog
from callmissed_ai.dialects.openai_responses.usage import estimate_request
from callmissed_ai.services.responses_store.chaining import Chained
from callmissed_ai.services.responses_store.records import JsonObject, json_text
from callmissed_ai.services.responses_store.turns import kept_from, starts
from callmissed_ai.services.responses_store.windows import DEFAULT_REPLY_TOKENS, fitted, room_for_input
from tests.support.inference.stored_responses import assistant, user

CATALOG = load_catalog()
SMALL = min(
    (model for model in CATALOG.models.values() if model.context_window), key=lambda model: model.context_window or 0
)
LARGE = max(CATALOG.models.values(), key=lambda model: model.context_window or 0)
WINDOW, MAX_WINDOW = SMALL.context_window or 0, LARGE.context_window or 0


def joined(earlier: Sequence[JsonObject], own: Sequence[JsonObject], **fields: Any) -> Chained:
    body = {"model": "m", "truncation": "auto", **fields, "input": [*earlier, *own]}
    return Chained(body, len(json_text(body)), earlier, own)


def call(call_id: str, text: str = "") -> JsonObject:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": f'{{"a":"{text}"}}'}


def result(call_id: str, text: str = "") -> JsonObject:
    return {"type": "function_call_output", "call_id": call_id, "output": f"done {text}"}


@pytest.mark.parametrize(
    ("body", "room"),
    [
        ({"model": LARGE.id}, (MAX_WINDOW - DEFAULT_REPLY_TOKENS) * 9 // 10),
        ({"model": LARGE.id, "max_output_tokens": 1000}, (MAX_WINDOW - 1000) * 9 // 10),
        ({"model": LARGE.id, "max_output_tokens": 10**12}, (MAX_WINDOW - MAX_WINDOW // 2) * 9 // 10),
        ({"model": LARGE.id, "models": [SMALL.id], "max_output_tokens": 10}, (WINDOW - 10) * 9 // 10),
        ({"model": f"{LARGE.id}:floor", "max_output_tokens": 10}, (MAX_WINDOW - 10) * 9 // 10),
        ({"model": "no-such-model"}, None),
        ({"model": 5, "models": "x", "max_output_tokens": "y"}, None),
        ({}, None),
    ],
    ids=str,
)
def test_room_is_what_the_smallest_window_leaves_beside_the_reply(body: Mapping[str, Any], room: int | None) -> None:
    assert room_for_input(CATALOG, body) == room


def test_a_model_without_a_window_sets_no_bound() -> None:
    catalog = CATALOG.with_models({"endless": replace(LARGE, id="endless", context_window=None)})

    assert room_for_input(catalog, {"model": "endless"}) is None


def test_a_request_that_fits_stays_as_it_is() -> None:
    request = joined([user("one"), assistant("two")], [user("three")])

    assert fitted(request, 1_000) == (request, range(1))


def test_the_oldest_turns_go_and_instructions_stay() -> None:
    rules = {"type": "message", "role": "developer", "content": "Be brief."}
    earlier = [
        user("one " * 50),
        assistant("1"),
        rules,
        user("two " * 50),
        assistant("2"),
        user("three"),
        assistant("3"),
    ]
    request = joined(earlier, [user("four")])

    cut, places = fitted(request, 70)

    assert cut.body["input"] == [rules, user("three"), earlier[-1], user("four")]
    assert (cut.earlier, cut.own, list(places)) == ([rules, user("three"), earlier[-1]], [user("four")], [0])
    assert cut.size >= len(json_text(cut.body))


def test_own_items_go_too_and_keep_their_places() -> None:
    own = [user("one " * 50), assistant("1"), {"role": "system", "content": "Be brief."}, user("two"), assistant("2")]

    cut, places = fitted(joined([user("zero " * 50)], own), 60)

    assert cut.body["input"] == own[2:]
    assert (cut.earlier, list(places)) == ([], [2, 3, 4])


def test_the_last_turn_stays_however_long_it_is() -> None:
    last = [user("now " * 500), call("call_1", "x " * 500), result("call_1", "y " * 500)]

    cut, _ = fitted(joined([user("one"), assistant("1")], last), 50)

    assert cut.body["input"] == last


def test_what_else_the_request_has_takes_room() -> None:
    request = joined([user("one " * 20), assistant("1")], [user("two")])

    assert fitted(request, 50)[0] is request
    instructed = joined([user("one " * 20), assistant("1")], [user("two")], instructions="word " * 30)
    assert fitted(instructed, 50)[0].own == instructed.own
    assert fitted(instructed, 50)[0].earlier == []


ITEMS = st.lists(
    st.sampled_from(["user", "assistant", "system", "call", "result", "two calls"]).map(str), min_size=1, max_size=25
)


@given(
    kinds=ITEMS,
    lengths=st.lists(st.integers(0, 80), min_size=25, max_size=25),
    room=st.integers(0, 700),
    own=st.integers(0, 5),
)
def test_no_pair_is_cut_and_nothing_that_stays_is_changed(
    kinds: list[str], lengths: list[int], room: int, own: int
) -> None:
    """Results come at any distance from their calls, also behind a message of the user's."""
    items: list[JsonObject] = [user("begin")]
    waiting: list[str] = []
    for number, (kind, length) in enumerate(zip(kinds, lengths, strict=False)):
        text = "word " * length
        match kind:
            case "call" | "two calls":
                names = [f"call_{number}_{each}" for each in range(1 + (kind == "two calls"))]
                waiting += names
                items += [call(name, text) for name in names]
            case "result":
                items += [result(waiting.pop(0), text)] if waiting else []
            case _:
                items.append({"type": "message", "role": kind, "content": text})
    before = max(0, len(items) - own)
    request = joined(items[:before], items[before:])

    cut, places = fitted(request, room)

    left: list[JsonObject] = cut.body["input"]
    assert left == [*cut.earlier, *cut.own]
    assert [items[before + place] for place in places] == cut.own
    gone = [item for item in items if not any(item is each for each in left)]
    assert not any(item.get("role") in ("system", "developer") for item in gone)
    last = max(number for number, item in enumerate(items) if item.get("role") == "user")
    assert all(any(item is each for each in left) for item in items[last:])
    calls = {item["call_id"] for item in left if item["type"] == "function_call"}
    results = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    assert {item["call_id"] for item in left if item["type"] == "function_call_output"} == calls & results
    assert cut.size >= len(json_text(cut.body))
    candidates = [kept_from(items, start) for start in starts(items)]
    tokens = [estimate_request({"input": [item]}) for item in items]
    base = estimate_request({**request.body, "input": []})
    fitting = [kept for kept in candidates if base + sum(tokens[at] for at in kept) <= room]
    assert len(left) == len((fitting or candidates[-1:])[0])
