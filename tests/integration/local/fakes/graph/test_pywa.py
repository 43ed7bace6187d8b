"""pywa, a client of the Cloud API, understands the stand-in: its answers to sends, and its callbacks."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from pywa import types as pywa_types
from pywa.client import WhatsApp
from pywa.errors import ExpiredAccessToken, ReEngagementMessage, WhatsAppError

from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.phones import PhoneUser
from tests.support.graph.client import TOKEN, USER, ToStandIn, pywa_client
from tests.support.graph.receiver import CallbackReceiver

types: Any = pywa_types
"""pywa does not export its types by name."""

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
BUTTONS: Any = [types.Button(title="Yes", callback_data="y"), types.Button(title="No", callback_data="n")]
ROWS: Any = types.SectionList(
    button_title="Choose",
    sections=[
        types.Section(title="Sizes", rows=[types.SectionRow(title="Large", callback_data="l", description="Big")])
    ],
)


@pytest.fixture
def pywa(graph: FakeGraph) -> Iterator[WhatsApp]:
    with httpx.Client(transport=ToStandIn(graph)) as session:
        yield pywa_client(graph, session)


@pytest.fixture
def phone(graph: FakeGraph, receiver: CallbackReceiver) -> PhoneUser:
    """A phone whose user has written."""
    phone = graph.phone(USER, name="Asha")
    phone.say("hi")
    graph.wait_idle()
    receiver.bodies.clear()
    return phone


SENDS: dict[str, Callable[[WhatsApp, PhoneUser], Any]] = {
    "text": lambda pywa, _: pywa.send_message(USER, "Hello", tracker="ours-1"),
    "reply": lambda pywa, phone: pywa.send_message(USER, "Hello", reply_to_message_id=phone.chat[0].wamid),
    "buttons": lambda pywa, _: pywa.send_message(USER, "Sure?", buttons=BUTTONS, footer="Tap"),
    "list": lambda pywa, _: pywa.send_message(USER, "Which?", buttons=ROWS),
    "link button": lambda pywa, _: pywa.send_message(
        USER, "Pay", buttons=types.URLButton(title="Open", url="https://example.com/pay")
    ),
    "image": lambda pywa, _: pywa.send_image(USER, PNG, caption="A cake", mime_type="image/png"),
    "image by link": lambda pywa, _: pywa.send_image(USER, "https://example.com/cake.png"),
    "video": lambda pywa, _: pywa.send_video(USER, b"mp4", mime_type="video/mp4"),
    "audio": lambda pywa, _: pywa.send_audio(USER, b"ogg", mime_type="audio/ogg"),
    "document": lambda pywa, _: pywa.send_document(USER, b"pdf", filename="a.pdf", mime_type="application/pdf"),
    "sticker": lambda pywa, _: pywa.send_sticker(USER, b"webp", mime_type="image/webp"),
    "reaction": lambda pywa, phone: pywa.send_reaction(USER, "👍", phone.chat[0].wamid),
    "location": lambda pywa, _: pywa.send_location(USER, 12.97, 77.59, "Office", "MG Road"),
    "contacts": lambda pywa, _: pywa.send_contact(
        USER, types.Contact(name=types.Contact.Name(formatted_name="Ravi Rao", first_name="Ravi"))
    ),
}


@pytest.mark.parametrize("kind", SENDS)
def test_send_is_taken_and_its_statuses_are_read(
    kind: str, graph: FakeGraph, pywa: WhatsApp, phone: PhoneUser, receiver: CallbackReceiver
) -> None:
    sent = SENDS[kind](pywa, phone)
    assert sent.id == graph.sent[-1].wamid
    assert phone.inbox[-1].wamid == sent.id
    graph.wait_idle()
    statuses = [types.MessageStatus.from_update(pywa, body) for body in receiver.bodies]
    assert [status.status for status in statuses] == ["sent", "delivered", "read"]
    assert {status.id for status in statuses} == {sent.id}
    assert {status.from_user.wa_id for status in statuses} == {USER}
    assert {status.tracker for status in statuses} == {"ours-1" if kind == "text" else None}
    assert statuses[0].pricing and statuses[0].pricing.model == "PMP"


def test_template_is_taken_and_sent_out_of_the_window(graph: FakeGraph, pywa: WhatsApp) -> None:
    graph.add_template("order_update", parameters=1)
    body = types.templates.BodyText.params("A-17")
    sent: Any = pywa.send_template(USER, "order_update", types.templates.TemplateLanguage.ENGLISH_US, [body])
    assert graph.sent[-1].wamid == sent.id
    with pytest.raises(ReEngagementMessage):
        pywa.send_message(USER, "Hello")


def test_user_without_a_number_is_answered_by_user_id(
    graph: FakeGraph, pywa: WhatsApp, phone: PhoneUser, receiver: CallbackReceiver
) -> None:
    phone.hide_number("asha.k")
    phone.say("It is me")
    graph.wait_idle()
    message = types.Message.from_update(pywa, receiver.bodies[-1])
    assert (message.from_user.wa_id, message.from_user.bsuid) == (None, phone.user.bsuid)
    assert message.from_user.username == "asha.k"
    pywa.send_message(phone.user.bsuid, "Hello")
    graph.wait_idle()
    assert graph.sent[-1].request["recipient"] == phone.user.bsuid
    status = types.MessageStatus.from_update(pywa, receiver.bodies[-1])
    assert (status.from_user.bsuid, status.from_user.wa_id) == (phone.user.bsuid, None)
    assert "recipient_id" not in receiver.statuses[-1]


WRITES: dict[str, tuple[Callable[[PhoneUser], str], Callable[[Any], object], object]] = {
    "text": (lambda phone: phone.say("Hello"), lambda message: message.text, "Hello"),
    "reaction": (
        lambda phone: phone.react(phone.chat[0].wamid, "👍"),
        lambda message: message.reaction and message.reaction.emoji,
        "👍",
    ),
    "image": (
        lambda phone: phone.send_media("image", PNG, "image/png", caption="A cake"),
        lambda message: (message.image and message.image.mime_type, message.caption),
        ("image/png", "A cake"),
    ),
    "voice": (
        lambda phone: phone.send_media("audio", b"ogg", "audio/ogg; codecs=opus"),
        lambda message: message.audio and message.audio.voice,
        True,
    ),
    "video": (
        lambda phone: phone.send_media("video", b"mp4", "video/mp4"),
        lambda message: message.video and message.video.mime_type,
        "video/mp4",
    ),
    "document": (
        lambda phone: phone.send_media("document", b"pdf", "application/pdf", filename="a.pdf"),
        lambda message: message.document and message.document.filename,
        "a.pdf",
    ),
    "sticker": (
        lambda phone: phone.send_media("sticker", b"webp", "image/webp"),
        lambda message: message.sticker and message.sticker.animated,
        False,
    ),
    "location": (
        lambda phone: phone.share_location(12.97, 77.59, name="Office"),
        lambda message: message.location and (message.location.latitude, message.location.name),
        (12.97, "Office"),
    ),
    "contact": (
        lambda phone: phone.share_contact("Ravi Rao", "+91 98000 00002"),
        lambda message: message.contacts and message.contacts[0].phones[0].wa_id,
        "919800000002",
    ),
    "poll": (lambda phone: phone.send_unsupported(), lambda message: message.error and message.error.code, 131051),
}


@pytest.mark.parametrize("kind", WRITES)
def test_message_of_a_user_is_read(
    kind: str, graph: FakeGraph, pywa: WhatsApp, phone: PhoneUser, receiver: CallbackReceiver
) -> None:
    write, read, expected = WRITES[kind]
    wamid = write(phone)
    graph.wait_idle()
    message = types.Message.from_update(pywa, receiver.bodies[-1])
    assert (message.id, message.from_user.wa_id, message.from_user.name) == (wamid, USER, "Asha")
    assert read(message) == expected


def test_choices_are_read(graph: FakeGraph, pywa: WhatsApp, phone: PhoneUser, receiver: CallbackReceiver) -> None:
    asked: Any = pywa.send_message(USER, "Sure?", buttons=BUTTONS)
    phone.choose("Yes")
    graph.wait_idle()
    button = types.CallbackButton.from_update(pywa, receiver.bodies[-1])
    assert (button.data, button.title, button.reply_to_message and button.reply_to_message.id) == ("y", "Yes", asked.id)
    pywa.send_message(USER, "Which?", buttons=ROWS)
    phone.choose("l")
    graph.wait_idle()
    row = types.CallbackSelection.from_update(pywa, receiver.bodies[-1])
    assert (row.data, row.title, row.description) == ("l", "Large", "Big")


def test_message_of_a_colleague_is_read(
    graph: FakeGraph, pywa: WhatsApp, phone: PhoneUser, receiver: CallbackReceiver
) -> None:
    wamid = phone.hear("text", {"body": "It arrives today."})
    graph.wait_idle()
    echo = types.OutgoingMessage.from_update(pywa, receiver.bodies[0])
    assert (echo.id, echo.text, echo.to_user.wa_id, echo.to_user.name) == (wamid, "It arrives today.", USER, "Asha")
    statuses = [types.MessageStatus.from_update(pywa, body) for body in receiver.bodies[1:]]
    assert [(status.id, status.status) for status in statuses] == [(wamid, "delivered"), (wamid, "read")]
    assert phone.inbox[-1].wamid == wamid


def test_changed_number_is_read(graph: FakeGraph, pywa: WhatsApp, phone: PhoneUser, receiver: CallbackReceiver) -> None:
    phone.change_number("919800000009")
    graph.wait_idle()
    change = types.PhoneNumberChange.from_update(pywa, receiver.bodies[-1])
    assert (change.old_wa_id, change.new_wa_id, change.new_user_id) == (USER, "919800000009", phone.user.bsuid)
    assert phone.say("Still me")
    graph.wait_idle()
    assert types.Message.from_update(pywa, receiver.bodies[-1]).from_user.wa_id == "919800000009"


def test_read_and_typing_are_taken(pywa: WhatsApp, phone: PhoneUser) -> None:
    assert pywa.indicate_typing(phone.chat[0].wamid)
    assert phone.chat[0].status == "read"
    assert phone.user.typing == {phone.number_id}
    pywa.send_message(USER, "Hello")
    assert phone.user.typing == set()


def test_media_go_up_and_come_down(pywa: WhatsApp, phone: PhoneUser, graph: FakeGraph) -> None:
    uploaded: Any = pywa.upload_media(PNG, "image/png", "cake.png")
    found = pywa.get_media_url(uploaded.id)
    assert (found.mime_type, found.file_size) == ("image/png", len(PNG))
    assert pywa.get_media_bytes(url=found.url) == PNG
    assert pywa.delete_media(uploaded.id)
    with pytest.raises(WhatsAppError) as refusal:
        pywa.get_media_url(uploaded.id)
    assert (refusal.value.code, refusal.value.subcode, refusal.value.status_code) == (100, 33, 400)


def test_numbers_and_accounts_are_read(pywa: WhatsApp, graph: FakeGraph) -> None:
    number = pywa.get_business_phone_number()
    assert (number.id, number.display_phone_number) == (phone_number(graph), "+91 80000 00001")
    assert [each.id for each in pywa.get_business_phone_numbers()] == [phone_number(graph)]
    assert pywa.get_business_account().id == graph.account.waba_id
    assert pywa.register_phone_number(pin=123456)


def phone_number(graph: FakeGraph) -> str:
    return next(iter(graph.account.numbers))


def test_revoked_token_raises_its_error(pywa: WhatsApp, graph: FakeGraph, phone: PhoneUser) -> None:
    graph.revoke_token(TOKEN)
    with pytest.raises(ExpiredAccessToken) as refusal:
        pywa.send_message(USER, "Hello")
    assert (refusal.value.status_code, refusal.value.subcode) == (401, 460)
    graph.restore_token(TOKEN)
    assert pywa.send_message(USER, "Hello")


async def test_statuses_reach_a_coroutine(graph: FakeGraph, receiver: CallbackReceiver) -> None:
    await asyncio.to_thread(graph.phone(USER).say, "hi")
    await graph.idle()
    assert len(receiver.messages) == 1
