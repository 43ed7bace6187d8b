"""What keeps a bot from answering, as far as the conversation shows it. Pure functions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from callmissed.clock import MINUTE, Micros
from functions.bots.bots.config import BotConfig
from functions.bots.bots.records import Bot
from functions.bots.conversations.answer_counts import answers_today
from functions.bots.conversations.messages import StoredMessage
from functions.bots.conversations.reasons import Reason
from functions.bots.conversations.records import NEVER, StoredConversation
from functions.bots.conversations.transcript import Transcript
from functions.bots.numbers.records import PhoneNumber
from functions.bots.turns.words import equal_form, says_one_of

EQUAL_TEXTS, EQUAL_TEXTS_WITHIN = 5, 10 * MINUTE
REPLIES, REPLIES_WITHIN = 15, 2 * MINUTE


@dataclass(frozen=True, slots=True)
class TurnRefusal:
    """The model is not asked. The conversation `escalates` to a person, and the end user may get a `text`."""

    reason: Reason
    escalates: bool = False
    text: str | None = None


def missing_bot(number: PhoneNumber | None, bot: Bot | None) -> Reason | None:
    """Why no bot answers at the number."""
    if number is None or not number.is_connected:
        return Reason.NUMBER_DISCONNECTED
    if not number.autoreply:
        return Reason.AUTOREPLY_OFF
    if bot is None:
        return Reason.NO_BOT
    if not bot.is_active:
        return Reason.BOT_INACTIVE
    return None if bot.system_prompt.strip() else Reason.EMPTY_PROMPT


def refusal_of(
    conversation: StoredConversation, config: BotConfig, transcript: Transcript, now: Micros
) -> TurnRefusal | None:
    """Why the model is not asked; None when it is."""
    asked = transcript.asked
    if not asked:
        is_text = all(message.type == "text" for message in transcript.pending)
        return TurnRefusal(Reason.EMPTY_MESSAGE if is_text else Reason.UNSUPPORTED_TYPE)
    if any(says_one_of(message.text or "", config.handoff_phrases) for message in asked):
        return TurnRefusal(Reason.HANDED_OFF, escalates=True, text=config.handoff_text)
    since = conversation.handed_back_at or NEVER
    if is_loop([message for message in transcript.messages if message.created > since], now):
        return TurnRefusal(Reason.LOOP, escalates=True)
    return TurnRefusal(Reason.TURN_LIMIT) if _is_over_limit(conversation, config, now) else None


def is_loop(messages: Sequence[StoredMessage], now: Micros) -> bool:
    """Whether two machines seem to talk: the same text again and again, or many replies without a pause."""
    recent = [message for message in messages if now - message.created <= EQUAL_TEXTS_WITHIN]
    equal = Counter((message.author, equal_form(message.text or "")) for message in recent if _counts(message))
    if max(equal.values(), default=0) >= EQUAL_TEXTS:
        return True
    replies = {message.turn_id for message in recent if message.turn_id and now - message.created <= REPLIES_WITHIN}
    return len(replies) >= REPLIES


def _counts(message: StoredMessage) -> bool:
    return bool(message.text) and message.author in ("user", "bot")


def _is_over_limit(conversation: StoredConversation, config: BotConfig, now: Micros) -> bool:
    today = answers_today(conversation, now)
    return conversation.answers >= config.max_turns_per_conversation or today >= config.max_turns_per_day
