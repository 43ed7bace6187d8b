"""Messages of API keys and people: sent at once where that is possible, else in their order in the background."""

from collections.abc import Sequence

from callmissed.aws.dynamodb import Unavailable
from callmissed.idempotency.operation import Operation
from callmissed.web.caller import Caller, Person
from functions.bots.conversations.messages import MessageState, StoredMessage
from functions.bots.conversations.records import StoredConversation
from functions.bots.numbers.records import PhoneNumber
from functions.bots.outbound.attempts import SendAttempts
from functions.bots.outbound.drafts import Draft
from functions.bots.outbound.errors import ConversationBusy, NotSendable
from functions.bots.outbound.queue import MessageQueue
from functions.bots.outbound.sending import MessageSender, SendTimes, check_sendable
from functions.bots.whatsapp.errors import not_sent, refused_message
from functions.bots.whatsapp.messages.drafts import begun_at, contents_of, drafts_of, message_ids
from functions.bots.whatsapp.messages.schemas import MessageContact, OutboundMessage, SendResult
from functions.bots.whatsapp.recipients import Recipients
from functions.bots.whatsapp.selectors import NewMessage

_REQUEST_SECONDS = 20.0
"""How long a request sends before it leaves the rest to the worker. API Gateway waits 29 seconds."""

CLAIM_SECONDS = 10.0
"""How long a message waits for another one on its way before it waits in the queue."""


class WhatsAppMessages:
    """Messages of one stage. Every method raises Unavailable when DynamoDB does not answer."""

    def __init__(
        self,
        attempts: SendAttempts,
        queue: MessageQueue,
        recipients: Recipients,
        *,
        seconds: float = _REQUEST_SECONDS,
    ) -> None:
        self.recipients = recipients
        self._attempts = attempts
        self._queue = queue
        self._seconds = seconds

    async def send(
        self, caller: Caller, message: NewMessage, operation: Operation, *, meta_media_id: str | None = None
    ) -> SendResult:
        """The messages that the request asks for, after they were sent, or on their way. Raises ApiError."""
        until = self._attempts.monotonic() + self._seconds
        number = await self.recipients.number(caller.tenant, message)
        conversation = await self.recipients.conversation(number, message)
        contents = contents_of(message, meta_media_id=meta_media_id)
        ids, earlier = await self._earlier(conversation, operation, len(contents))
        try:
            stored = earlier or await self._sent(
                conversation, number, drafts_of(message, author_of(caller), ids, contents), until
            )
        except NotSendable as reason:
            raise not_sent(reason) from None
        if (error := stored[0].error) and all(each.surely_failed for each in stored):
            raise refused_message(error)
        return _result(message, conversation, stored)

    async def _earlier(
        self, conversation: StoredConversation, operation: Operation, count: int
    ) -> tuple[list[str], list[StoredMessage]]:
        """Ids of the request's messages, and those that an earlier run of it stored, which are not sent again.

        A run whose messages surely failed counts as none: the next one has ids of its own. Messages may be in a
        conversation that ended since.
        """
        now, retries = self._attempts.clock(), 0
        ids = message_ids(operation, begun_at(operation, now), count)
        if operation.begun is None:
            return ids, []
        places = await self.recipients.since(conversation, operation.begun)
        while (stored := await self._stored(places, ids)) and all(each.surely_failed for each in stored):
            retries += 1
            ids = message_ids(operation, await self._attempts.messages.retried(stored[0], now), count, retries)
        return ids, stored

    async def _stored(self, places: Sequence[StoredConversation], ids: Sequence[str]) -> list[StoredMessage]:
        """The messages in the first of the conversations that has any."""
        for conversation in places:
            if stored := await self._attempts.messages.stored(conversation, ids):
                return stored
        return []

    async def _sent(
        self, conversation: StoredConversation, number: PhoneNumber, drafts: Sequence[Draft], until: float
    ) -> list[StoredMessage]:
        check_sendable(conversation, number, self._attempts.clock())
        if len(drafts) == 1 and not conversation.queued:
            times = SendTimes(claim=min(CLAIM_SECONDS, self._seconds), retries=self._seconds / 2)
            try:
                return [await MessageSender(self._attempts, times).send(conversation, number, drafts[0])]
            except ConversationBusy:
                pass
        return await self._queued(conversation, number, drafts, until)

    async def _queued(
        self, conversation: StoredConversation, number: PhoneNumber, drafts: Sequence[Draft], until: float
    ) -> list[StoredMessage]:
        """Let the messages wait, and send what waits for as long as the caller does."""
        stored = await self._queue.put(conversation, drafts)
        try:
            if not await self._queue.drain(conversation, number, until=until):
                await self._queue.go_on(conversation)
            return await self._attempts.messages.stored(conversation, [draft.id for draft in drafts])
        except Unavailable:
            return stored


def author_of(caller: Caller) -> str:
    """The author of a caller's messages."""
    return f"person:{caller.user_id}" if isinstance(caller, Person) else f"key:{caller.key_id}"


def is_done(result: SendResult) -> bool:
    """Whether the outcome of every message is known."""
    waiting = (str(MessageState.QUEUED), str(MessageState.SENDING))
    return all(message.status not in waiting for message in result.messages)


def _result(message: NewMessage, conversation: StoredConversation, stored: Sequence[StoredMessage]) -> SendResult:
    user, wamids = conversation.user, [each.wamid for each in stored if each.wamid]
    return SendResult(
        wamid=stored[0].wamid,
        wamids=wamids,
        contacts=[MessageContact(input=message.given, wa_id=user.wa_id, user_id=user.user_id)],
        messages=[OutboundMessage.of(each) for each in stored],
    )
