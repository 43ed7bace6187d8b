"""Compaction in the responses dialect: what its upstream gets, and what its reply reports.

https://platform.openai.com/docs/api-reference/responses/compact
"""

from collections.abc import Collection, Mapping
from typing import Any, cast

from callmissed_ai.dialects.openai_responses.usage import read_usage
from callmissed_ai.tokens.usage import TokenUsage


def compaction_request(addressed: Mapping[str, Any] | bytes, fields: Collection[str]) -> Mapping[str, Any]:
    """The `fields` of a request for a response that a compaction has too."""
    if isinstance(addressed, bytes):
        raise TypeError("a request of this dialect is JSON")
    return {name: value for name, value in addressed.items() if name in fields}


def compaction_usage(reply: Mapping[str, Any]) -> tuple[TokenUsage | None, str]:
    """The usage that a compaction reports, and the text that it wrote."""
    items = [cast("dict[str, Any]", item) for item in reply["output"] if isinstance(item, dict)]
    written = [item.get("encrypted_content") for item in items if item.get("type") == "compaction"]
    return read_usage(reply.get("usage")), "".join(text for text in written if isinstance(text, str))
