"""Which fields of a chat request every provider may get: those known to change neither price nor what is counted.

The table in docs/providers.md says why for each. The names follow `openai.types.chat.completion_create_params`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed.errors import invalid_request
from callmissed_ai.dialects.further_fields import PROVIDER, FurtherField, Shape, chosen_by_type, further_fields, shape

_NEUTRAL_VALUES: Mapping[str, tuple[object, ...]] = {
    "best_of": (1,),
    "modalities": (["text"],),
    "num_return_sequences": (1,),
    "plugins": ([],),
    "prompt_cache_retention": ("in_memory",),
    "service_tier": ("auto", "default"),
    "transforms": ([],),
}
"""Values with which a field means what its absence means, so that it is left out."""

_STRICT = "structured_outputs"

_CALL = shape(
    "id",
    "type",
    "index",
    free=("extra_content",),
    function=shape("name", free=("arguments",)),
    custom=shape("name", free=("input",)),
)
_TEXT = shape("type", "text", free=("annotations",))
_PART = chosen_by_type(
    text=_TEXT,
    input_text=_TEXT,
    output_text=_TEXT,
    refusal=shape("type", "refusal"),
    thinking=shape("type", "closed", thinking=shape("type", "text")),
    image_url=shape("type", image_url=shape("url", "detail")),
    input_image=shape("type", "detail", image_url=shape("url", "detail")),
)
_MESSAGE = shape(
    "name",
    "refusal",
    "role",
    "tool_call_id",
    free=("annotations", "extra_content", "reasoning", "reasoning_content", "reasoning_details"),
    content=_PART,
    function_call=shape("name", free=("arguments",)),
    tool_calls=_CALL,
)
_FUNCTION = shape("name", "description", "strict", free=("parameters",))
_TOOL = chosen_by_type(
    function=shape("type", function=_FUNCTION),
    custom=shape("type", custom=shape("name", "description", free=("format",))),
)
_NAMED = shape("name")
_CHOICE = chosen_by_type(
    function=shape("type", function=_NAMED),
    custom=shape("type", custom=_NAMED),
    allowed_tools=shape("type", allowed_tools=shape("mode", tools=shape("type", function=_NAMED, custom=_NAMED))),
)
_FORMAT = chosen_by_type(
    text=shape("type"),
    json_object=shape("type", free=("schema",)),
    json_schema=shape("type", json_schema=shape("name", "description", "strict", free=("schema",))),
)
_OPTIONS = (
    *("model", "route", "stream", "n", "max_tokens", "max_completion_tokens"),
    *("temperature", "top_p", "top_k", "min_p", "seed", "logprobs", "top_logprobs"),
    *("frequency_penalty", "presence_penalty", "repetition_penalty"),
    *("parallel_tool_calls", "reasoning_effort", "verbosity"),
    *("prompt_cache_key", "safety_identifier", "store", "user"),
)
REQUEST: Shape = shape(
    *_OPTIONS,
    free=("models", "stop", "logit_bias", "metadata"),
    messages=_MESSAGE,
    tools=_TOOL,
    tool_choice=_CHOICE,
    functions=_FUNCTION,
    function_call=_NAMED,
    response_format=_FORMAT,
    reasoning=shape("effort", "max_tokens", "enabled", "exclude", "summary"),
    stream_options=shape("include_usage", "include_obfuscation"),
    provider=PROVIDER,
)
"""The shape of a request that every provider may get."""


def without_neutral_values(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` without those fields beside the known ones whose values say nothing, or what the format says.

    Raises ApiError 400 for `structured_outputs` without a schema.
    """
    if body.keys() <= REQUEST.fields:
        return body
    if _STRICT in body:
        body = _with_strict_schema(body)
    return {name: value for name, value in body.items() if name in REQUEST.fields or not _is_neutral(name, value)}


def _with_strict_schema(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """`body` with what `structured_outputs` asks for in the place where OpenAI's API has it: a `strict` schema."""
    others, strict = {name: value for name, value in body.items() if name != _STRICT}, body[_STRICT]
    if strict is None or strict is False:
        return others
    if strict is not True:
        raise invalid_request(f"Invalid '{_STRICT}': must be true or false.", _STRICT)
    wanted = _object(body.get("response_format"))
    schema = _object(wanted.get("json_schema"))
    if wanted.get("type") != "json_schema" or not schema:
        message = f"Invalid '{_STRICT}': true needs a 'response_format' of the type 'json_schema'."
        raise invalid_request(message, _STRICT)
    return {**others, "response_format": {**wanted, "json_schema": {**schema, "strict": True}}}


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def further_chat_fields(body: Mapping[str, Any]) -> Iterator[FurtherField]:
    """The fields of a valid request, at any depth, that not every provider may get."""
    return further_fields(body, REQUEST)


def _is_neutral(name: str, value: object) -> bool:
    return value is None or any(value == neutral for neutral in _NEUTRAL_VALUES.get(name, ()))
