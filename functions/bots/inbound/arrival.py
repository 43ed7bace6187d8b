"""A message that arrived at a number of a tenant, or left its phone, with what is known of number and end user."""

from dataclasses import dataclass

from callmissed.clock import Micros
from callmissed.integrations.whatsapp_payloads import as_text
from functions.bots.bots.config import BotConfig
from functions.bots.conversations.messages import MessageState, StoredMessage, inbound_id, media_id, turn_id_of
from functions.bots.conversations.reasons import Reason
from functions.bots.conversations.records import LastTurn, TurnState
from functions.bots.inbound.known import Known
from functions.bots.inbound.opt_out import is_one_of
from functions.bots.inbound.parts import ReceivedMessage


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message for the phone number `number_id`, received at `received` and stored at `now`."""

    tenant: str
    number_id: str
    message: ReceivedMessage
    received: Micros
    now: Micros
    known: Known

    @property
    def sent(self) -> Micros:
        """When it was sent by Meta's clock, which may be ahead of ours."""
        return self.received if self.message.sent is None else min(self.message.sent, self.received)

    @property
    def message_id(self) -> str:
        """Our id of the message, the same at each delivery."""
        return inbound_id(self.message.wamid, self.sent, self.received)

    @property
    def bot_id(self) -> str | None:
        """The bot of the number."""
        return self.known.bot.id if self.known.bot else None

    @property
    def config(self) -> BotConfig:
        """What the number's bot says of its messages, or what all bots say by default."""
        return self.known.bot.config if self.known.bot else BotConfig()

    @property
    def choice(self) -> bool | None:
        """Whether the end user opts out by it, or in again; None for a message that is neither."""
        text, config = self.message.text, self.config
        if not self.message.is_for_bot:
            return None
        if self.known.opted_out:
            return False if is_one_of(text, config.opt_in_words) else None
        return True if is_one_of(text, config.opt_out_words) else None

    @property
    def is_opted_out(self) -> bool:
        """Whether the end user wants no bot once the message is stored."""
        return self.known.opted_out if self.choice is None else self.choice

    @property
    def wants_turn(self) -> bool:
        """Whether a bot is to look at it."""
        return self.message.is_for_bot and self.known.answers and self.choice is None and not self.is_opted_out

    @property
    def skip(self) -> LastTurn | None:
        """The skipped turn of a message that begins none; None also where the message needs no answer."""
        if self.wants_turn or self.message.is_echo or not self.message.opens_conversation:
            return None
        return LastTurn(turn_id_of(self.message_id), TurnState.SKIPPED, self._why_not)

    @property
    def _why_not(self) -> Reason:
        if self.choice is False:
            return Reason.OPTED_IN
        if self.is_opted_out:
            return Reason.OPTED_OUT
        if self.known.number and not self.known.number.autoreply:
            return Reason.AUTOREPLY_OFF
        if self.known.bot is None:
            return Reason.NO_BOT
        return Reason.EMPTY_MESSAGE if self.message.type == "text" else Reason.UNSUPPORTED_TYPE

    def stored(self, conversation_id: str) -> StoredMessage:
        """The message as an entry of a conversation."""
        message = self.message
        media = None
        if message.media is not None:
            said = {name: message.media.get(name) for name in _MEDIA_FIELDS}
            media = {
                "id": media_id(conversation_id, self.message_id),
                "meta_id": as_text(message.media.get("id")),
                **{name: value for name, value in said.items() if isinstance(value, str | bool)},
            }
        return StoredMessage(
            tenant=self.tenant,
            conversation_id=conversation_id,
            id=self.message_id,
            author="person" if message.is_echo else "user",
            type=message.type,
            status=MessageState.SENT if message.is_echo else MessageState.RECEIVED,
            created=self.sent,
            text=message.text,
            wamid=message.wamid,
            reply_to=message.reply_to,
            media=media,
            content=message.content,
        )


_MEDIA_FIELDS = ("mime_type", "sha256", "filename", "voice", "animated")
