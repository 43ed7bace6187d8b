"""What a team changes of a conversation, and what is written with it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from callmissed.aws.database import Database
from callmissed.clock import MINUTE, Micros, iso
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.records import WINDOW_HOURS, Claim, Status, StoredConversation, due_text, user_key
from tests.support.bots.inbox import NOW, InboxApi, Tenant
from tests.support.webhooks.audits import audited
from tests.support.webhooks.subscribers import refused

HANDOFFS = "/api/v1/handoffs"
DAY = WINDOW_HOURS * 3600


@pytest.fixture
def database(inbox_api: InboxApi) -> Database:
    return inbox_api.database


async def changed(tenant: Tenant, method: str, path: str, body: Any = None, **more: Any) -> Any:
    answer = await tenant.call(method, path, json=body, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def set_status(tenant: Tenant, conversation: StoredConversation, status: str) -> Any:
    return await changed(tenant, "PUT", f"/{conversation.id}/status", {"status": status})


async def ended(tenant: Tenant) -> Sequence[tuple[str, Any]]:
    """Status and duration of each `conversation.ended`."""
    bodies = [json.loads(event.body)["data"] for event in await tenant.events() if event.type == "conversation.ended"]
    return [(body["status"], body["duration_seconds"]) for body in bodies]


async def queue_of(database: Database, tenant: Tenant) -> list[str]:
    """Ids of the conversations in the hand-off queue's items."""
    items = [item async for item in database.query(CONVERSATIONS, tenant.id, consistent=True)]
    return [item["conversation_id"] for item in items if item["item"].startswith("HANDOFF#")]


@pytest.mark.parametrize("status", ["completed", "failed"])
async def test_an_ended_conversation_says_so_once(inbox_api: InboxApi, tenant: Tenant, status: str) -> None:
    conversation = await tenant.conversation(bot_id="bot_1", last_activity=Micros(NOW + 3 * MINUTE), unread=1)
    inbox_api.clock.pass_(240)

    first = await set_status(tenant, conversation, status)
    again = await set_status(tenant, conversation, status)

    assert (first["status"], first["duration_seconds"], first["unread_count"]) == (status, 180, 1)
    assert first["updated_at"] == iso(inbox_api.clock())
    assert again == first
    assert await ended(tenant) == [(status, 180)]
    (event,) = await tenant.events()
    assert event.bot_id == "bot_1"


async def test_an_ended_conversation_has_no_work_left(database: Database, tenant: Tenant) -> None:
    conversation = await tenant.conversation(pending=2, pending_since=NOW, due=due_text(NOW))

    await set_status(tenant, conversation, "completed")

    stored = await tenant.stored(conversation)
    assert (stored.pending, stored.pending_since, stored.due, stored.epoch) == (0, None, None, 1)


@pytest.mark.parametrize("waits", [{"queued": 3}, {"unsettled": frozenset({"msg_1"})}])
async def test_what_waits_to_be_sent_is_still_due_when_the_conversation_ends(
    tenant: Tenant, waits: dict[str, Any]
) -> None:
    conversation = await tenant.conversation(pending=1, due=due_text(NOW), **waits)

    await set_status(tenant, conversation, "completed")

    stored = await tenant.stored(conversation)
    assert (stored.pending, stored.due) == (0, due_text(NOW))
    assert {name: getattr(stored, name) for name in waits} == waits


async def test_a_conversation_whose_queue_was_worked_off_can_end(database: Database, tenant: Tenant) -> None:
    conversation = await tenant.conversation(due=due_text(NOW))
    await database.update(CONVERSATIONS, conversation.key, set={"queued": 0})

    assert (await set_status(tenant, conversation, "completed"))["status"] == "completed"
    assert (await tenant.stored(conversation)).due is None


async def test_a_silent_conversation_ends_once_when_it_is_completed(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation(bot_id="bot_1")
    inbox_api.clock.pass_(DAY)

    await set_status(tenant, conversation, "completed")

    assert (await tenant.stored(conversation)).status is Status.COMPLETED
    assert await ended(tenant) == [("completed", 0)]


async def test_an_ended_conversation_is_reopened_as_the_latest(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation(status=Status.COMPLETED)
    inbox_api.clock.pass_(2 * DAY)

    reopened = await set_status(tenant, conversation, "active")

    assert (reopened["status"], reopened["duration_seconds"]) == ("active", None)
    assert reopened["last_message_at"] == iso(inbox_api.clock())
    assert await tenant.events() == []
    inbox_api.clock.pass_(DAY)
    assert (await tenant.get(f"/{conversation.id}"))["status"] == "completed"


async def test_a_silent_conversation_is_reopened(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation()
    inbox_api.clock.pass_(DAY)

    assert (await set_status(tenant, conversation, "active"))["status"] == "active"
    assert (await tenant.stored(conversation)).last_activity == inbox_api.clock()


@pytest.mark.parametrize("status", ["active", "escalated"])
async def test_an_end_user_has_one_open_conversation_at_a_number(
    database: Database, tenant: Tenant, status: str
) -> None:
    old = await tenant.conversation(status=Status.COMPLETED)
    newer = await tenant.store(replace(old, id=f"{old.id[:-1]}X", status=Status.ACTIVE))

    answer = await tenant.call("PUT", f"/{old.id}/status", json={"status": status})

    refused(answer, 409, "conversation_superseded")
    assert (await tenant.stored(old)).status is Status.COMPLETED
    assert (await tenant.stored(newer)).status is Status.ACTIVE
    assert await audited(database, tenant.id) == []


async def test_one_name_of_a_newer_conversation_is_enough(database: Database, tenant: Tenant) -> None:
    old = await tenant.conversation(status=Status.COMPLETED)
    one = old.user.keys[1]
    await database.put(CONVERSATIONS, user_key(tenant.id, old.number_id, one) | {"conversation_id": "conv_newer"})

    answer = await tenant.call("PUT", f"/{old.id}/status", json={"status": "active"})

    refused(answer, 409, "conversation_superseded")


async def test_an_escalated_conversation_waits_in_the_queue_until_it_is_active(
    database: Database, tenant: Tenant
) -> None:
    conversation = await tenant.conversation(bot_id="bot_1")

    escalated = await set_status(tenant, conversation, "escalated")
    assert (escalated["status"], escalated["awaits_person"], escalated["ai_autoreply_enabled"]) == (
        "escalated",
        True,
        False,
    )
    assert await queue_of(database, tenant) == [conversation.id]

    active = await set_status(tenant, conversation, "active")
    assert (active["status"], active["awaits_person"], active["ai_autoreply_enabled"]) == ("active", False, False)
    assert await queue_of(database, tenant) == []


async def test_an_ended_conversation_can_be_escalated(database: Database, tenant: Tenant) -> None:
    conversation = await tenant.conversation(status=Status.FAILED)

    assert (await set_status(tenant, conversation, "escalated"))["awaits_person"] is True
    assert await queue_of(database, tenant) == [conversation.id]


async def test_a_take_over_waits_for_the_bots_message_and_is_handed_back(inbox_api: InboxApi, tenant: Tenant) -> None:
    claim = Claim("msg_1", NOW, by_bot=True)
    conversation = await tenant.conversation(claim=claim)
    looks: list[float] = []

    async def sent_meanwhile(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            await tenant.store(replace(await tenant.stored(conversation), claim=None))

    inbox_api.sleep = sent_meanwhile
    taken = await changed(tenant, "POST", f"/{conversation.id}/autoreply", {"enabled": False})
    back = await changed(tenant, "POST", f"/{conversation.id}/autoreply", {"enabled": True})

    assert len(looks) == 3
    assert (taken["ai_autoreply_enabled"], back["ai_autoreply_enabled"]) == (False, True)
    assert (await tenant.stored(conversation)).epoch == 2


async def test_completing_waits_for_the_bots_message_too(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation(claim=Claim("msg_1", NOW, by_bot=True), due=due_text(NOW))
    looks: list[float] = []

    async def sent_meanwhile(seconds: float) -> None:
        looks.append(seconds)
        await tenant.store(replace(await tenant.stored(conversation), claim=None))

    inbox_api.sleep = sent_meanwhile

    assert (await set_status(tenant, conversation, "completed"))["status"] == "completed"
    assert len(looks) == 1
    assert (await tenant.stored(conversation)).due == due_text(NOW)


async def test_a_person_who_is_assigned_takes_over(tenant: Tenant) -> None:
    conversation, person = await tenant.conversation(), await tenant.person()

    assigned = await changed(tenant, "PATCH", f"/{conversation.id}", {"assigned_to": person})
    nobody = await changed(tenant, "PATCH", f"/{conversation.id}", {"assigned_to": None})

    assert (assigned["assigned_to"], assigned["ai_autoreply_enabled"]) == (person, False)
    assert (nobody["assigned_to"], nobody["ai_autoreply_enabled"]) == (None, False)
    assert (await tenant.stored(conversation)).epoch == 1


async def test_only_active_people_of_the_tenant_are_assigned(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation(status=Status.ESCALATED, handoff="HANDOFF#1")
    people = [await tenant.person(is_active=False), await inbox_api.tenant().person(), "usr_unknown", "x"]

    for person in people:
        answer = await tenant.call("PATCH", f"/{conversation.id}", json={"assigned_to": person})
        assert refused(answer, 422, "invalid_request_error")["details"][0]["loc"] == ["body", "assigned_to"]
        answer = await tenant.call("POST", f"/{conversation.id}/assign", base=HANDOFFS, json={"user_id": person})
        assert refused(answer, 422, "invalid_request_error")["details"][0]["loc"] == ["body", "user_id"]
    assert (await tenant.stored(conversation)).assigned_to is None


async def test_labels_are_replaced(tenant: Tenant) -> None:
    conversation = await tenant.conversation(labels=frozenset({"old"}))

    assert (await changed(tenant, "PATCH", f"/{conversation.id}", {"labels": ["b", " a ", "b"]}))["labels"] == [
        "a",
        "b",
    ]
    assert (await changed(tenant, "PATCH", f"/{conversation.id}", {}))["labels"] == ["a", "b"]
    assert (await changed(tenant, "PATCH", f"/{conversation.id}", {"labels": []}))["labels"] == []


@pytest.mark.parametrize("labels", [[""], ["x" * 51], ["a\nb"], ["x"] * 21, "x", [None], [1]])
async def test_invalid_labels_are_refused(tenant: Tenant, labels: Any) -> None:
    conversation = await tenant.conversation()

    refused(await tenant.call("PATCH", f"/{conversation.id}", json={"labels": labels}), 422, "invalid_request_error")


async def test_read_and_unread(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation(unread=3)

    still = await changed(tenant, "POST", f"/{conversation.id}/unread")
    read = await changed(tenant, "POST", f"/{conversation.id}/read")
    unread = await changed(tenant, "POST", f"/{conversation.id}/unread")

    assert (still["unread_count"], still["last_read_at"]) == (3, None)
    assert (read["unread_count"], read["last_read_at"]) == (0, iso(inbox_api.clock()))
    assert (unread["unread_count"], unread["last_read_at"]) == (1, iso(inbox_api.clock()))


async def test_the_queue_has_the_longest_waiting_first(inbox_api: InboxApi, tenant: Tenant) -> None:
    waiting: list[StoredConversation] = []
    for _ in range(3):
        waiting.append(await tenant.conversation())
        await set_status(tenant, waiting[-1], "escalated")
        inbox_api.clock.pass_(1)
    person = await tenant.person()
    await changed(tenant, "POST", f"/{waiting[0].id}/assign", {"user_id": person}, base=HANDOFFS)

    first = await tenant.call("GET", base=HANDOFFS, params={"limit": 2})
    cursor = first.json()["next_cursor"]
    second = await tenant.call("GET", base=HANDOFFS, params={"limit": 2, "cursor": cursor})
    nobodys = await tenant.call("GET", base=HANDOFFS, params={"assigned": "none"})

    shown = [[each["conversation"]["id"] for each in page.json()["data"]] for page in (first, second, nobodys)]
    assert shown == [[waiting[0].id, waiting[1].id], [waiting[2].id], [waiting[1].id, waiting[2].id]]
    assert second.json()["next_cursor"] is None
    entry = first.json()["data"][0]
    assert (entry["reason"], entry["waiting_since"]) == ("by_person", iso(NOW))
    assert entry["conversation"]["assigned_to"] == person
    count = await tenant.call("GET", "/count", base=HANDOFFS)
    assert count.json() == {"count": 3, "unassigned": 2, "is_minimum": False}
    refused(
        await tenant.call("GET", base=HANDOFFS, params={"assigned": "any", "cursor": cursor}),
        422,
        "invalid_request_error",
    )


async def test_a_silent_hand_off_no_longer_waits(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation()
    await set_status(tenant, conversation, "escalated")
    inbox_api.clock.pass_(DAY)

    assert (await tenant.call("GET", base=HANDOFFS)).json() == {"data": [], "next_cursor": None}
    assert (await tenant.call("GET", "/count", base=HANDOFFS)).json()["count"] == 0
    refused(await tenant.call("POST", f"/{conversation.id}/resolve", base=HANDOFFS), 404, "not_found")


@pytest.mark.parametrize(
    ("body", "status", "autoreply"),
    [
        (None, "active", True),
        ({}, "active", True),
        ({"complete": False}, "active", True),
        ({"complete": True}, "completed", False),
    ],
)
async def test_a_resolved_hand_off_is_the_bots_or_completed(
    database: Database, tenant: Tenant, body: Any, status: str, autoreply: bool
) -> None:
    conversation, person = await tenant.conversation(), await tenant.person()
    await set_status(tenant, conversation, "escalated")
    await changed(tenant, "POST", f"/{conversation.id}/assign", {"user_id": person}, base=HANDOFFS)

    resolved = await changed(tenant, "POST", f"/{conversation.id}/resolve", body, base=HANDOFFS)

    assert (resolved["status"], resolved["ai_autoreply_enabled"]) == (status, autoreply)
    assert resolved["awaits_person"] is False
    assert await queue_of(database, tenant) == []
    refused(await tenant.call("POST", f"/{conversation.id}/resolve", base=HANDOFFS), 404, "not_found")


async def test_every_change_but_reading_is_audited_with_who_did_it(database: Database, tenant: Tenant) -> None:
    conversation, person = await tenant.conversation(unread=1), await tenant.person()
    path = f"/{conversation.id}"
    await changed(tenant, "PATCH", path, {"labels": ["vip"]}, person=person)
    await changed(tenant, "PATCH", path, {"assigned_to": person}, person=person)
    await changed(tenant, "POST", f"{path}/autoreply", {"enabled": True}, person=person)
    await changed(tenant, "PUT", f"{path}/status", {"status": "escalated"}, person=person)
    await changed(tenant, "POST", f"{path}/resolve", {"complete": True}, base=HANDOFFS, person=person)
    await changed(tenant, "POST", f"{path}/read", person=person)

    events = await audited(database, tenant.id)

    assert {resource for _, resource, _ in events} == {conversation.id}
    assert sorted((action, metadata["before"], metadata["after"]) for action, _, metadata in events) == [
        ("conversation.assign", None, person),
        ("conversation.autoreply", False, True),
        ("conversation.label", [], ["vip"]),
        ("conversation.status", "active", "escalated"),
        ("conversation.status", "escalated", "completed"),
    ]


ROUTES = [
    ("PUT", "/status", {"status": "completed"}),
    ("PATCH", "", {"labels": ["a"]}),
    ("PATCH", "", {"assigned_to": None}),
    ("POST", "/autoreply", {"enabled": False}),
    ("POST", "/autoreply", {"enabled": True}),
    ("POST", "/read", None),
    ("POST", "/unread", None),
    ("POST", "/assign", {"user_id": "usr_1"}),
    ("POST", "/resolve", {}),
]


@pytest.mark.parametrize(("method", "below", "body"), ROUTES)
async def test_a_foreign_conversation_is_changed_like_none(
    inbox_api: InboxApi, tenant: Tenant, method: str, below: str, body: Any
) -> None:
    conversation = await tenant.conversation(handoff="HANDOFF#1", status=Status.ESCALATED)
    base = HANDOFFS if below in ("/assign", "/resolve") else "/api/v1/conversations"

    for caller, id in ((inbox_api.tenant(), conversation.id), (tenant, "conv_unknown"), (tenant, "USER")):
        answer = await caller.call(method, f"/{id}{below}", base=base, json=body)
        assert answer.status_code == 404, answer.text
    assert await tenant.stored(conversation) == conversation


@pytest.mark.parametrize(
    ("path", "body"),
    [("status", {"status": "open"}), ("status", {}), ("autoreply", {"enabled": "maybe"}), ("autoreply", {"x": 1})],
)
async def test_invalid_changes_are_refused(tenant: Tenant, path: str, body: Any) -> None:
    conversation = await tenant.conversation()
    method = "PUT" if path == "status" else "POST"

    refused(await tenant.call(method, f"/{conversation.id}/{path}", json=body), 422, "invalid_request_error")
