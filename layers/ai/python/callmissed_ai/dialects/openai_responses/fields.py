"""Which fields of a responses request every provider may get: those known to change neither price nor what is counted.

The table in docs/providers.md says why for each. The names follow `openai.types.responses.response_create_params`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.further_fields import PROVIDER, FurtherField, Shape, chosen_by_type, further_fields, shape

_NEUTRAL_VALUES: Mapping[str, tuple[object, ...]] = {
    "background": (False,),
    "prompt_cache_retention": ("in_memory",),
    "service_tier": ("auto", "default"),
    "top_logprobs": (0,),
    "truncation": ("disabled",),
}
"""Values with which a field means what its absence means, so that it is left out."""

_TEXT = shape("type", "text")
_WRITTEN = shape("type", "text", free=("annotations", "logprobs"))
_IMAGE = shape("type", "image_url", "detail")
_PART = chosen_by_type(input_text=_TEXT, output_text=_WRITTEN, refusal=shape("type", "refusal"), input_image=_IMAGE)
_ITEM = chosen_by_type(
    message=shape("type", "id", "role", "status", "phase", content=_PART),
    function_call=shape("type", "id", "call_id", "name", "arguments", "status"),
    function_call_output=shape(
        *("type", "id", "call_id", "status"), output=chosen_by_type(input_text=_TEXT, input_image=_IMAGE)
    ),
    reasoning=shape("type", "id", "status", "encrypted_content", summary=_TEXT, content=_TEXT),
    compaction=shape("type", "id", "encrypted_content", "created_by"),
)
FUNCTION: Shape = shape("type", "name", "description", "strict", free=("parameters",))
NAMED: Shape = shape("type", "name")
CHOICE: Shape = chosen_by_type(function=NAMED, allowed_tools=shape("type", "mode", tools=NAMED))
FORMAT: Shape = chosen_by_type(
    text=shape("type"),
    json_object=shape("type"),
    json_schema=shape("type", "name", "description", "strict", free=("schema",)),
)
REQUEST: Shape = shape(
    *("model", "stream", "instructions", "max_output_tokens", "max_tool_calls", "temperature", "top_p", "top_logprobs"),
    *("route", "parallel_tool_calls", "truncation", "store", "previous_response_id"),
    *("user", "safety_identifier", "prompt_cache_key"),
    free=("models", "metadata", "include"),
    input=_ITEM,
    tools=chosen_by_type(function=FUNCTION),
    tool_choice=CHOICE,
    text=shape("verbosity", format=FORMAT),
    reasoning=shape("effort", "summary", "generate_summary"),
    stream_options=shape("include_obfuscation"),
    provider=PROVIDER,
)
"""The shape of a request that every provider may get."""


def without_neutral_values(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` without fields whose values say nothing, and with the type of messages that are sent without one."""
    kept = {name: value for name, value in body.items() if not _is_neutral(name, value)}
    found: Any = kept.get("input")
    return kept | {"input": [_typed(item) for item in cast("list[Any]", found)]} if isinstance(found, list) else kept


def _is_neutral(name: str, value: object) -> bool:
    return value is None or any(value == neutral for neutral in _NEUTRAL_VALUES.get(name, ()))


def _typed(item: Any) -> Any:
    """An item without a type is a message, where it has a role."""
    if not isinstance(item, dict):
        return item
    fields = cast("dict[str, Any]", item)
    return {**fields, "type": "message"} if "role" in fields and fields.get("type") is None else fields


def further_response_fields(body: Mapping[str, Any]) -> Iterator[FurtherField]:
    """The fields of a valid request, at any depth, that not every provider may get."""
    return further_fields(body, REQUEST)
