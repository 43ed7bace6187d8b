"""The API of messages: what it sends, what it answers, and whom it serves."""

import secrets
from typing import Any
from urllib.parse import quote

import pytest

from callmissed.clock import MINUTE, Micros
from functions.bots.conversations.messages import MessageState
from tests.support.bots.bots_api import KEY, NOW, OWNER, BotsApi, BotTenant, refused
from tests.support.bots.whatsapp_numbers import NumberedTenant

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATH = "/api/v1/whatsapp/messages"
TEST_KEY = {**KEY, "mode": "test"}


def body(numbered: NumberedTenant, **fields: Any) -> dict[str, Any]:
    return {"phone_number_id": numbered.number.number_id, **fields}


async def test_key_sends_a_text(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    to = f"+{conversation.user.wa_id}"
    sent = await key.call("POST", PATH, json=body(numbered, to=to, text="hello", preview_url=True))
    assert sent.status_code == 200, sent.text
    (entry,) = numbered.delivered(conversation)
    assert entry.content == {"body": "hello", "preview_url": True}
    (message,) = sent.json().pop("messages")
    assert sent.json()["wamid"] == message["wamid"] == entry.wamid
    assert sent.json()["wamids"] == [entry.wamid]
    assert sent.json()["contacts"] == [{"input": to, "wa_id": conversation.user.wa_id, "user_id": None}]
    (stored,) = await numbered.messages(conversation)
    assert (stored.author, stored.status) == ("key:key_of_tests", MessageState.SENT)
    left = await numbered.current(conversation)
    assert (left.autoreply, left.epoch) == (True, 0)
    assert len(await numbered.events()) == 1


async def test_person_takes_the_conversation_over(api: BotsApi, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    person = api.tenant(numbered.id, **OWNER)
    answer = await person.call("POST", PATH, json=body(numbered, conversation_id=conversation.id, text="It's me"))
    assert answer.status_code == 200, answer.text
    left = await numbered.current(conversation)
    assert (left.autoreply, left.epoch) == (False, 1)
    assert (await numbered.messages(conversation))[0].author == "person:usr_of_tests"


async def test_number_is_named_by_exactly_one_id(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    text = {"to": conversation.user.wa_id, "text": "hello"}
    refused(await key.call("POST", PATH, json=text), 400, "invalid_request_error")
    both = body(numbered, phone_id=numbered.number.id, **text)
    refused(await key.call("POST", PATH, json=both), 400, "invalid_request_error")
    assert (await key.call("POST", PATH, json={"phone_id": numbered.number.id, **text})).status_code == 200
    absent = {"phone_number_id": "1234567", **text}
    refused(await key.call("POST", PATH, json=absent), 404, "not_found")


INTERACTIVE = {"type": "button", "body": {"text": "Which?"}, "action": {"buttons": []}}
FLAT_BUTTONS = {
    "interactive_type": "button",
    "body_text": "Which?",
    "footer_text": "small",
    "header_text": "Sizes",
    "buttons": [{"id": "s", "title": "Small"}, {"id": "l", "title": "Large"}],
}
FLAT_LIST = {
    "interactive_type": "list",
    "body_text": "Which?",
    "button_text": "Choose",
    "sections": [{"title": "Sizes", "rows": [{"id": "s", "title": "Small", "description": "for one"}]}],
}
FLAT_LINK = {"interactive_type": "cta_url", "body_text": "See", "button_text": "Open", "url": "https://example.com/a"}
RAW = {
    "interactive": {
        "type": "button",
        "body": {"text": "Raw"},
        "action": {"buttons": [{"type": "reply", "reply": {"id": "y", "title": "Yes"}}]},
    }
}
CONTACT = {"name": {"formatted_name": "Asha Rao", "first_name": "Asha"}, "phones": [{"phone": "+919800000009"}]}


@pytest.mark.parametrize(
    ("path", "fields", "kind"),
    [
        ("/media", {"type": "image", "link": "https://example.com/a.png", "caption": "a"}, "image"),
        ("/media", {"kind": "document", "link": "https://example.com/a.pdf", "filename": "a.pdf"}, "document"),
        ("/interactive", FLAT_BUTTONS, "interactive"),
        ("/interactive", FLAT_LIST, "interactive"),
        ("/interactive", FLAT_LINK, "interactive"),
        ("/interactive", RAW, "interactive"),
        ("/location", {"latitude": 12.97, "longitude": 77.59, "name": "Shop", "address": "1 MG Road"}, "location"),
        ("/contacts", {"contacts": [CONTACT]}, "contacts"),
    ],
)
async def test_each_kind_is_taken_by_graph(
    key: BotTenant, numbered: NumberedTenant, path: str, fields: dict[str, Any], kind: str
) -> None:
    conversation = await numbered.conversation()
    sent = await key.call("POST", PATH + path, json=body(numbered, to=conversation.user.wa_id, **fields))
    assert sent.status_code == 200, sent.text
    (entry,) = numbered.delivered(conversation)
    assert entry.kind == kind
    assert sent.json()["messages"][0]["type"] == kind


async def test_reaction_names_a_message(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    phone = numbered.sending.graph.phone(conversation.user.wa_id or "", number_id=numbered.number.number_id)
    wamid = phone.say("nice?")
    new = body(numbered, to=conversation.user.wa_id, message_id=wamid, emoji="👍")
    assert (await key.call("POST", f"{PATH}/reaction", json=new)).status_code == 200
    assert numbered.delivered(conversation)[0].content == {"message_id": wamid, "emoji": "👍"}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("", {"text": ""}),
        ("", {"text": " \n"}),
        ("", {"text": "x" * 65_537}),
        ("", {"text": "😀" * 40_000}),
        ("", {"text": "x", "to": "12"}),
        ("", {"text": "x", "to": "not a number"}),
        ("", {"text": "x", "recipient": "IN.1"}),
        ("", {"text": "x", "context_message_id": "w" * 129}),
        ("", {"text": "x", "surprise": 1}),
        ("/media", {"type": "image"}),
        ("/media", {"type": "image", "kind": "image", "link": "https://example.com"}),
        ("/media", {"type": "image", "link": "https://example.com", "media_id": "1"}),
        ("/media", {"type": "audio", "link": "https://example.com", "caption": "a"}),
        ("/media", {"type": "image", "link": "https://example.com", "filename": "a"}),
        ("/media", {"type": "image", "link": "ftp://example.com/a"}),
        ("/interactive", {}),
        ("/interactive", {**FLAT_BUTTONS, **RAW}),
        ("/interactive", {**FLAT_BUTTONS, "body_text": None}),
        ("/interactive", {**FLAT_BUTTONS, "buttons": FLAT_BUTTONS["buttons"] * 2}),
        ("/interactive", {**FLAT_LIST, "button_text": None}),
        ("/interactive", {"interactive": {"body": "x" * 40_000}}),
        ("/location", {"latitude": 91, "longitude": 0}),
        ("/location", {"latitude": True, "longitude": 0}),
        ("/contacts", {"contacts": []}),
        ("/contacts", {"contacts": [{"phones": []}]}),
        ("/reaction", {"message_id": "", "emoji": "x"}),
    ],
)
async def test_bad_message_is_refused_before_graph(
    key: BotTenant, numbered: NumberedTenant, path: str, fields: dict[str, Any]
) -> None:
    conversation = await numbered.conversation()
    answer = await key.call("POST", PATH + path, json={**body(numbered, to=conversation.user.wa_id), **fields})
    error = refused(answer, 422, "invalid_request_error")
    assert error["details"]
    assert numbered.delivered(conversation) == []


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        (131047, 422, "window_closed"),
        (131026, 422, "message_undeliverable"),
        (131051, 422, "unsupported_message"),
        (131053, 422, "media_failed"),
        (131009, 422, "invalid_message"),
        (100, 422, "invalid_message"),
        (190, 409, "number_disconnected"),
        (10, 409, "permission_missing"),
        (131031, 409, "account_blocked"),
        (368, 409, "account_blocked"),
        (131042, 409, "payment_method_missing"),
        (133010, 409, "number_not_registered"),
        (131048, 429, "throughput_limited"),
        (1, 502, "whatsapp_refused"),
    ],
)
async def test_refusal_of_meta_is_an_error_with_its_code(
    key: BotTenant, numbered: NumberedTenant, code: int, status: int, name: str
) -> None:
    conversation = await numbered.conversation()
    numbered.sending.graph.fault("error", code=code, times=1, to=conversation.user.wa_id)
    answer = await key.call("POST", PATH, json=body(numbered, to=conversation.user.wa_id, text="hello"))
    error = refused(answer, status, name)
    assert f"Meta's error {code}" in error["message"]
    (stored,) = await numbered.messages(conversation)
    assert stored.error is not None
    assert (stored.status, stored.error.code) == (MessageState.FAILED, code)
    assert stored.error.title not in error["message"]
    assert numbered.token not in answer.text


async def test_window_is_checked_before_graph(key: BotTenant, numbered: NumberedTenant) -> None:
    stranger = body(numbered, to="+919812345678", text="hello")
    refused(await key.call("POST", PATH, json=stranger), 422, "window_closed")
    closed = await numbered.conversation(last_inbound_at=Micros(NOW - 24 * 60 * MINUTE))
    late = body(numbered, to=closed.user.wa_id, text="hello")
    refused(await key.call("POST", PATH, json=late), 422, "window_closed")
    assert numbered.delivered(closed) == []


async def test_unknown_outcome_is_accepted_and_not_repeated(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    numbered.sending.graph.fault("lose_answer", times=1, to=conversation.user.wa_id)
    new, operation = body(numbered, to=conversation.user.wa_id, text="hello"), secrets.token_hex(16)
    first = await key.call("POST", PATH, json=new, operation=operation)
    assert (first.status_code, first.json()["wamid"]) == (202, None)
    assert first.json()["messages"][0]["status"] == "sending"
    assert len(numbered.delivered(conversation)) == 1


async def test_rerun_of_a_request_sends_nothing_again(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    new, operation = body(numbered, to=conversation.user.wa_id, text="x " * 4000), secrets.token_hex(16)
    first = await key.call("POST", PATH, json=new, operation=operation, headers={"x-begun": str(NOW)})
    again = await key.call("POST", PATH, json=new, operation=operation, headers={"x-begun": str(NOW)})
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert len(numbered.delivered(conversation)) == 2


async def test_long_text_goes_out_in_parts(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    text = "\n\n".join(f"{number} " + "नमस्ते " * 400 for number in range(10))
    new = body(numbered, to=conversation.user.wa_id, text=text, context_message_id="wamid.first")
    sent = await key.call("POST", PATH, json=new)
    assert sent.status_code == 200, sent.text
    parts = [entry.text or "" for entry in numbered.delivered(conversation)]
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert len(sent.json()["wamids"]) == len(parts) > 5
    contexts = [entry.request.get("context") for entry in numbered.delivered(conversation)]
    assert contexts == [{"message_id": "wamid.first"}, *[None] * (len(parts) - 1)]


async def test_more_than_a_hundred_waiting_parts_are_refused(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation(queued=99)
    new = body(numbered, to=conversation.user.wa_id, text="x " * 4000)
    error = await key.call("POST", PATH, json=new)
    refused(error, 429, "too_many_waiting")
    assert error.headers["retry-after"]


async def test_test_key_reaches_nobody(api: BotsApi, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    key = api.tenant(numbered.id, **TEST_KEY)
    sent = await key.call("POST", PATH, json=body(numbered, to=conversation.user.wa_id, text="x " * 4000))
    assert (sent.status_code, sent.headers["x-callmissed-sandbox"]) == (200, "true")
    assert [wamid.startswith("wamid.sandbox.") for wamid in sent.json()["wamids"]] == [True, True]
    assert (await key.call("POST", f"{PATH}/wamid.any/read")).headers["x-callmissed-sandbox"] == "true"
    refused(
        await key.call("POST", PATH, json={"phone_number_id": "1", "to": "+919800000001", "text": "x"}),
        404,
        "not_found",
    )
    for path in ("/api/v1/whatsapp/media/123", "/api/v1/whatsapp/media/123/content"):
        refused(await key.call("GET", path), 403, "sandbox_key")
    assert numbered.delivered(conversation) == []
    assert await numbered.messages(conversation) == []


async def test_token_that_meta_refuses_disconnects_until_it_is_renewed(
    key: BotTenant, numbered: NumberedTenant
) -> None:
    conversation = await numbered.conversation()
    new = body(numbered, to=conversation.user.wa_id, text="hello")
    numbered.sending.graph.revoke_token(numbered.token)
    refused(await key.call("POST", PATH, json=new), 409, "number_disconnected")
    refused(await key.call("POST", PATH, json=new), 409, "number_disconnected")
    assert len(await numbered.messages(conversation)) == 1
    shown = (await key.call("GET", "/api/v1/whatsapp/phone_numbers")).json()[0]
    assert shown["registration_status"] == "disconnected"
    assert shown["registration_error"]


async def test_message_is_found_by_its_wamid_and_shown_as_read(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    sent = await key.call("POST", PATH, json=body(numbered, to=conversation.user.wa_id, text="hello"))
    wamid = sent.json()["wamid"]
    answer = await key.call("GET", f"{PATH}/{quote(wamid, safe='')}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert (found["wamid"], found["direction"], found["text"]) == (wamid, "outbound", "hello")
    refused(await key.call("POST", f"{PATH}/{quote(wamid, safe='')}/read"), 404, "not_found")
    refused(await key.call("GET", f"{PATH}/wamid.unknown"), 404, "not_found")

    received = await numbered.received(conversation, "a question")
    read = await key.call("POST", f"{PATH}/{quote(received.wamid or '', safe='')}/read", json={"typing": True})
    assert read.json() == {"success": True}
    entry = numbered.sending.graph.state.entries[received.wamid or ""]
    assert (entry.status, numbered.number.number_id in entry.user.typing) == ("read", True)


async def test_wamid_with_a_slash_is_one_segment(key: BotTenant, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    received = await numbered.received(conversation, "a question", wamid="wamid.a/b+c==")
    found = await key.call("GET", f"{PATH}/wamid.a%2Fb%2Bc%3D%3D")
    assert (found.status_code, found.json()["id"]) == (200, received.id)


async def test_other_tenants_see_and_send_nothing(api: BotsApi, numbered: NumberedTenant) -> None:
    conversation = await numbered.conversation()
    received = await numbered.received(conversation, "mine")
    stranger, other = api.tenant(), await numbered.sending.tenant()
    foreign = api.tenant(other.id)
    text = {"to": conversation.user.wa_id, "text": "hello"}
    for caller in (stranger, foreign):
        for selector in ({"phone_id": numbered.number.id}, {"phone_number_id": numbered.number.number_id}):
            refused(await caller.call("POST", PATH, json={**selector, **text}), 404, "not_found")
        path = f"{PATH}/{quote(received.wamid or '', safe='')}"
        refused(await caller.call("GET", path), 404, "not_found")
        refused(await caller.call("POST", f"{path}/read"), 404, "not_found")
    theirs = {"phone_id": other.number.id, "conversation_id": conversation.id, "text": "hello"}
    refused(await foreign.call("POST", PATH, json=theirs), 404, "not_found")
    assert numbered.delivered(conversation) == []
