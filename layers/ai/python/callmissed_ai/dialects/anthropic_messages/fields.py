"""Which fields of a messages request every provider may get: those known to change neither price nor what is counted.

The table in docs/providers.md says why for each. The names follow `anthropic.types.message_create_params`. Cache marks
are further fields, as a written cache has a price of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from callmissed_ai.dialects.further_fields import PROVIDER, FurtherField, Shape, chosen_by_type, further_fields, shape

_NEUTRAL_VALUES: Mapping[str, tuple[object, ...]] = {
    "service_tier": ("auto", "standard_only"),
    "speed": ("standard",),
}
"""Values with which a field means what its absence means, so that it is left out."""

_TEXT = shape("type", "text", free=("citations",))
_IMAGE = shape("type", source=chosen_by_type(base64=shape("type", "media_type", "data"), url=shape("type", "url")))
_DOCUMENT = shape(
    *("type", "title", "context"),
    source=chosen_by_type(text=shape("type", "media_type", "data")),
    citations=shape("enabled"),
)
_RESULT = chosen_by_type(text=_TEXT, image=_IMAGE, document=_DOCUMENT)
_BLOCK = chosen_by_type(
    text=_TEXT,
    image=_IMAGE,
    document=_DOCUMENT,
    tool_use=shape("type", "id", "name", free=("input",), caller=chosen_by_type(direct=shape("type"))),
    tool_result=shape("type", "tool_use_id", "is_error", content=_RESULT),
    thinking=shape("type", "thinking", "signature"),
    redacted_thinking=shape("type", "data"),
)
_TOOL = shape(
    *("type", "name", "description", "strict", "eager_input_streaming"),
    free=("input_schema", "input_examples"),
)
_OPTIONS = ("model", "route", "max_tokens", "stream", "temperature", "top_p", "top_k")
REQUEST: Shape = shape(
    *_OPTIONS,
    free=("models", "stop_sequences"),
    messages=shape("role", content=_BLOCK),
    system=_TEXT,
    metadata=shape("user_id"),
    tools=_TOOL,
    tool_choice=shape("type", "name", "disable_parallel_tool_use"),
    thinking=shape("type", "budget_tokens", "display"),
    output_config=shape("effort", format=shape("type", free=("schema",))),
    provider=PROVIDER,
)
"""The shape of a request that every provider may get."""


def without_neutral_values(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` without those fields beside the known ones whose values say nothing."""
    if body.keys() <= REQUEST.fields and None not in body.values():
        return body
    return {
        name: value for name, value in body.items() if value is not None and value not in _NEUTRAL_VALUES.get(name, ())
    }


def further_message_fields(body: Mapping[str, Any]) -> Iterator[FurtherField]:
    """The fields of a valid request, at any depth, that not every provider may get."""
    yield from further_fields(body, REQUEST)
    for index, tool in enumerate(body.get("tools") or ()):
        if tool.get("type") not in (None, "custom"):  # hosted tools have types of their own, and prices
            yield FurtherField(f"tools.{tool['type']}", f"tools.{index}.type")
