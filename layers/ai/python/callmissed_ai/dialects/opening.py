"""Opening a dialect by its name."""

from functools import cache

from callmissed.catalog.model import DialectName
from callmissed_ai.dialects.dialect import Dialect


@cache
def open_dialect(name: DialectName) -> Dialect:
    """The dialect of that name.

    Each is imported when a call needs it, because few processes need all. The type checker holds that every
    `DialectName` has its case.
    """
    match name:
        case "openai_chat":
            from callmissed_ai.dialects.openai_chat.dialect import ChatDialect

            return ChatDialect()
        case "anthropic_messages":
            from callmissed_ai.dialects.anthropic_messages.dialect import MessagesDialect

            return MessagesDialect()
        case "openai_responses":
            from callmissed_ai.dialects.openai_responses.dialect import ResponsesDialect

            return ResponsesDialect()
