"""What becomes an event of each shape that Meta documents, and of those that it does not.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages
"""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callmissed.events.outbox import MAX_EVENT_BYTES, Event
from functions.bots.inbound.events import EventTooLargeError, event_of
from functions.bots.inbound.reading import Reading, read
from functions.webhooks.callbacks.receive import Callback
from functions.webhooks.callbacks.signers import Signers
from functions.webhooks.callbacks.whatsapp.verification import WhatsApp
from tests.support.webhooks.callbacks import NOW, body_of, change, message, status

PHONE, USER = "919876543210", "IN.13491208655302741918"
MEDIA = {"id": "1", "mime_type": "image/jpeg", "sha256": "x"}


def reading_of(*changes: Any) -> Reading:
    return read(body_of(*changes).decode())


def events_of(reading: Reading) -> list[Event]:
    """The events of what was read; what is too large for one is one more reject."""
    events: list[Event] = []
    for part in reading.parts:
        try:
            events.append(event_of("tnt_1", part, NOW))
        except EventTooLargeError:
            reading.rejects.append("too large for an event")
    return events


def data_of(value: dict[str, Any]) -> dict[str, Any]:
    """Data of the only event."""
    reading = reading_of(change(**value))
    assert reading.rejects == []
    (event,) = events_of(reading)
    return json.loads(event.body)["data"]


def received(type: str, part: Any, **more: Any) -> dict[str, Any]:
    fields = {"from": PHONE, "from_user_id": USER, "id": "wamid.1", "timestamp": "1", "type": type, type: part}
    return data_of({"messages": [{**fields, **more}]})


@pytest.mark.parametrize(
    ("type", "part", "text"),
    [
        ("text", {"body": "Where is my order?"}, "Where is my order?"),
        ("button", {"payload": "yes-1", "text": "Yes"}, "Yes"),
        ("interactive", {"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}}, "Yes"),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "1", "title": "Red", "description": "x"}}, "Red"),
        ("interactive", {"type": "nfm_reply", "nfm_reply": {"body": "Sent", "response_json": "{}"}}, "Sent"),
        ("interactive", {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}}, None),
        ("image", {**MEDIA, "caption": "Broken"}, "Broken"),
        ("video", MEDIA, None),
        ("document", {**MEDIA, "caption": "Bill", "filename": "bill.pdf"}, "Bill"),
        ("audio", {**MEDIA, "voice": True}, None),
        ("sticker", {**MEDIA, "animated": False}, None),
        ("location", {"latitude": 18.5, "longitude": 73.8, "name": "Pune"}, None),
        ("contacts", [{"name": {"formatted_name": "Asha"}}], None),
        ("reaction", {"message_id": "wamid.0", "emoji": "👍"}, None),
        ("order", {"catalog_id": "1", "text": "Soon, please", "product_items": []}, "Soon, please"),
        ("system", {"body": "From 1 to 2", "type": "user_changed_number", "wa_id": "2"}, "From 1 to 2"),
        ("unsupported", {"type": "poll"}, None),
        ("a type of next year", {"body": "?"}, None),
    ],
)
def test_a_message_keeps_its_text_and_the_rest(type: str, part: Any, text: str | None) -> None:
    more = {"context": {"id": "wamid.0"}, "referral": {"source_id": "ad-1"}, "errors": [{"code": 131051}]}

    data = received(type, part, **more)

    assert (data["from"], data["user_id"], data["message_id"], data["type"]) == (PHONE, USER, "wamid.1", type)
    assert data["text"] == text
    kept = {} if type == "text" else {type: part}
    assert data["content"] == {"timestamp": "1", **kept, **more}


def test_a_message_without_a_part_is_an_event_too() -> None:
    data = data_of({"messages": [{"from": PHONE, "id": "wamid.1", "type": "request_welcome"}]})

    assert (data["type"], data["text"], data["content"]) == ("request_welcome", None, {})


def test_a_person_without_a_phone_number_is_known_by_the_user_id() -> None:
    nameless = message("wamid.1") | {"from_user_id": USER}
    del nameless["from"]

    data = data_of({"messages": [nameless], "contacts": [{"user_id": USER, "profile": {"username": "asha"}}]})

    assert (data["from"], data["user_id"], data["text"]) == (None, USER, "Where is my order?")


def test_an_identity_that_only_the_contact_has_is_used() -> None:
    contacts = [{"wa_id": PHONE, "user_id": USER}]
    nameless = message("wamid.1")
    del nameless["from"]

    for one in (message("wamid.1"), nameless):
        data = data_of({"messages": [one], "contacts": contacts})
        assert (data["from"], data["user_id"]) == (PHONE, USER)


def test_another_persons_contact_names_nobody() -> None:
    contacts = [{"wa_id": "911", "user_id": "IN.1"}]
    nameless = message("wamid.1") | {"from_user_id": USER}
    del nameless["from"]

    for one, known in ((message("wamid.1"), (PHONE, None)), (nameless, (None, USER))):
        data = data_of({"messages": [one], "contacts": contacts})
        assert (data["from"], data["user_id"]) == known
    failed = {"id": "wamid.1", "status": "failed", "recipient_user_id": USER}
    assert data_of({"statuses": [failed], "contacts": contacts})["recipient"] is None


def test_a_contact_that_is_there_for_each_message_is_one_person() -> None:
    contact = {"wa_id": PHONE, "user_id": USER}

    assert data_of({"messages": [message("wamid.1")], "contacts": [contact, contact]})["user_id"] == USER


def test_a_changed_user_id_arrives_under_the_one_before() -> None:
    system = {"type": "user_changed_user_id", "body": "x", "previous_user_id": USER, "user_id": "IN.2"}

    data = data_of({"messages": [{"id": "wamid.1", "timestamp": "1", "type": "system", "system": system}]})

    assert (data["from"], data["user_id"], data["type"]) == (None, USER, "system")
    assert data["content"]["system"] == system


@pytest.mark.parametrize("name", ["sent", "delivered", "read", "played"])
def test_a_status_keeps_what_it_says(name: str) -> None:
    more = {"conversation": {"id": "c", "origin": {"type": "service"}}, "pricing": {"billable": False}}

    data = data_of({"statuses": [status("wamid.1", name, recipient_user_id=USER, **more)]})

    assert (data["status"], data["recipient"], data["user_id"]) == (name, PHONE, USER)
    assert data["content"] == {"timestamp": "1795599991", **more}


def test_a_failure_says_why_in_detail() -> None:
    error = {"code": 131047, "title": "Re-engagement message", "message": "Re-engagement", "href": "https://x"}
    failed = status("wamid.1", "failed", errors=[{**error, "error_data": {"details": "24 hours passed"}}, "odd"])
    del failed["recipient_id"]

    data = data_of({"statuses": [failed | {"recipient_user_id": USER}]})

    assert (data["recipient"], data["user_id"]) == (None, USER)
    assert data["error"] == "131047 Re-engagement message"
    assert data["errors"][0] == {
        "code": 131047,
        "title": "Re-engagement message",
        "message": "Re-engagement",
        "details": "24 hours passed",
    }
    assert data["content"]["errors"] == failed["errors"]


def test_statuses_of_several_people_are_several_events() -> None:
    people = [status("wamid.1", recipient_user_id=user) for user in ("IN.1", "IN.2")]
    for one in people:
        del one["recipient_id"]
    members = [status("wamid.2", recipient_participant_id=phone) for phone in ("91", "92")]

    events = events_of(reading_of(change(statuses=[*people, *members])))

    assert len({event.id for event in events}) == 4


def test_half_of_a_surrogate_pair_loses_itself_and_nothing_else() -> None:
    assert data_of({"messages": [message("wamid.1", "cut \ud83d")]})["text"] == "cut ?"


def test_content_that_is_too_large_is_left_out_and_the_message_is_not() -> None:
    data = received("image", {**MEDIA, "caption": "Broken", "extra": "x" * MAX_EVENT_BYTES})

    assert (data["text"], data["content"]) == ("Broken", None)


@pytest.mark.parametrize("depth", [150, 300, 20_000])
def test_content_that_is_too_deep_fails_nothing(depth: int) -> None:
    text = body_of(change(messages=[message("wamid.1")])).decode()

    reading = read(text.replace('"1795599990"', "[" * depth + "]" * depth))

    assert len(events_of(reading)) + len(reading.rejects) == 1


def test_another_field_is_rejected() -> None:
    assert reading_of(change(field="history", history=[])).rejects == [
        "a change without value, or of no field that is processed"
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def like(shape: Any) -> st.SearchStrategy[Any]:
    """Values as `shape`, with any JSON in any place, and fields left out."""
    match shape:
        case dict():
            fields: dict[str, Any] = shape
            return JSON | st.fixed_dictionaries({}, optional={name: like(part) for name, part in fields.items()})
        case list():
            (item,) = shape
            return JSON | st.lists(like(item), max_size=3)
        case _:
            return st.just(shape) | JSON


def neighbour() -> dict[str, Any]:
    return change(messages=[message("wamid.neighbour")])


VALUE = like(
    {
        "contacts": [{"wa_id": PHONE, "user_id": USER}],
        "messages": [{"from": PHONE, "id": "wamid.1", "type": "text", "text": {"body": "x"}, "system": {}}],
        "message_echoes": [{"to": PHONE, "to_user_id": USER, "id": "wamid.1", "type": "text", "text": {"body": "x"}}],
        "statuses": [{"id": "1", "status": "read", "errors": [{"code": 1, "error_data": {"details": "x"}}]}],
        "errors": [{"code": 1}],
    }
)


@settings(max_examples=300, deadline=None, database=None)
@given(value=VALUE, name=st.sampled_from(["messages", "smb_message_echoes"]))
@example(value={"messages": {"a": 1}}, name="messages")
@example(value={"errors": "x"}, name="messages")
def test_any_value_becomes_events_or_counted_rejects_and_its_neighbour_an_event(value: Any, name: str) -> None:
    reading = reading_of({"field": name, "value": value}, neighbour())

    *others, last = events = events_of(reading)
    assert json.loads(last.body)["data"]["message_id"] == "wamid.neighbour"
    assert others or reading.rejects or reading.error_codes
    for event in events:
        json.loads(event.body, parse_constant=pytest.fail)


class OneTenant(Signers):
    """Every number is the tenant's, and everything is signed."""

    def __init__(self) -> None:
        pass

    async def tenant(self, account: str, signed: Any) -> str | None:
        return "tnt_1"


@settings(max_examples=100, deadline=None, database=None)
@given(
    change=st.fixed_dictionaries({"field": st.sampled_from(["messages", "smb_message_echoes"]) | JSON, "value": VALUE})
    | JSON,
    metadata=st.just({"phone_number_id": "1066"}) | JSON,
)
async def test_any_change_in_a_signed_body_is_stored_and_so_is_its_neighbour(change: Any, metadata: Any) -> None:
    if isinstance(change, dict) and isinstance(change.get("value"), dict):
        change["value"]["metadata"] = metadata
    body = body_of(change, neighbour())

    items = await WhatsApp(OneTenant()).verify(Callback({}, body, (), NOW))

    readings = [read(item.text) for item in items]
    assert len(items) >= (1 if is_passed_over(change) else 2)
    assert len({item.own_id for item in items if "wamid.neighbour" in item.text}) == 1
    for reading in readings:
        assert events_of(reading) or reading.rejects or reading.error_codes


def is_passed_over(change: Any) -> bool:
    """Whether nothing processes the field of `change`."""
    name = change.get("field") if isinstance(change, dict) else None
    return isinstance(name, str) and name not in ("", "messages", "smb_message_echoes")
