"""Callbacks: repeated, doubled, reordered, grouped, and what statuses say."""

from collections.abc import Iterator

import pytest

from local.fakes.graph.accounts import GraphApp, GraphNumber
from local.fakes.graph.fake import FakeGraph
from local.fakes.graph.phones import PhoneError
from local.fakes.graph.state import GraphOptions
from tests.support.graph.client import USER, Business
from tests.support.graph.receiver import CallbackReceiver

OTHER = "919800000002"


@pytest.fixture
def kept() -> Iterator[FakeGraph]:
    """A stand-in that keeps its callbacks."""
    with FakeGraph().serving() as graph:
        yield graph


def texts(graph: FakeGraph) -> list[list[str]]:
    """The texts of each callback that was kept."""
    return [[update.part["text"]["body"] for update in callback.updates] for callback in graph.take()]


def test_callback_is_repeated_until_it_is_answered_with_200(graph: FakeGraph, receiver: CallbackReceiver) -> None:
    receiver.answers = [500, 429, 204]
    wamid = graph.phone(USER).say("hi")
    graph.wait_idle()
    assert [message["id"] for message in receiver.messages] == [wamid]
    assert {message["id"] for body in receiver.refused for message in values(body)} == {wamid}
    assert [status for _, status in graph.sender.attempts] == [500, 429, 204, 200]


def values(body: dict) -> list[dict]:
    return body["entry"][0]["changes"][0]["value"]["messages"]


def test_callback_is_given_up_in_the_end(receiver: CallbackReceiver) -> None:
    options = GraphOptions(retry_seconds=(0.001,), max_attempts=3)
    receiver.answers = [500] * 3
    with FakeGraph(callback_url=receiver.url, options=options).serving() as graph:
        graph.phone(USER).say("hi")
        graph.wait_idle()
    assert (len(receiver.refused), receiver.bodies) == (3, [])


def test_callback_to_nobody_is_repeated(receiver: CallbackReceiver) -> None:
    options = GraphOptions(retry_seconds=(0.001,), max_attempts=2)
    with FakeGraph(callback_url="http://127.0.0.1:1/", options=options).serving() as graph:
        graph.phone(USER).say("hi")
        graph.wait_idle()
        assert [status for _, status in graph.sender.attempts] == [0, 0]


def test_message_is_delivered_when_its_callback_is_accepted(graph: FakeGraph, receiver: CallbackReceiver) -> None:
    phone = graph.phone(USER)
    phone.say("hi")
    graph.wait_idle()
    assert [entry.status for entry in phone.chat] == ["delivered"]


def test_messages_of_a_user_come_in_order(graph: FakeGraph, receiver: CallbackReceiver) -> None:
    phone = graph.phone(USER)
    written = [phone.say(f"line {n}") for n in range(20)]
    graph.wait_idle()
    assert [message["id"] for message in receiver.messages] == written


def test_duplicate_has_the_same_body(kept: FakeGraph) -> None:
    kept.fault("duplicate")
    phone = kept.phone(USER)
    phone.say("a")
    phone.say("b")
    callbacks = kept.take()
    assert len(callbacks) == 3
    assert callbacks[0].body == callbacks[1].body


def test_reordered_callback_comes_after_the_next(kept: FakeGraph) -> None:
    kept.fault("reorder")
    phone = kept.phone(USER)
    for text in ("a", "b", "c"):
        phone.say(text)
    assert texts(kept) == [["b"], ["a"], ["c"]]


def test_reordered_callback_does_not_wait_for_ever(graph: FakeGraph, receiver: CallbackReceiver) -> None:
    graph.fault("reorder")
    wamid = graph.phone(USER).say("alone")
    graph.wait_idle()
    assert [message["id"] for message in receiver.messages] == [wamid]


def test_regrouped_updates_come_in_one_callback(kept: FakeGraph) -> None:
    kept.fault("regroup", times=2)
    for user, text in ((USER, "a"), (OTHER, "b"), (USER, "c"), (USER, "d")):
        kept.phone(user).say(text)
    together, alone = kept.take()
    (entry,) = together.json["entry"]
    (change,) = entry["changes"]
    assert [message["text"]["body"] for message in change["value"]["messages"]] == ["a", "b", "c"]
    assert [contact["wa_id"] for contact in change["value"]["contacts"]] == [USER, OTHER]
    assert len(alone.updates) == 1


def test_regrouped_callback_is_split_when_it_is_repeated(graph: FakeGraph, receiver: CallbackReceiver) -> None:
    graph.fault("regroup")
    receiver.answers = [500]
    written = {graph.phone(user).say("hi") for user in (USER, OTHER)}
    graph.wait_idle()
    assert len(values(receiver.refused[0])) == 2
    assert [len(values(body)) for body in receiver.bodies] == [1, 1]
    assert {message["id"] for message in receiver.messages} == written


def test_callbacks_of_two_apps_are_never_one(kept: FakeGraph) -> None:
    kept.add_account(GraphApp("other-secret", app_id="2"), "200", [GraphNumber("201")], "EAAother")
    kept.fault("regroup")
    kept.phone(USER).say("a")
    kept.phone(USER, number_id="201").say("b")
    first, second = kept.take()
    assert [first.json["entry"][0]["id"], second.json["entry"][0]["id"]] == [kept.account.waba_id, "200"]
    assert first.headers["X-Hub-Signature-256"] != second.headers["X-Hub-Signature-256"]


def test_body_is_escaped_as_metas(kept: FakeGraph) -> None:
    kept.phone(USER).say("ü/ö")
    (callback,) = kept.take()
    assert b"\\u00fc\\/\\u00f6" in callback.body
    assert callback.json["entry"][0]["changes"][0]["value"]["messages"][0]["text"]["body"] == "ü/ö"


def statuses(graph: FakeGraph) -> list[dict]:
    return [update.part for callback in graph.take() for update in callback.updates if update.name == "statuses"]


def opened(graph: FakeGraph) -> Business:
    """A business to which the user has written."""
    graph.phone(USER).say("hi")
    graph.take()
    return Business(graph)


def test_statuses_have_a_price_and_no_conversation(kept: FakeGraph) -> None:
    opened(kept).send(biz_opaque_callback_data="ours-1")
    sent, delivered, read = statuses(kept)
    price = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "free_customer_service"}
    assert sent["pricing"] == delivered["pricing"] == price
    assert "pricing" not in read
    assert all("conversation" not in status for status in (sent, delivered, read))
    assert sent["recipient_id"] == USER
    assert sent["recipient_user_id"] == kept.phone(USER).user.bsuid
    assert {status["biz_opaque_callback_data"] for status in (sent, delivered, read)} == {"ours-1"}


def test_earlier_versions_have_a_conversation() -> None:
    with FakeGraph(options=GraphOptions(callback_version=23)).serving() as graph:
        opened(graph).send()
        sent, delivered, _ = statuses(graph)
    assert sent["conversation"]["id"] == delivered["conversation"]["id"]
    assert sent["conversation"]["origin"] == {"type": "service"}
    assert "expiration_timestamp" in sent["conversation"]
    assert "expiration_timestamp" not in delivered["conversation"]


def test_phone_off_line_and_unread_hold_statuses_back(kept: FakeGraph) -> None:
    business, phone = opened(kept), kept.phone(USER)
    phone.set_online(False)
    phone.set_reads(False)
    business.send()
    assert [status["status"] for status in statuses(kept)] == ["sent"]
    assert phone.inbox == []
    phone.set_online()
    assert [status["status"] for status in statuses(kept)] == ["delivered"]
    assert len(phone.inbox) == 1
    phone.set_reads()
    assert [status["status"] for status in statuses(kept)] == ["read"]


def failure(graph: FakeGraph) -> int:
    """The code of the only status, which has no contact."""
    (callback,) = graph.take()
    value = callback.json["entry"][0]["changes"][0]["value"]
    assert "contacts" not in value
    (status,) = value["statuses"]
    assert status["status"] == "failed"
    return status["errors"][0]["code"]


def test_blocked_business_gets_131026(kept: FakeGraph) -> None:
    business, phone = opened(kept), kept.phone(USER)
    phone.block()
    assert business.send().status_code == 200
    assert failure(kept) == 131026
    phone.unblock()
    business.send()
    assert [status["status"] for status in statuses(kept)] == ["sent", "delivered", "read"]


def test_status_of_choice_fails_or_stays_away(kept: FakeGraph) -> None:
    business = opened(kept)
    kept.fault("failed_status", code=131053)
    business.send()
    assert failure(kept) == 131053
    kept.fault("no_status")
    business.send()
    assert kept.take() == []


def test_closed_window_may_be_a_status() -> None:
    with FakeGraph(options=GraphOptions(window_errors="status")).serving() as graph:
        business = opened(graph)
        graph.phone(USER).close_window()
        assert business.send().status_code == 200
        assert failure(graph) == 131047


def test_changed_ids_name_those_before(kept: FakeGraph) -> None:
    phone = kept.phone(USER, name="Asha")
    before = phone.user.bsuid
    phone.change_user_id()
    (callback,) = kept.take()
    value = callback.json["entry"][0]["changes"][0]["value"]
    assert "contacts" not in value
    (message,) = value["messages"]
    assert (message["from"], message["from_user_id"], message["type"]) == (USER, before, "system")
    system = message["system"]
    assert (system["previous_user_id"], system["user_id"]) == (before, phone.user.bsuid)
    phone.change_number(OTHER)
    (message,) = kept.take()[0].json["entry"][0]["changes"][0]["value"]["messages"]
    assert (message["from"], message["system"]["wa_id"]) == (USER, OTHER)
    assert kept.phone(OTHER).user is phone.user
    with pytest.raises(PhoneError):
        phone.change_number(kept.phone("919800000003").user.wa_id)


def test_hidden_number_is_in_no_callback(kept: FakeGraph) -> None:
    phone = kept.phone(USER)
    phone.hide_number("asha")
    phone.say("hi")
    (callback,) = kept.take()
    value = callback.json["entry"][0]["changes"][0]["value"]
    assert value["contacts"] == [{"profile": {"name": "User 0001", "username": "asha"}, "user_id": phone.user.bsuid}]
    assert value["messages"][0]["from_user_id"] == phone.user.bsuid
    assert USER not in callback.body.decode()
    Business(kept).send(recipient=phone.user.bsuid)
    assert all(USER not in callback.body.decode() for callback in kept.take())
    phone.show_number()
    phone.say("hi")
    assert USER in kept.take()[0].body.decode()


def test_choice_that_no_message_offers_is_an_error(kept: FakeGraph) -> None:
    with pytest.raises(PhoneError):
        kept.phone(USER).choose("Yes")


def test_numbers_of_one_user_are_chats_of_their_own(kept: FakeGraph) -> None:
    kept.add_account(GraphApp("other-secret", app_id="2"), "200", [GraphNumber("201")], "EAAother")
    kept.phone(USER).say("a")
    kept.phone(USER, number_id="201").say("b")
    assert [entry.text for entry in kept.phone(USER).chat] == ["a"]
    assert Business(kept, "EAAother").send(number_id="201").status_code == 200
    assert [entry.number_id for entry in kept.sent] == ["201"]
