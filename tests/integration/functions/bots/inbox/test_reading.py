"""What a team reads of its conversations, messages and turns."""

from typing import Any

import pytest

from callmissed.clock import MINUTE, iso
from functions.bots.conversations.messages import MessageState, SendFailure
from functions.bots.conversations.records import WINDOW_HOURS, LastTurn, Status, TurnState
from functions.bots.inbox import listing
from tests.support.bots.inbox import NOW, InboxApi, Tenant, later
from tests.support.webhooks.subscribers import refused

LAMBDA_ANSWER = 6 * 1024 * 1024


async def ids_of_pages(tenant: Tenant, **query: Any) -> list[list[str]]:
    """Ids on each page of the list."""
    pages, cursor = list[list[str]](), None
    while True:
        page = await tenant.get(**query, **({"cursor": cursor} if cursor else {}))
        pages.append([each["id"] for each in page["data"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return pages


async def test_a_conversation_is_shown_with_its_bot_and_latest_turn(tenant: Tenant) -> None:
    bot = await tenant.bot("Orders")
    last_turn = LastTurn("turn_1", TurnState.SKIPPED, "quota_exceeded")
    conversation = await tenant.conversation(
        bot_id=bot, last_turn=last_turn, labels=frozenset({"vip", "a"}), unread=2, handoff="HANDOFF#1"
    )

    assert await tenant.get(f"/{conversation.id}") == {
        "id": conversation.id,
        "tenant_id": tenant.id,
        "bot_id": bot,
        "bot_name": "Orders",
        "channel": "whatsapp",
        "external_id": conversation.user.wa_id,
        "contact": {"name": "User 1", "wa_id": conversation.user.wa_id, "user_id": conversation.user.user_id},
        "phone_number_id": conversation.number_id,
        "status": "active",
        "duration_seconds": None,
        "metadata": None,
        "ai_autoreply_enabled": True,
        "opted_out": False,
        "awaits_person": True,
        "assigned_to": None,
        "labels": ["a", "vip"],
        "unread_count": 2,
        "last_read_at": None,
        "last_message_at": iso(NOW),
        "last_turn": {"id": "turn_1", "state": "skipped", "reason": "quota_exceeded"},
        "created_at": iso(NOW),
        "updated_at": iso(NOW),
    }


async def test_the_list_has_the_same_objects_newest_first(tenant: Tenant) -> None:
    made = [await tenant.conversation(at=NOW - minutes * MINUTE, bot_id="bot_gone") for minutes in (3, 2, 1)]

    page = await tenant.get()

    assert page["data"] == [await tenant.get(f"/{each.id}") for each in reversed(made)]
    assert page["data"][0]["bot_name"] is None
    assert page["next_cursor"] is None


@pytest.mark.parametrize("sort", ["created", "last_activity"])
async def test_pages_have_each_conversation_once(tenant: Tenant, sort: str) -> None:
    made = [await tenant.conversation(at=NOW - minutes * MINUTE) for minutes in range(5)]

    pages = await ids_of_pages(tenant, sort=sort, limit=2)

    assert pages == [[each.id for each in made[start : start + 2]] for start in (0, 2, 4)]


async def test_the_latest_change_is_first_by_last_activity(tenant: Tenant) -> None:
    first = await tenant.conversation(at=NOW - 10 * MINUTE)
    second = await tenant.conversation(at=NOW - 5 * MINUTE)
    for name, value in later(first, 9).items():
        object.__setattr__(first, name, value)
    await tenant.store(first)

    assert await ids_of_pages(tenant, sort="last_activity") == [[first.id, second.id]]
    assert await ids_of_pages(tenant, sort="created") == [[second.id, first.id]]


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ({"channel": "voice"}, []),
        ({"channel": "whatsapp"}, ["silent", "labelled", "escalated", "plain"]),
        ({"status": "escalated"}, ["escalated"]),
        ({"status": "completed"}, ["silent"]),
        ({"status": "active"}, ["labelled", "plain"]),
        ({"bot_id": "bot_1"}, ["plain"]),
        ({"unread": "true"}, ["labelled"]),
        ({"unread": "false", "status": "active"}, ["plain"]),
        ({"assigned": "usr_1"}, ["escalated"]),
        ({"assigned": "any"}, ["escalated"]),
        ({"assigned": "none", "status": "active"}, ["labelled", "plain"]),
        ({"label": "vip"}, ["labelled"]),
        ({"label": "vi"}, []),
    ],
)
@pytest.mark.parametrize("sort", ["created", "last_activity"])
async def test_filters(tenant: Tenant, query: dict[str, str], chosen: list[str], sort: str) -> None:
    made = {
        "plain": await tenant.conversation(at=NOW - 4 * MINUTE, bot_id="bot_1"),
        "escalated": await tenant.conversation(at=NOW - 3 * MINUTE, status=Status.ESCALATED, assigned_to="usr_1"),
        "labelled": await tenant.conversation(at=NOW - 2 * MINUTE, labels=frozenset({"vip"}), unread=1),
        "silent": await tenant.conversation(at=NOW - MINUTE, last_activity=NOW - WINDOW_HOURS * 60 * MINUTE),
    }

    (page,) = await ids_of_pages(tenant, sort=sort, **query)

    assert sorted(page) == sorted(made[name].id for name in chosen)


@pytest.mark.parametrize("sort", ["created", "last_activity"])
async def test_a_selective_filter_reads_a_bounded_part_and_goes_on(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    monkeypatch.setattr(listing, "MAX_READ", 4)
    monkeypatch.setattr(listing, "_CHUNK", 2)
    rare = await tenant.conversation(at=NOW - 60 * MINUTE, labels=frozenset({"rare"}))
    for minutes in range(9):
        await tenant.conversation(at=NOW - minutes * MINUTE)

    assert await ids_of_pages(tenant, sort=sort, label="rare") == [[], [], [rare.id]]


async def test_a_silent_conversation_is_completed_wherever_it_is_shown(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation(handoff="HANDOFF#1", last_activity=NOW + MINUTE)
    inbox_api.clock.pass_(WINDOW_HOURS * 3600 + 59)
    before = await tenant.get(f"/{conversation.id}")
    inbox_api.clock.pass_(1)
    after = await tenant.get(f"/{conversation.id}")

    assert (before["status"], before["duration_seconds"], before["awaits_person"]) == ("active", None, True)
    assert (after["status"], after["duration_seconds"], after["awaits_person"]) == ("completed", 60, False)
    assert (await tenant.get())["data"] == [after]


async def test_a_cursor_is_of_use_to_its_query_and_tenant_only(inbox_api: InboxApi, tenant: Tenant) -> None:
    for minutes in range(2):
        await tenant.conversation(at=NOW - minutes * MINUTE)
    cursor = (await tenant.get(limit=1))["next_cursor"]

    for other, query in (
        (tenant, {"sort": "last_activity"}),
        (tenant, {"label": "vip"}),
        (inbox_api.tenant(), {}),
        (tenant, {"cursor": "A" * 40}),
        (tenant, {"cursor": "-"}),
    ):
        answer = await other.call("GET", params={"limit": 1, "cursor": cursor, **query})
        assert refused(answer, 422, "invalid_request_error")["details"][0]["loc"] == ["query", "cursor"]


@pytest.mark.parametrize("position", ["A" * 20, "CONVERSATION#", "~" * 20, "CONVERSATION#~" + "~" * 90])
@pytest.mark.parametrize("sort", listing.Sort)
async def test_a_cursor_of_the_callers_own_making_reads_no_more(
    tenant: Tenant, position: str, sort: listing.Sort
) -> None:
    await tenant.conversation()
    forged = listing.ListQuery(tenant.id, listing.ConversationFilter(), sort).cursor(position)

    assert {each["tenant_id"] for each in (await tenant.get(cursor=forged, sort=str(sort)))["data"]} <= {tenant.id}


async def test_me_is_the_person_who_asks(tenant: Tenant) -> None:
    person = await tenant.person()
    mine = await tenant.conversation(assigned_to=person)
    await tenant.conversation(assigned_to="usr_other")

    answer = await tenant.call("GET", person=person, params={"assigned": "me"})

    assert [each["id"] for each in answer.json()["data"]] == [mine.id]
    refused(await tenant.call("GET", params={"assigned": "me"}), 422, "invalid_request_error")


async def test_messages_are_read_from_the_latest_back(tenant: Tenant) -> None:
    conversation = await tenant.conversation()
    made = [await tenant.message(conversation, f"text {number}") for number in range(5)]
    await tenant.turn(conversation, TurnState.ANSWERED)

    latest = await tenant.get(f"/{conversation.id}/messages", limit=2)
    older = await tenant.get(f"/{conversation.id}/messages", limit=2, before_id=latest["next_cursor"])
    oldest = await tenant.get(f"/{conversation.id}/messages", limit=2, before_id=older["next_cursor"])

    pages = [[each["id"] for each in page["data"]] for page in (oldest, older, latest)]
    assert pages == [[made[0].id], [made[1].id, made[2].id], [made[3].id, made[4].id]]
    assert oldest["next_cursor"] is None


async def test_a_page_of_long_messages_fits_into_an_answer_of_lambda(tenant: Tenant) -> None:
    conversation = await tenant.conversation()
    text = "न" * 4096
    for _ in range(300):
        await tenant.message(conversation, text, author="bot", content={"type": "text", "text": {"body": text}})

    first = await tenant.call("GET", f"/{conversation.id}/messages", params={"limit": 500})
    cursor = first.json()["next_cursor"]
    second = await tenant.get(f"/{conversation.id}/messages", limit=500, before_id=cursor)

    assert len(first.content) <= LAMBDA_ANSWER
    pages = [*second["data"], *first.json()["data"]]
    assert len({message["id"] for message in pages}) == len(pages) == 300
    assert second["next_cursor"] is None


async def test_a_message_is_shown_with_its_status_error_and_media(tenant: Tenant) -> None:
    conversation = await tenant.conversation()
    question = await tenant.message(
        conversation,
        wamid="wamid.1",
        type="image",
        media={"id": "med_1", "mime_type": "image/png"},
        content={"timestamp": "1795599000"},
    )
    answer = await tenant.message(
        conversation,
        "It arrives.",
        author="person:usr_1",
        status=MessageState.FAILED,
        error=SendFailure(131047, "Re-engagement message", "Too late."),
        reply_to="wamid.1",
    )

    shown = (await tenant.get(f"/{conversation.id}/messages"))["data"]

    assert shown[0] == {
        "id": question.id,
        "conversation_id": conversation.id,
        "role": "user",
        "author": {"kind": "user", "id": None},
        "content": "hi",
        "message_type": "image",
        "tokens_used": None,
        "status": "received",
        "error": None,
        "media": {"id": "med_1", "mime_type": "image/png"},
        "payload": {"timestamp": "1795599000"},
        "wamid": "wamid.1",
        "reply_to": None,
        "turn_id": None,
        "created_at": iso(question.created),
    }
    assert shown[1] == shown[0] | {
        "id": answer.id,
        "role": "assistant",
        "author": {"kind": "person", "id": "usr_1"},
        "content": "It arrives.",
        "message_type": "text",
        "status": "failed",
        "error": {"code": 131047, "title": "Re-engagement message", "details": "Too late."},
        "media": None,
        "payload": None,
        "wamid": None,
        "reply_to": "wamid.1",
        "created_at": iso(answer.created),
    }


async def test_turns_are_read_newest_first(tenant: Tenant) -> None:
    conversation = await tenant.conversation()
    await tenant.message(conversation)
    turns = [
        await tenant.turn(conversation, TurnState.ANSWERED),
        await tenant.turn(conversation, TurnState.SKIPPED, "quota_exceeded"),
    ]

    latest = await tenant.get(f"/{conversation.id}/turns", limit=1)
    older = await tenant.get(f"/{conversation.id}/turns", limit=1, before_id=latest["next_cursor"])

    assert [(each["id"], each["state"], each["reason"]) for each in latest["data"] + older["data"]] == [
        (turns[1].id, "skipped", "quota_exceeded"),
        (turns[0].id, "answered", None),
    ]
    assert older["next_cursor"] is None


@pytest.mark.parametrize("below", ["", "/messages", "/turns"])
async def test_a_foreign_conversation_reads_like_none(inbox_api: InboxApi, tenant: Tenant, below: str) -> None:
    conversation = await tenant.conversation()
    stranger = inbox_api.tenant()

    foreign = await stranger.call("GET", f"/{conversation.id}{below}")
    unknown = [await tenant.call("GET", f"/{each}{below}") for each in ("conv_0", "a" * 3000, "%23", "USER")]

    for answer in (foreign, *unknown):
        assert refused(answer, 404, "not_found")["message"] == "No such conversation."
    assert (await stranger.get())["data"] == []


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 501}, {"status": "open"}, {"channel": "sms"}, {"sort": "name"}, {"unread": "x"}]
)
async def test_invalid_queries_are_refused(tenant: Tenant, query: dict[str, Any]) -> None:
    refused(await tenant.call("GET", params=query), 422, "invalid_request_error")
