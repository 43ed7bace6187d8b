"""Full-text search over messages, and the indexer that makes it possible."""

from typing import Any

import pytest

from callmissed.aws.batches import Change
from callmissed.aws.dynamodb import Unavailable
from callmissed.platform.tables import WORDS
from functions.bots.conversations.messages import StoredMessage, to_message_item, to_turn_item
from functions.bots.conversations.records import StoredConversation, TurnState
from functions.bots.conversations.words import word_key
from functions.bots.inbound.word_index import index_words
from functions.bots.inbox import search
from tests.support.bots.inbox import InboxApi, Tenant
from tests.support.webhooks.subscribers import refused


def inserted(message: StoredMessage) -> Change:
    return Change("INSERT", to_message_item(message), message.id)


async def written(inbox_api: InboxApi, tenant: Tenant, conversation: StoredConversation, *texts: str) -> list[str]:
    """Ids of new messages, which are indexed."""
    messages = [await tenant.message(conversation, text) for text in texts]
    assert await index_words(inbox_api.database, [inserted(each) for each in messages]) == []
    return [message.id for message in messages]


async def pages(tenant: Tenant, q: str, **query: Any) -> list[list[str]]:
    """Ids of the found messages on each page."""
    found, cursor = list[list[str]](), None
    while True:
        page = await tenant.get("/search", q=q, **query, **({"cursor": cursor} if cursor else {}))
        found.append([each["id"] for each in page["data"]])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_a_message_with_all_words_is_found(inbox_api: InboxApi, tenant: Tenant) -> None:
    first, second = await tenant.conversation(), await tenant.conversation()
    ids = await written(inbox_api, tenant, first, "Where is my order A-17?", "My order is late", "Thanks")
    ids += await written(inbox_api, tenant, second, "The ORDER, please", "ऑर्डर बंद करो")

    assert await pages(tenant, "order") == [[ids[3], ids[1], ids[0]]]
    assert await pages(tenant, "Order my") == [[ids[1], ids[0]]]
    assert await pages(tenant, "a 17") == [[ids[0]]]
    assert await pages(tenant, "बंद") == [[ids[4]]]
    assert await pages(tenant, "order unknown") == [[]]
    assert await pages(tenant, "ord") == [[]]


@pytest.mark.parametrize("within", [False, True])
async def test_pages_go_on_where_they_ended(inbox_api: InboxApi, tenant: Tenant, within: bool) -> None:
    conversation = await tenant.conversation()
    ids = await written(inbox_api, tenant, conversation, *(["both here", "here"] * 3))
    query = {"conversation_id": conversation.id} if within else {}

    found = await pages(tenant, "here both", limit=2, **query)

    assert [each for page in found for each in page] == [ids[4], ids[2], ids[0]]
    assert len(found[0]) == 2


@pytest.mark.parametrize("within", [False, True])
async def test_a_rare_combination_reads_a_bounded_part_and_goes_on(
    inbox_api: InboxApi, tenant: Tenant, monkeypatch: pytest.MonkeyPatch, within: bool
) -> None:
    monkeypatch.setattr(search, "MAX_PAGES", 3)
    monkeypatch.setattr(search, "_CHUNK", 2)
    conversation = await tenant.conversation()
    ids = await written(inbox_api, tenant, conversation, "a b", *(["a", "b"] * 6))
    query = {"conversation_id": conversation.id} if within else {}

    found = await pages(tenant, "a b", **query)

    assert [each for page in found for each in page] == [ids[0]]
    assert len(found) > 1


async def test_one_conversation_is_searched_at_once(inbox_api: InboxApi, tenant: Tenant) -> None:
    first, second = await tenant.conversation(), await tenant.conversation()
    message = await tenant.message(first, "not indexed yet")
    await tenant.message(second, "not indexed yet")
    await tenant.message(first, None)

    assert await pages(tenant, "indexed", conversation_id=first.id) == [[message.id]]
    assert await pages(tenant, "indexed") == [[]]


async def test_tenants_with_the_same_words_see_nothing_across(inbox_api: InboxApi, tenant: Tenant) -> None:
    stranger = inbox_api.tenant()
    own, foreign = await tenant.conversation(), await stranger.conversation()
    (mine,) = await written(inbox_api, tenant, own, "secret order")
    (theirs,) = await written(inbox_api, stranger, foreign, "secret order")

    assert await pages(tenant, "secret") == [[mine]]
    assert await pages(stranger, "secret") == [[theirs]]
    answer = await tenant.call("GET", "/search", params={"q": "secret", "conversation_id": foreign.id})
    refused(answer, 404, "not_found")


async def test_a_cursor_is_of_use_to_its_search_only(inbox_api: InboxApi, tenant: Tenant) -> None:
    await written(inbox_api, tenant, await tenant.conversation(), "order", "order")
    cursor = (await tenant.get("/search", q="order", limit=1))["next_cursor"]

    refused(await tenant.call("GET", "/search", params={"q": "other", "cursor": cursor}), 422, "invalid_request_error")
    again = await tenant.call("GET", "/search", params={"q": " ORDER!", "cursor": cursor})
    assert len(again.json()["data"]) == 1


@pytest.mark.parametrize("q", ["", "?!", "x" * 201, " ".join("abcdefghijk")])
async def test_a_query_has_between_one_and_ten_words(tenant: Tenant, q: str) -> None:
    refused(await tenant.call("GET", "/search", params={"q": q}), 422, "invalid_request_error")


async def test_only_new_messages_are_indexed_and_each_once(inbox_api: InboxApi, tenant: Tenant) -> None:
    conversation = await tenant.conversation()
    message = await tenant.message(conversation, "hello hello " + " ".join(f"w{number}" for number in range(60)))
    turn = await tenant.turn(conversation, TurnState.ANSWERED)
    changed = Change("MODIFY", to_message_item(await tenant.message(conversation, "changed")), "2")
    changes = [inserted(message), Change("INSERT", to_turn_item(turn), "1"), changed, inserted(message)]

    assert await index_words(inbox_api.database, changes) == []

    for word, expected in (("hello", 1), ("w59", 1), ("changed", 0)):
        query = inbox_api.database.query(WORDS, word_key(tenant.id, word), consistent=True)
        assert len([item async for item in query]) == expected


async def test_what_is_not_indexed_is_left_to_the_stream_with_all_that_follows(
    inbox_api: InboxApi, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = await tenant.conversation()
    changes = [inserted(await tenant.message(conversation, text)) for text in ("one", "two", "three")]
    send, calls = inbox_api.database.dynamodb.call, list[str]()

    async def failing(operation: str, request: Any) -> Any:
        calls.append(operation)
        if len(calls) == 2:
            raise Unavailable("down", indeterminate=True)
        return await send(operation, request)

    monkeypatch.setattr(inbox_api.database.dynamodb, "call", failing)

    assert await index_words(inbox_api.database, changes) == changes[1:]
