"""Opening a dialect by its name."""

from functools import cache

from callmissed.catalog.model import DialectName, UpstreamDialectName
from callmissed_ai.dialects.dialect import Dialect, UpstreamDialect


@cache
def open_dialect(name: DialectName) -> Dialect:
    """The dialect of that name, which callers speak.

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


@cache
def open_upstream_dialect(name: UpstreamDialectName) -> UpstreamDialect:
    """The dialect of that name, which upstreams speak: the same object as for callers where they speak it too."""
    match name:
        case "bedrock_converse":
            from callmissed_ai.dialects.bedrock_converse.dialect import ConverseDialect

            return ConverseDialect()
        case _:
            return open_dialect(name)
