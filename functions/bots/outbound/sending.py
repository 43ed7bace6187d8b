"""The one way by which a message leaves: claim, store as `sending`, send once, settle, release.

A message that may have gone out is never sent again. Meta's refusals and refused connections are definite; pair rate,
throughput and connections are tried again for a while. After everything else the message stays `sending`: a status
settles it, or `settle_unknown` two minutes later.
"""

from dataclasses import dataclass, replace

from callmissed.aws.dynamodb import Unavailable
from functions.bots.channels.whatsapp.sends import SendAccepted, SendOutcome, SendRefused
from functions.bots.conversations.messages import MessageState, StoredMessage
from functions.bots.conversations.records import StoredConversation
from functions.bots.numbers.records import PhoneNumber
from functions.bots.outbound.attempts import SendAttempt, SendAttempts, may_pass
from functions.bots.outbound.drafts import Draft, Fence, window_closes
from functions.bots.outbound.errors import (
    ConversationBusy,
    NotSendable,
    NotTakenYet,
    NumberDisconnected,
    WindowClosed,
)


@dataclass(frozen=True, slots=True)
class SendTimes:
    """How long, in seconds, a message waits for others of its conversation, and is tried again after refusals."""

    claim: float = 8.0
    retries: float = 12.0


class MessageSender:
    """Sends messages of one part at once. Create it anywhere, use it from one event loop."""

    def __init__(self, attempts: SendAttempts, times: SendTimes | None = None) -> None:
        self._attempts = attempts
        self._times = times or SendTimes()

    async def send(
        self,
        conversation: StoredConversation,
        number: PhoneNumber,
        draft: Draft,
        fence: Fence | None = None,
        *,
        release: bool = True,
        gives_up: bool = True,
    ) -> StoredMessage:
        """The message after it was sent: `sent`, `failed` with the reason, or `sending` when nobody knows.

        A bot's message has a `fence`. With `release` the claim ends and `message.sent` is published. Without it, the
        caller does both in one transaction that removes `claim` and, for a message that is still `sending`, adds its
        id to `unsettled` and leaves the conversation due. A message that Meta may take later fails, or is removed
        unless the caller `gives_up`. Raises NotSendable, UnsealError and Unavailable.
        """
        attempts = self._attempts
        check_sendable(conversation, number, attempts.clock())
        attempts.token_of(number)
        attempt = await attempts.claim(conversation, draft, fence, until=attempts.monotonic() + self._times.claim)
        message = draft.stored(attempt.claimed.conversation, MessageState.SENDING, attempt.claimed.claim.at)
        if not await attempts.messages.put(message):
            await attempts.release(attempt.claimed)
            raise ConversationBusy
        outcome = await self._delivered(attempt, number, message, gives_up=gives_up)
        if release:
            return await self._released(attempt, message, outcome)
        return await attempts.settle(message, outcome)

    async def settle_unknown(self, conversation: StoredConversation, *, release: bool = True) -> StoredMessage | None:
        """As `SendAttempts.settle_unknown`."""
        return await self._attempts.settle_unknown(conversation, release=release)

    async def _delivered(
        self, attempt: SendAttempt, number: PhoneNumber, message: StoredMessage, *, gives_up: bool
    ) -> SendOutcome:
        attempts, until = self._attempts, self._attempts.monotonic() + self._times.retries
        try:
            outcome = await attempts.deliver(attempt, number, message, until=until)
            if not gives_up and may_pass(outcome):
                raise NotTakenYet(is_rate=isinstance(outcome, SendRefused))
            return outcome
        except NotSendable:
            await attempts.messages.drop(message)
            await attempts.release(attempt.claimed)
            raise

    async def _released(self, attempt: SendAttempt, message: StoredMessage, outcome: SendOutcome) -> StoredMessage:
        """The settled message. The caller learns of a sent one even if the tables do not answer now."""
        try:
            settled = await self._attempts.settle(message, outcome)
            await self._attempts.release(attempt.claimed, settled)
        except Unavailable:
            if not isinstance(outcome, SendAccepted):
                raise
            return replace(message, status=MessageState.SENT, wamid=outcome.wamid)
        return settled


def check_sendable(conversation: StoredConversation, number: PhoneNumber, now: int) -> None:
    """Raise WindowClosed or NumberDisconnected for a message that Meta would refuse."""
    if not number.is_connected:
        raise NumberDisconnected
    if now >= window_closes(conversation):
        raise WindowClosed
