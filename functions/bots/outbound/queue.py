"""Messages that wait for those before them: parts of a long text, and what is sent while these are on their way.

They are stored with their marks in one transaction, and sent one after the other, each under a claim, by the API for
as long as its caller waits, then by the worker. Whoever dies leaves the marks; the index `due` finds them.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from callmissed.aws.comparisons import at_most, equal, missing_or
from callmissed.aws.dynamodb import TransactionCanceled
from callmissed.aws.operations import Changes, update_operation
from callmissed.aws.queues import QueueUnavailable, Sending
from callmissed.clock import MINUTE, Micros
from callmissed.platform.tables import CONVERSATIONS
from functions.bots.conversations.jobs import SendJob
from functions.bots.conversations.messages import DELIVERY_UNKNOWN, MessageState, SendFailure, StoredMessage
from functions.bots.conversations.records import StoredConversation, change_mark, due_text, shard_of
from functions.bots.numbers.records import PhoneNumber
from functions.bots.numbers.repository import NumberRepository
from functions.bots.outbound.attempts import SendAttempt, SendAttempts, is_disconnection, may_pass
from functions.bots.outbound.drafts import Draft, window_closes
from functions.bots.outbound.errors import ConversationBusy, NotSendable, QueueFull
from functions.bots.outbound.storage import QueueMark, queued_puts, unknown_before

MAX_WAITING = 100
"""Maximum messages that wait for one end user."""

_TRIES = 20
_API_SECONDS = 25
"""Delay of the job that goes on for an API process, which itself sends meanwhile."""

_WORK_SECONDS = 60.0
_DISCONNECTED_PAUSE = 10 * MINUTE
"""How often messages that wait for a renewed access token are looked at."""

_SOON = 6
"""Meta lets a message to the same user pass about every six seconds."""

_log = logging.getLogger(__name__)


class MessageQueue:
    """The waiting messages of conversations. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(self, attempts: SendAttempts, jobs: Sending) -> None:
        self._attempts = attempts
        self._jobs = jobs
        self._numbers = NumberRepository(attempts.database)

    async def put(self, conversation: StoredConversation, drafts: Sequence[Draft]) -> list[StoredMessage]:
        """Store `drafts`, to be sent in their order and after all that wait.

        Raises QueueFull, and ConversationBusy if they are stored, or other texts took the place at each try.
        """
        for _ in range(_TRIES):
            if conversation.queued + len(drafts) > MAX_WAITING:
                raise QueueFull
            now = self._attempts.clock()
            messages = [draft.stored(conversation, MessageState.QUEUED, now) for draft in drafts]
            update = update_operation(CONVERSATIONS, conversation.key, **_queued_changes(conversation, drafts, now))
            try:
                await self._attempts.database.transact([update, *queued_puts(messages, conversation.enqueued)])
            except TransactionCanceled as canceled:
                if canceled.reasons[0] != "ConditionalCheckFailed":
                    raise ConversationBusy from None
                conversation = await self._attempts.current(conversation)
                continue
            await self._send_job(conversation, _API_SECONDS)
            return messages
        raise ConversationBusy

    async def drain(self, conversation: StoredConversation, number: PhoneNumber | None, *, until: float) -> bool:
        """Send what waits, in its order, `until` then; whether nothing waits any more."""
        while marks := await self._attempts.messages.waiting(conversation):
            conversation = await self._attempts.current(conversation)
            if self._attempts.monotonic() >= until or marks[0].message_id in conversation.unsettled:
                return False
            try:
                sent = await self._send_first(conversation, number, marks, until)
            except ConversationBusy:
                return False
            if not sent:
                return False
        return True

    async def go_on(self, conversation: StoredConversation) -> None:
        """Let a worker send what still waits."""
        await self._send_job(conversation, _SOON)

    async def work(self, conversation: StoredConversation) -> None:
        """As a worker: settle what may have gone out, send what waits, and leave the rest to the next job."""
        if await self.work_for(conversation, _WORK_SECONDS):
            return
        number = await self._numbers.get(conversation.tenant, conversation.number_id)
        if number and _waits_for_token(conversation, number, self._attempts.clock()):
            await self._postpone(conversation)
        else:
            await self.go_on(conversation)

    async def work_for(self, conversation: StoredConversation, seconds: float) -> bool:
        """Settle what may have gone out, and send what waits for so long; whether nothing waits any more."""
        attempts = self._attempts
        await attempts.settle_unknown(conversation)
        number = await self._numbers.get(conversation.tenant, conversation.number_id)
        return await self.drain(conversation, number, until=attempts.monotonic() + seconds)

    async def _send_first(
        self, conversation: StoredConversation, number: PhoneNumber | None, marks: Sequence[QueueMark], until: float
    ) -> bool:
        """Send the first message; False if Meta takes none at the moment."""
        attempts, mark = self._attempts, marks[0]
        if number and _waits_for_token(conversation, number, attempts.clock()):
            return False
        draft = Draft(mark.message_id, author="queue", content={})
        attempt = await attempts.claim(conversation, draft, None, until=until, queued=True)
        message = await attempts.messages.get(conversation, mark.message_id)
        if message is None or message.status is not MessageState.QUEUED:
            await self._end(attempt, marks, message)
            return True
        if problem := _problem(attempt.claimed.conversation, number, attempts.clock()):
            await attempts.messages.fail_waiting(message.id, conversation, problem)
            await self._end(attempt, marks, replace(message, status=MessageState.FAILED, error=problem))
            return True
        assert number is not None
        return await self._send(attempt, number, message, marks, until)

    async def _send(
        self,
        attempt: SendAttempt,
        number: PhoneNumber,
        message: StoredMessage,
        marks: Sequence[QueueMark],
        until: float,
    ) -> bool:
        attempts, begun = self._attempts, attempt.claimed.claim.at
        if not await attempts.messages.begin(message, begun):
            await attempts.release(attempt.claimed)
            return True
        message = replace(message, status=MessageState.SENDING)
        try:
            outcome = await attempts.deliver(attempt, number, message, until=until)
        except NotSendable:
            await attempts.messages.put_back(message, begun)
            return False
        if may_pass(outcome) or is_disconnection(outcome):
            await attempts.messages.put_back(message, begun)
            await attempts.release(attempt.claimed)
            return False
        await self._end(attempt, marks, await attempts.settle(message, outcome))
        return True

    async def _end(self, attempt: SendAttempt, marks: Sequence[QueueMark], message: StoredMessage | None) -> None:
        """End the first message, which waits no longer.

        What belongs to one text fails together: no part goes out after one that can't. After one of which nobody knows,
        the others wait for its status, or for the two minutes without one; its mark stays until then. The first mark
        goes last, so that whoever comes after a death here finds the part that failed, and fails the rest.
        """
        conversation, rest = attempt.claimed.conversation, [mark for mark in marks[1:] if mark.first == marks[0].first]
        if message and message.error:
            is_unknown = message.error.title == DELIVERY_UNKNOWN
            for mark in rest:
                error = unknown_before() if is_unknown else message.error
                await self._attempts.messages.fail_waiting(mark.message_id, conversation, error)
        waits = bool(rest) and message is not None and message.status is MessageState.SENDING
        await self._attempts.release(attempt.claimed, message, mark=None if waits else marks[0])

    async def _postpone(self, conversation: StoredConversation) -> None:
        """Let the scheduler look again later; if the conversation changed, it looks again in a minute."""
        later = due_text(Micros(self._attempts.clock() + _DISCONNECTED_PAUSE))
        await self._attempts.database.update_if(
            CONVERSATIONS,
            conversation.key,
            set={"due": later},
            expected={"due": conversation.due, "pending": 0},
            must_not_exist=("claim", "unsettled"),
        )

    async def _send_job(self, conversation: StoredConversation, delay_seconds: int) -> None:
        """Best-effort enqueue. The index `due` is the source of truth, so a lost job only delays messages."""
        try:
            await self._jobs.send([SendJob(conversation.tenant, conversation.id).message(delay_seconds)])
        except QueueUnavailable:
            _log.warning("a job of waiting messages was not queued", exc_info=True)


def _queued_changes(conversation: StoredConversation, drafts: Sequence[Draft], now: Micros) -> Changes:
    takes_over, before = any(draft.takes_over for draft in drafts), conversation.enqueued
    place = equal(before) if before else missing_or(equal(0))
    return {
        "set": {"changed": change_mark(now, conversation.id)} | ({"autoreply": False} if takes_over else {}),
        "set_missing": {"shard": shard_of(conversation.id), "due": due_text(now)},
        "add": {"queued": len(drafts), "enqueued": 1} | ({"epoch": 1} if takes_over else {}),
        "expected": {"queued": missing_or(at_most(MAX_WAITING - len(drafts))), "enqueued": place},
    }


def _problem(conversation: StoredConversation, number: PhoneNumber | None, now: Micros) -> SendFailure | None:
    if number is None or not number.is_active:
        return SendFailure(None, "number_disconnected", "The number was disconnected while the message waited.")
    if now >= window_closes(conversation):
        return SendFailure(None, "window_closed", "The 24-hour window closed while the message waited.")
    return None


def _waits_for_token(conversation: StoredConversation, number: PhoneNumber, now: Micros) -> bool:
    """Whether the tenant may renew the number's access token in time."""
    return number.is_active and not number.is_connected and now < window_closes(conversation)
