"""Why a message is not sent. Nothing went out when one of these is raised.

NotSendable
├─ TakenOver             a person answers, or the user opted out: the bot's message must not leave
├─ NewerInbound          the user wrote again since the bot read the conversation
├─ LeaseLost             another worker answers the conversation
├─ WindowClosed          WhatsApp takes templates only until the user writes again
├─ ConversationBusy      another message is being sent, or some wait to be sent
├─ NotTakenYet           Meta takes no message at the moment, and may take this one a little later
├─ QueueFull             too many messages wait for this user
└─ NumberDisconnected    Meta refuses the number's token
"""


class NotSendable(Exception):
    """The message did not go out, and is not stored."""


class TakenOver(NotSendable):
    """A person answers instead of the bot."""


class NewerInbound(NotSendable):
    """The user wrote again since the bot read the conversation."""


class LeaseLost(NotSendable):
    """Another worker has the conversation."""


class WindowClosed(NotSendable):
    """The user wrote nothing for 24 hours."""


class ConversationBusy(NotSendable):
    """Other messages to the user are on their way."""


class NotTakenYet(NotSendable):
    """Meta's rates are used up, or Meta can't be reached."""

    def __init__(self, *, is_rate: bool) -> None:
        super().__init__()
        self.is_rate = is_rate


class QueueFull(NotSendable):
    """Too many messages to the user wait."""


class NumberDisconnected(NotSendable):
    """Meta refuses the number's access token."""
