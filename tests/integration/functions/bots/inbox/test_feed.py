"""The change feed, from which an inbox keeps itself up to date."""

from dataclasses import replace
from typing import Any

import pytest

from callmissed.clock import SECOND, Micros, iso
from functions.bots.conversations.records import StoredConversation, change_mark
from functions.bots.inbox.feed import SETTLING
from tests.support.bots.inbox import NOW, InboxApi, Tenant
from tests.support.webhooks.subscribers import refused


async def change(tenant: Tenant, conversation: StoredConversation, at: int) -> None:
    await tenant.store(replace(conversation, changed=change_mark(Micros(at), conversation.id)))


async def ids_since(tenant: Tenant, since: str | None, **query: Any) -> tuple[list[str], str]:
    """Ids of what changed, and the next cursor."""
    page = await tenant.get("/changes", **query, **({"since": since} if since else {}))
    return [each["id"] for each in page["data"]], page["next_cursor"]


async def test_a_change_is_read_and_settles(inbox_api: InboxApi, tenant: Tenant) -> None:
    old = await tenant.conversation(at=NOW - 60 * SECOND)
    nothing, cursor = await ids_since(tenant, None)
    new = await tenant.conversation()

    first, after_first = await ids_since(tenant, cursor)
    inbox_api.clock.pass_(SETTLING // SECOND + 1)
    again, after_again = await ids_since(tenant, after_first)
    settled, _ = await ids_since(tenant, after_again)
    await change(tenant, old, inbox_api.clock())
    changed, _ = await ids_since(tenant, after_again)

    assert (nothing, first, again, settled, changed) == ([], [new.id], [new.id], [], [old.id])


async def test_a_change_that_turns_up_late_is_read(inbox_api: InboxApi, tenant: Tenant) -> None:
    """The clock of its worker is behind, and the index lags."""
    _, cursor = await ids_since(tenant, None)
    inbox_api.clock.pass_(SETTLING // SECOND)
    prompt = await tenant.conversation()
    seen, cursor = await ids_since(tenant, cursor)
    late = await tenant.conversation(at=inbox_api.clock.now - 10 * SECOND)

    found, _ = await ids_since(tenant, cursor)

    assert seen == [prompt.id]
    assert found == [late.id, prompt.id]


async def test_the_feed_is_read_in_parts(inbox_api: InboxApi, tenant: Tenant) -> None:
    made = [await tenant.conversation(at=NOW - (60 - number) * SECOND) for number in range(5)]
    since, found = iso(Micros(NOW - 60 * SECOND)), list[str]()
    while True:
        page = await tenant.get("/changes", since=since, limit=2)
        found += [each["id"] for each in page["data"]]
        since = page["next_cursor"]
        if not page["has_more"]:
            break

    assert found == [each.id for each in made]
    assert (await ids_since(tenant, since))[0] == []


async def test_tenants_see_their_own_changes(inbox_api: InboxApi, tenant: Tenant) -> None:
    stranger = inbox_api.tenant()
    _, cursor = await ids_since(tenant, None)
    await stranger.conversation()

    assert (await ids_since(tenant, cursor))[0] == []
    refused(await stranger.call("GET", "/changes", params={"since": cursor}), 422, "invalid_request_error")


@pytest.mark.parametrize("since", ["yesterday", "2026-11-25", "2026-11-25T09:30", "2026-13-25T09:30:00Z", "A" * 40])
async def test_a_wrong_since_is_refused(tenant: Tenant, since: str) -> None:
    answer = await tenant.call("GET", "/changes", params={"since": since})

    assert refused(answer, 422, "invalid_request_error")["details"][0]["loc"] == ["query", "since"]
