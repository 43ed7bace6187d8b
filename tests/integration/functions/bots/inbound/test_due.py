"""The scheduler: jobs of overdue conversations, and the end of silent ones."""

from callmissed.audit.events import Actor, ActorKind
from callmissed.clock import MINUTE, SECOND, Micros
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.completion import completion_operations
from functions.bots.conversations.due import DueConversations
from functions.bots.conversations.records import Status, user_key
from functions.bots.conversations.take_over import TakeOvers
from functions.bots.inbox.changes import InboxChanges
from functions.bots.inbox.repository import InboxRepository
from functions.bots.inbox.service import Inbox
from tests.support.bots.inbound import NUMBER, PHONE, USER, Inbound
from tests.support.webhooks.callbacks import NOW, message

DAY = 24 * 60 * MINUTE


def scheduler(inbound: Inbound) -> DueConversations:
    return DueConversations(inbound.database, inbound.jobs, lambda: Micros(inbound.callbacks.now))


async def test_conversation_that_is_overdue_by_a_minute_gets_a_job_each_minute(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    conversation = await inbound.conversation()
    inbound.jobs.taken()
    overdue = NOW + 3 * SECOND + MINUTE

    assert await scheduler(inbound).process(Micros(overdue - 1)) == 0
    assert await scheduler(inbound).process(Micros(overdue)) == 1
    assert await scheduler(inbound).process(Micros(overdue)) == 1

    body = {"kind": "turn", "tenant": inbound.tenant, "conversation": conversation.id, "message": None}
    assert [job.body for job in inbound.jobs.taken()] == [body, body]


async def answered(inbound: Inbound) -> None:
    """Let nothing wait in the only conversation."""
    conversation = await inbound.conversation()
    await inbound.database.update(
        CONVERSATIONS, conversation.key, set={"pending": 0}, remove=("pending_since", "due", "shard")
    )


async def test_silent_conversation_is_completed_once(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1") | {"from_user_id": USER})
    await answered(inbound)

    assert await scheduler(inbound).process(Micros(NOW + DAY)) == 0
    assert (await inbound.conversation()).status is Status.ACTIVE
    assert await scheduler(inbound).process(Micros(NOW + DAY + MINUTE)) == 1
    assert await scheduler(inbound).process(Micros(NOW + DAY + MINUTE)) == 0

    assert (await inbound.conversation()).status is Status.COMPLETED
    (ended,) = await inbound.events("conversation.ended")
    assert (ended["data"]["status"], ended["data"]["duration_seconds"]) == ("completed", 0)


async def test_conversation_with_later_activity_is_completed_a_day_after_that(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    inbound.pass_time(3600)
    await inbound.receive(message("wamid.2"))
    await answered(inbound)

    assert await scheduler(inbound).process(Micros(NOW + DAY + MINUTE)) == 1
    assert (await inbound.conversation()).status is Status.ACTIVE
    later = NOW + 3600 * SECOND + DAY + MINUTE
    assert await scheduler(inbound).process(Micros(later - 1)) == 0
    assert await scheduler(inbound).process(Micros(later)) == 1

    assert (await inbound.conversation()).status is Status.COMPLETED


async def test_conversation_that_a_person_completed_is_forgotten(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    await answered(inbound)
    conversation = await inbound.conversation()
    await inbound.database.update(CONVERSATIONS, conversation.key, set={"status": "completed"})

    assert await scheduler(inbound).process(Micros(NOW + DAY + MINUTE)) == 1

    user = await inbound.database.get(CONVERSATIONS, user_key(inbound.tenant, NUMBER, f"wa:{PHONE}"))
    assert "due" not in user
    assert await inbound.events("conversation.ended") == []


async def test_message_after_the_scheduler_begins_anew_and_is_due_again(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    await answered(inbound)
    await scheduler(inbound).process(Micros(NOW + DAY + MINUTE))
    inbound.pass_time(2 * 24 * 3600)
    await inbound.receive(message("wamid.2"))

    assert [each.status for each in await inbound.conversations()] == [Status.COMPLETED, Status.ACTIVE]
    assert len(await inbound.events("conversation.ended")) == 1
    user = await inbound.database.get(CONVERSATIONS, user_key(inbound.tenant, NUMBER, f"wa:{PHONE}"))
    assert "due" in user


async def test_completion_leaves_an_escalated_conversation_no_place_in_the_queue(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    conversation = await inbound.conversation()
    entry = {"tenant": inbound.tenant, "item": "HANDOFF#1"}
    await inbound.database.put(CONVERSATIONS, entry)
    await inbound.database.update(CONVERSATIONS, conversation.key, set={"status": "escalated", "handoff": "HANDOFF#1"})

    await inbound.database.transact(completion_operations(await inbound.conversation(), Micros(NOW + DAY)))

    assert await inbound.database.get(CONVERSATIONS, entry) == {}
    done = await inbound.conversation()
    assert (done.status, done.handoff, done.pending, done.due) == (Status.COMPLETED, None, 0, None)


async def test_reopened_conversation_ends_again(inbound: Inbound) -> None:
    await inbound.receive(message("wamid.1"))
    await answered(inbound)
    conversation = await inbound.conversation()
    inbound.pass_time(25 * 3600)
    await scheduler(inbound).process(Micros(inbound.callbacks.now))
    changes = InboxChanges(
        Inbox(InboxRepository(inbound.database)), TakeOvers(inbound.database, lambda: Micros(inbound.callbacks.now))
    )
    by_key, now = Actor(ActorKind.KEY, "key_1"), Micros(inbound.callbacks.now)
    await changes.set_status(inbound.tenant, conversation.id, Status.ACTIVE, by_key, now)

    inbound.pass_time(23 * 3600)
    await scheduler(inbound).process(Micros(inbound.callbacks.now))
    assert (await inbound.conversation()).status is Status.ACTIVE
    inbound.pass_time(2 * 3600)
    await scheduler(inbound).process(Micros(inbound.callbacks.now))

    assert (await inbound.conversation()).status is Status.COMPLETED
    assert len(await inbound.events("conversation.ended")) == 2
