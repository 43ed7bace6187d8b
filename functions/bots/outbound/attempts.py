"""Attempts to send a claimed message, and the outcome in the table."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from callmissed.aws.attributes import Item
from callmissed.aws.database import Database
from callmissed.aws.dynamodb import TransactionCanceled, Unavailable
from callmissed.aws.operations import update_operation
from callmissed.clock import Clock, system_clock
from callmissed.platform.tables import CONVERSATIONS
from callmissed.sealing import Sealer
from functions.bots.channels.whatsapp.errors import FaultMeaning
from functions.bots.channels.whatsapp.graph import GraphClient
from functions.bots.channels.whatsapp.payloads import addressed, opaque_of
from functions.bots.channels.whatsapp.sends import (
    SendAccepted,
    SendOutcome,
    SendRefused,
    SendUnknown,
    SendUnreached,
    send_once,
)
from functions.bots.conversations.messages import NOT_CONNECTED, MessageState, SendFailure, StoredMessage
from functions.bots.conversations.records import StoredConversation, change_mark, conversation_of
from functions.bots.conversations.repository import ConversationRepository
from functions.bots.numbers.records import PhoneNumber
from functions.bots.numbers.repository import NumberRepository
from functions.bots.outbound.claims import ABANDONED, RELEASE_SECONDS, Claimed, Claims, release_changes
from functions.bots.outbound.drafts import Draft, Fence
from functions.bots.outbound.errors import ConversationBusy
from functions.bots.outbound.storage import (
    OutboundMessages,
    QueueMark,
    failed_values,
    sent_event,
    sent_values,
    unknown_delivery,
)

Sleep = Callable[[float], Awaitable[None]]

_FIRST_PAUSE, _MAX_PAUSE = 0.5, 6.0
_FIRST_WAIT, _MAX_WAIT = 0.1, 2.0
_RELEASE_TRIES = 5
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class SendAttempt:
    """A claimed message on its way. `since` is when the claim was begun, by the monotonic clock."""

    claimed: Claimed
    since: float
    fence: Fence | None = None


class SendAttempts:
    """Attempts of one process. `monotonic` and `sleep` are parameters for tests.

    Every method raises Unavailable when DynamoDB does not answer.
    """

    def __init__(
        self,
        database: Database,
        graph: GraphClient,
        sealer: Sealer,
        *,
        clock: Clock = system_clock,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.database = database
        self.clock = clock
        self.monotonic = monotonic
        self.sleep = sleep
        self.claims = Claims(database)
        self.messages = OutboundMessages(database)
        self._numbers = NumberRepository(database)
        self._conversations = ConversationRepository(database)
        self._graph = graph
        self._sealer = sealer

    def token_of(self, number: PhoneNumber) -> str:
        """The number's access token. Raises UnsealError."""
        return self._sealer.unseal(number.token)

    async def claim(
        self, conversation: StoredConversation, draft: Draft, fence: Fence | None, *, until: float, queued: bool = False
    ) -> SendAttempt:
        """Claim the conversation; waits `until` for another message on its way. Raises NotSendable."""
        pauses = _pauses(_FIRST_WAIT, _MAX_WAIT)
        while True:
            since = self.monotonic()
            try:
                claimed = await self.claims.set(conversation, draft, fence, self.clock(), queued=queued)
                return SendAttempt(claimed, since, fence)
            except ConversationBusy:
                if draft.takes_over:
                    await self.claims.take_over(conversation, self.clock())
            await self._wait_for_others(conversation, pauses, until, queued=queued)

    async def deliver(
        self, attempt: SendAttempt, number: PhoneNumber, message: StoredMessage, *, until: float
    ) -> SendOutcome:
        """Send the message, again `until` then after definite refusals that may pass. Raises NotSendable."""
        token, body = self.token_of(number), body_of(message, attempt.claimed.conversation)
        pauses = _pauses(_FIRST_PAUSE, _MAX_PAUSE)
        while True:
            await self._renewed(attempt)
            outcome = await send_once(self._graph, number.number_id, token, body)
            pause = next(pauses)
            if not may_pass(outcome) or self.monotonic() + pause > until:
                break
            await self.sleep(pause)
        if isinstance(outcome, SendRefused) and is_disconnection(outcome):
            await self._numbers.disconnect(number, outcome.fault.code)
        return outcome

    async def settle(self, message: StoredMessage, outcome: SendOutcome) -> StoredMessage:
        """The message with the outcome in the table; as it is when nobody knows."""
        match outcome:
            case SendAccepted(wamid):
                return await self.messages.settle(message, sent_values(message, wamid))
            case SendRefused(fault):
                error = SendFailure(fault.code, fault.title, fault.details)
                return await self.messages.settle(message, failed_values(error))
            case SendUnreached():
                error = SendFailure(None, NOT_CONNECTED, "WhatsApp could not be reached.")
                return await self.messages.settle(message, failed_values(error))
            case SendUnknown():
                return message

    async def release(
        self, claimed: Claimed, message: StoredMessage | None = None, *, mark: QueueMark | None = None
    ) -> None:
        """End the claim, publish `message.sent` for a sent message, and remove the `mark` of one that waited: together.

        Whoever finds the claim later does all this, if this process dies before.
        """
        went_out = message is not None and message.error is None
        publishes = message is not None and went_out and message.wamid is not None
        unsettled = message.id if message and message.status is MessageState.SENDING else None
        for _ in range(_RELEASE_TRIES):
            now, key = self.clock(), claimed.conversation.key
            changes = release_changes(claimed, now, went_out=went_out, unsettled=unsettled, dequeued=1 if mark else 0)
            operations = [update_operation(CONVERSATIONS, key, **changes), *([mark.removal] if mark else [])]
            operations += [sent_event(message, claimed.conversation, now)] if message and publishes else []
            try:
                await self.database.transact(operations)
                return
            except TransactionCanceled as canceled:
                failed = [reason == "ConditionalCheckFailed" for reason in canceled.reasons]
            mark = None if mark and failed[1] else mark
            publishes = publishes and not failed[-1]
            conversation = await self.current(claimed.conversation)
            if conversation.claim != claimed.claim:
                return
            claimed = Claimed(conversation, claimed.claim)
        raise Unavailable("the claim could not be released", indeterminate=False)

    async def settle_unknown(self, conversation: StoredConversation, *, release: bool = True) -> StoredMessage | None:
        """Settle what may have gone out more than two minutes ago, of which no status has come.

        Returns the message of an abandoned claim, which ends unless `release` is False. None where there is no such
        claim, or its process died before it stored the message.
        """
        now = self.clock()
        for message_id in sorted(conversation.unsettled):
            await self._settle_old(conversation, message_id)
        if not is_abandoned(conversation, now) or conversation.claim is None:
            return None
        message = await self._as_unknown(conversation, conversation.claim.message_id)
        if release:
            await self.release(Claimed(await self.current(conversation), conversation.claim), message)
        return message

    async def current(self, conversation: StoredConversation) -> StoredConversation:
        """The conversation as it is now."""
        item = await self.database.get(CONVERSATIONS, conversation.key)
        return conversation_of(item) if item else conversation

    async def _wait_for_others(
        self, conversation: StoredConversation, pauses: Iterator[float], until: float, *, queued: bool
    ) -> None:
        """Wait for the messages on their way, by reads: refused claims cost more. Raises ConversationBusy."""
        while (left := until - self.monotonic()) > 0:
            await self.sleep(min(next(pauses), left))
            conversation = await self.current(conversation)
            if is_abandoned(conversation, self.clock()):
                await self.settle_unknown(conversation)
                return
            if conversation.claim is None and (queued or not conversation.queued):
                return
        raise ConversationBusy

    async def _renewed(self, attempt: SendAttempt) -> None:
        """A claim that is young enough for a request to leave."""
        while self.monotonic() - attempt.since >= RELEASE_SECONDS:
            since = self.monotonic()
            attempt.claimed = await self.claims.renew(attempt.claimed, attempt.fence, self.clock())
            attempt.since = since

    async def _settle_old(self, conversation: StoredConversation, message_id: str) -> None:
        if found := await self.messages.sending(conversation, message_id):
            message, since = found
            if self.clock() - since < ABANDONED:
                return
            await self.messages.settle(message, failed_values(unknown_delivery()))
        await self._forget(conversation, message_id)

    async def _forget(self, conversation: StoredConversation, message_id: str) -> None:
        known, mark = frozenset({message_id}), change_mark(self.clock(), conversation.id)
        after = await self.database.update(
            CONVERSATIONS, conversation.key, set={"changed": mark}, discard={"unsettled": known}
        )
        await self._conversations.leave_due(conversation_of(after))

    async def _as_unknown(self, conversation: StoredConversation, message_id: str) -> StoredMessage | None:
        message = await self.messages.get(conversation, message_id)
        if message is None or message.status is not MessageState.SENDING:
            return message
        return await self.messages.settle(message, failed_values(unknown_delivery()))


def is_abandoned(conversation: StoredConversation, now: int) -> bool:
    """Whether the conversation's claim is that of a process that died."""
    return conversation.claim is not None and now - conversation.claim.at >= ABANDONED


def body_of(message: StoredMessage, conversation: StoredConversation) -> Item:
    """Graph's body of the message."""
    user = conversation.user
    return addressed(
        message.content or {},
        wa_id=user.wa_id,
        user_id=user.user_id,
        opaque=opaque_of(conversation.id, message.id),
        reply_to=message.reply_to,
    )


def may_pass(outcome: SendOutcome) -> bool:
    """Whether the message did not go out, and may go out a little later."""
    return isinstance(outcome, SendUnreached) or (isinstance(outcome, SendRefused) and outcome.fault.may_pass)


def is_disconnection(outcome: SendOutcome) -> bool:
    """Whether Meta refuses the number's access token."""
    return isinstance(outcome, SendRefused) and outcome.fault.meaning is FaultMeaning.TOKEN


def _pauses(first: float, longest: float) -> Iterator[float]:
    pause = first
    while True:
        yield pause
        pause = min(pause * 2, longest)
