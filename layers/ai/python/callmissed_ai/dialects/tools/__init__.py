"""Tools, their calls and results between dialects."""

from callmissed_ai.dialects.conversation import Conversation
from callmissed_ai.dialects.tools.names import with_accepted_names
from callmissed_ai.dialects.tools.pairing import check_tools


def checked_tools(conversation: Conversation) -> Conversation:
    """`conversation` as any provider can have it, as far as tools are concerned. Raises ApiError 400."""
    check_tools(conversation)
    return with_accepted_names(conversation)
