"""Messages that a colleague sent to an end user from the phone, in the WhatsApp Business app: Meta echoes each to us.

One is stored as a message that went out, written by a person, and takes the conversation over in the same transaction:
a bot that has not claimed the conversation yet never sends. A request that was released to Graph before may still
arrive. Without an open conversation one begins that is taken over, so that the bot does not answer the answer.
"""

from collections.abc import Sequence

from callmissed.clock import SECOND
from functions.bots.conversations.records import NEVER, StoredConversation
from functions.bots.inbound.arrival import Arrival
from functions.bots.inbound.writes import StoragePlan, added, answered, begun

_TOLERANCE = 6 * SECOND
"""Meta says to the second when a message was sent, and its clock may differ from ours by five."""


def plan_of(arrival: Arrival, conversations: Sequence[StoredConversation]) -> StoragePlan | None:
    """How to store the message, given the end user's `conversations`; None for one that belongs to none."""
    open_ones = [each for each in conversations if each.status_at(arrival.now).is_open]
    if open_ones:
        current = max(open_ones, key=lambda each: each.last_activity)
        if not _takes_over(arrival, current):
            return added(arrival, current.id)
        return answered(arrival, current, [each for each in conversations if each is not current])
    if arrival.message.opens_conversation:
        return begun(arrival, conversations)
    return added(arrival, conversations[0].id) if conversations else None


def _takes_over(arrival: Arrival, conversation: StoredConversation) -> bool:
    """Whether a person answers from now on. A late echo does not undo a later hand-back, nor does a mended typo."""
    handed_back_at = conversation.handed_back_at or NEVER
    return not arrival.message.changes_earlier_one and arrival.sent + _TOLERANCE >= handed_back_at
