"""A turn: what a worker does with a conversation that it has leased.

    read → guards → think → claim and send each part → end
     ▲                        │
     └────── once more ───────┘  the end user wrote meanwhile

The order matters. The model's reply is stored under the turn's id before it is charged, so a worker that takes the turn
on gets the same reply. A part is stored before it is sent, so nobody sends it again: what the turn has sent before is
left out.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from callmissed.aws.comparisons import below, missing_or
from callmissed.aws.database import Database
from callmissed.clock import MINUTE, Clock
from callmissed.platform.tables import CONVERSATIONS
from callmissed.sealing import UnsealError
from functions.bots.bots.asking import ModelReply
from functions.bots.bots.config import BotConfig
from functions.bots.bots.prompt import chat_body
from functions.bots.bots.records import Bot
from functions.bots.channels.whatsapp.errors import MEANINGS, FaultMeaning
from functions.bots.channels.whatsapp.payloads import text_content
from functions.bots.channels.whatsapp.text_parts import text_parts
from functions.bots.conversations.messages import (
    DELIVERY_UNKNOWN,
    NOT_CONNECTED,
    MessageState,
    StoredMessage,
    outbound_id,
)
from functions.bots.conversations.reasons import Reason
from functions.bots.conversations.records import NEVER, Claim, TurnState, to_lease
from functions.bots.numbers.records import PhoneNumber
from functions.bots.outbound.drafts import Draft, Fence, window_closes
from functions.bots.outbound.errors import (
    ConversationBusy,
    LeaseLost,
    NewerInbound,
    NotSendable,
    NotTakenYet,
    NumberDisconnected,
    TakenOver,
    WindowClosed,
)
from functions.bots.outbound.sending import MessageSender
from functions.bots.turns.context import TurnContext
from functions.bots.turns.counting import count_conversation
from functions.bots.turns.endings import ANSWERED, EndedTurn, TurnOutcome
from functions.bots.turns.guards import missing_bot, refusal_of
from functions.bots.turns.leases import Leased, Leases
from functions.bots.turns.receipts import Receipts
from functions.bots.turns.thinking import NoReply, NotNow, Thinker

THINKING_SECONDS = 60.0
SENDING_SECONDS = 80.0
"""After so long a worker leaves further parts to another: each may take 30 seconds, and Lambda ends at 120."""

MAX_TURN = 5 * MINUTE
"""A turn that several workers have tried for so long fails."""

MAX_DEATHS = 5
"""A turn with which so many workers died fails: it may be what kills them."""

_FAILURE_TEXT_EVERY = 60 * MINUTE
_OVERTAKEN = TurnOutcome(TurnState.SKIPPED, Reason.TAKEN_OVER)


@dataclass(slots=True)
class _Round:
    """One reading of the conversation. `sent` is what the turn has sent by now, also before it was taken on.

    With `is_last`, messages that come meanwhile wait for the next turn. `since` is when this worker began, by the
    monotonic clock.
    """

    leased: Leased
    context: TurnContext
    is_last: bool
    since: float
    sent: list[StoredMessage] = field(default_factory=list[StoredMessage])
    holds: bool = False

    @property
    def turn_id(self) -> str:
        return self.leased.lease.turn_id

    @property
    def thinks_again(self) -> bool:
        """Whether the same worker has asked the model before."""
        return self.is_last and not self.sent


class Turns:
    """Carries out turns. Raises Unavailable; another worker takes the turn on then."""

    def __init__(
        self,
        database: Database,
        leases: Leases,
        thinker: Thinker,
        sender: MessageSender,
        receipts: Receipts,
        clock: Clock,
        thinking_seconds: float = THINKING_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._leases = leases
        self._thinker = thinker
        self._sender = sender
        self._receipts = receipts
        self._clock = clock
        self._thinking_seconds = thinking_seconds
        self._monotonic = monotonic

    async def run(self, leased: Leased) -> EndedTurn | None:
        """The turn as it ended; None when another worker has it. Raises NotNow when it is to be taken on later."""
        if leased.lease.deaths >= MAX_DEATHS:
            return await self.broken_off(leased, TurnOutcome(TurnState.FAILED, Reason.INTERNAL_ERROR))
        round_ = await self._begin(leased, self._monotonic())
        try:
            return _ended(round_, await self._outcome(round_))
        except NewerInbound:
            again = await self._leases.renew(round_.leased, self._clock())
        except LeaseLost:
            return None
        if again is None:
            return _ended(round_, _OVERTAKEN)
        context = await TurnContext.read(self._database, again.conversation)
        round_ = _Round(again, context, is_last=True, since=round_.since)
        try:
            return _ended(round_, await self._outcome(round_))
        except LeaseLost:
            return None

    async def broken_off(self, leased: Leased, outcome: TurnOutcome) -> EndedTurn:
        """The end of a turn that nobody takes on: `outcome`, unless what it had sent says more."""
        context = await TurnContext.read(self._database, leased.conversation)
        sent = list(context.transcript.of_turn(leased.lease.turn_id))
        round_ = _Round(leased, context, is_last=True, since=self._monotonic(), sent=sent)
        return _ended(round_, _broken_off(round_) or outcome)

    async def _begin(self, leased: Leased, since: float) -> _Round:
        """The first round. A turn that another worker began, and that sent nothing, is for all that waits by now."""
        context = await TurnContext.read(self._database, leased.conversation)
        sent = list(context.transcript.of_turn(leased.lease.turn_id)) if leased.resumes else []
        if leased.is_overtaken:
            return _Round(leased, context, is_last=True, since=since, sent=sent)
        if leased.resumes and not sent and leased.lease.reads != leased.conversation.last_inbound:
            leased = await self._leases.renew(leased, self._clock()) or leased
            context = await TurnContext.read(self._database, leased.conversation)
        return _Round(leased, context, is_last=bool(sent), since=since, sent=sent)

    async def _outcome(self, round_: _Round) -> TurnOutcome:
        """What becomes of the turn. Raises NewerInbound, LeaseLost, NotNow."""
        if before := _broken_off(round_):
            return before
        if round_.leased.is_overtaken:
            return _OVERTAKEN
        try:
            return await self._answer(round_)
        except TakenOver:
            return _OVERTAKEN
        except WindowClosed:
            return TurnOutcome(TurnState.FAILED, Reason.WINDOW_CLOSED)
        except (NumberDisconnected, UnsealError):
            return TurnOutcome(TurnState.FAILED, Reason.NUMBER_DISCONNECTED)
        except ConversationBusy:
            raise NotNow(Reason.CONVERSATION_BUSY) from None
        except NotTakenYet as refused:
            raise NotNow(Reason.RATE_LIMITED if refused.is_rate else Reason.UNREACHABLE) from None
        except NoReply as failure:
            return await self._failed(round_, failure.reason)

    async def _answer(self, round_: _Round) -> TurnOutcome:
        context, conversation, now = round_.context, round_.leased.conversation, self._clock()
        number, bot, config = context.number, context.bot, context.config
        if (reason := missing_bot(number, bot)) or number is None or bot is None:
            is_fault = reason is Reason.NUMBER_DISCONNECTED
            return TurnOutcome(TurnState.FAILED if is_fault else TurnState.SKIPPED, reason)
        if now >= window_closes(conversation):
            raise WindowClosed
        if refusal := refusal_of(conversation, config, context.transcript, now):
            outcome = TurnOutcome(TurnState.SKIPPED, refusal.reason, refusal.escalates)
            sent = await self._send(round_, number, [refusal.text] if refusal.text else [])
            return sent if sent.reason is Reason.DELIVERY_UNKNOWN and not refusal.escalates else outcome
        if not await count_conversation(self._database, round_.leased, context.max_conversations, now):
            return TurnOutcome(TurnState.SKIPPED, Reason.QUOTA_EXCEEDED)
        return await self._think_and_send(round_, number, bot, config)

    async def _think_and_send(self, round_: _Round, number: PhoneNumber, bot: Bot, config: BotConfig) -> TurnOutcome:
        conversation, lease = round_.leased.conversation, round_.leased.lease
        seconds = self._thinking_seconds - (self._monotonic() - round_.since)
        body = chat_body(bot.system_prompt, config, conversation.user, round_.context.transcript.ordered)
        async with self._receipts.shown(number, round_.context.transcript):
            try:
                reply = await self._thinker.reply(conversation.tenant, lease.turn_id, lease.reads, body, seconds)
            except NotNow:
                if self._is_old(round_):
                    raise NoReply(Reason.MODEL_UNAVAILABLE) from None
                raise
            except NoReply as failure:
                if failure.reason is Reason.TIMEOUT and round_.thinks_again and not self._is_old(round_):
                    raise NotNow(Reason.TIMEOUT) from None  # the first thought took the time that the second one needs
                raise
        return await self._send(round_, number, [*_greeting(round_), *text_parts(reply.text)], reply)

    async def _send(
        self, round_: _Round, number: PhoneNumber, parts: Sequence[str], reply: ModelReply | None = None
    ) -> TurnOutcome:
        """Send what of `parts`, with which the `reply` ends, the turn has not sent yet, in order, until one fails.

        Raises NotSendable.
        """
        last, gives_up = len(parts) - 1, self._is_old(round_)
        for index in range(len(round_.sent), len(parts)):
            if self._monotonic() - round_.since > SENDING_SECONDS:
                raise NotNow(Reason.INTERNAL_ERROR)
            holds = index == last
            draft = Draft(
                outbound_id(self._clock()),
                "bot",
                text_content(parts[index]),
                text=parts[index],
                turn_id=round_.turn_id,
                tokens_used=reply.tokens if reply and holds else None,
                ends_answer=holds and reply is not None,
            )
            conversation, fence = round_.leased.conversation, _fence(round_)
            message = await self._sender.send(conversation, number, draft, fence, release=not holds, gives_up=gives_up)
            round_.sent.append(message)
            round_.holds = holds
            if message.error or message.status is MessageState.SENDING:
                return _unsent(message)
        return ANSWERED

    async def _failed(self, round_: _Round, reason: Reason) -> TurnOutcome:
        """The turn failed; the end user learns of it once an hour at most."""
        outcome, text = TurnOutcome(TurnState.FAILED, reason), round_.context.config.failure_text
        if text and not round_.sent and round_.context.number and await self._may_apologise(round_):
            try:
                await self._send(round_, round_.context.number, text_parts(text)[:1])
            except (NotSendable, NotNow) as refused:
                await self._unsay_apology(round_)
                if isinstance(refused, NewerInbound | LeaseLost | NotNow):
                    raise
                return _OVERTAKEN if isinstance(refused, TakenOver) else outcome
        return outcome

    async def _unsay_apology(self, round_: _Round) -> None:
        """The text did not leave, so the next failure may have it."""
        conversation, lease = round_.leased.conversation, {"lease": to_lease(round_.leased.lease)}
        before = conversation.failure_text_at or NEVER
        await self._database.update_if(CONVERSATIONS, conversation.key, set={"failure_text_at": before}, expected=lease)

    def _is_old(self, round_: _Round) -> bool:
        """Whether workers have tried the turn for so long that it fails now."""
        return self._clock() - round_.leased.began > MAX_TURN

    async def _may_apologise(self, round_: _Round) -> bool:
        """Whether this is the first failure in an hour, which is written down before the text leaves."""
        now, leased = self._clock(), round_.leased
        return await self._database.update_if(
            CONVERSATIONS,
            leased.conversation.key,
            set={"failure_text_at": now},
            expected={
                "lease": to_lease(leased.lease),
                "failure_text_at": missing_or(below(now - _FAILURE_TEXT_EVERY)),
            },
        )


def _greeting(round_: _Round) -> list[str]:
    """The greeting, before the first answer, unless an earlier turn sent it whose answer did not arrive."""
    greeting = text_parts(round_.context.config.greeting or "")
    earlier = [message for message in round_.context.transcript.messages if message.turn_id != round_.turn_id]
    greeted = any(message.author == "bot" and message.text in greeting and not message.error for message in earlier)
    return [] if round_.leased.conversation.answers or greeted else greeting


def _fence(round_: _Round) -> Fence:
    """A part leaves if nobody took over; the first one of a first round, if the end user has not written meanwhile."""
    lease, epoch = round_.leased.lease, round_.leased.conversation.epoch
    return Fence(lease, epoch, None if round_.is_last or round_.sent else lease.reads)


def _broken_off(round_: _Round) -> TurnOutcome | None:
    """The outcome of a turn whose worker died after a message that ends it; what was sent entirely is answered."""
    if not round_.sent:
        return None
    last = round_.sent[-1]
    if last.error or last.status is MessageState.SENDING:
        return _unsent(last)
    if last.ends_answer:
        return ANSWERED
    if last.text == round_.context.config.failure_text:
        return TurnOutcome(TurnState.FAILED, Reason.MODEL_UNAVAILABLE)
    return None


def _unsent(message: StoredMessage) -> TurnOutcome:
    """The outcome of a turn whose message did not go out, or may not have."""
    error = message.error
    if error is None or error.title == DELIVERY_UNKNOWN:
        return TurnOutcome(TurnState.FAILED, Reason.DELIVERY_UNKNOWN)
    if error.title == NOT_CONNECTED:
        return TurnOutcome(TurnState.FAILED, Reason.UNREACHABLE)
    meaning = MEANINGS.get(error.code) if error.code is not None else None
    return TurnOutcome(
        TurnState.FAILED, _BY_MEANING.get(meaning, Reason.UNDELIVERABLE) if meaning else Reason.UNDELIVERABLE
    )


_BY_MEANING = {
    FaultMeaning.WINDOW_CLOSED: Reason.WINDOW_CLOSED,
    FaultMeaning.TOKEN: Reason.NUMBER_DISCONNECTED,
    FaultMeaning.PERMISSION: Reason.NUMBER_DISCONNECTED,
    FaultMeaning.NUMBER: Reason.NUMBER_DISCONNECTED,
    FaultMeaning.PAIR_RATE: Reason.RATE_LIMITED,
    FaultMeaning.THROUGHPUT: Reason.RATE_LIMITED,
}


def _ended(round_: _Round, outcome: TurnOutcome) -> EndedTurn:
    """The turn as it is to be written down."""
    conversation = round_.leased.conversation
    if round_.holds:
        conversation = replace(conversation, claim=Claim(round_.sent[-1].id, round_.sent[-1].created, by_bot=True))
    return EndedTurn(
        round_.turn_id,
        conversation,
        outcome,
        round_.leased.began,
        round_.context.bot.id if round_.context.bot else conversation.bot_id or "",
        lease=round_.leased.lease,
        answers=_answers(round_),
        sent=round_.sent,
        holds=round_.holds,
    )


def _answers(round_: _Round) -> list[str]:
    """Ids of the messages that the turn is for. What came after a message that it had sent before waits for another."""
    ids = sorted(round_.leased.conversation.pending_ids)
    reads = round_.leased.lease.reads
    if round_.is_last and reads != round_.leased.conversation.last_inbound:
        return [id for id in ids if id <= reads and id != round_.leased.conversation.last_inbound]
    return ids
