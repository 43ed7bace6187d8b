"""A responses request: its validation, and what the gateway reads of it whichever provider serves it.

https://platform.openai.com/docs/api-reference/responses/create. `fields` says which fields may pass to the upstream.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.preferences.request_field import ProviderPreferences
from callmissed_ai.tokens.bounds import max_request_tokens
from callmissed_ai.tokens.usage import MAX_TOKENS

PATH = "/responses"
GATEWAY_FIELDS = frozenset({"models", "previous_response_id", "provider", "route"})
"""Fields for the gateway, which are not sent upstream."""

ENCRYPTED_REASONING = "reasoning.encrypted_content"
_INCLUDABLE = (ENCRYPTED_REASONING, "message.output_text.logprobs")

MAX_ITEMS = 10_000
MAX_PARTS = 2_000
"""Maximum of content parts in a request, all items together; likewise of tool calls, and of tools."""

MAX_IMAGES = 250

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class InputItem(BaseModel):
    """An item of the input: `message`, `function_call`, `function_call_output`, `reasoning`, or another type."""

    model_config = ConfigDict(strict=True, extra="allow")
    type: str


class ReasoningConfig(BaseModel):
    """How much the model is to think, and whether a summary of it is shown."""

    model_config = ConfigDict(strict=True, extra="allow")
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ResponsesRequest(BaseModel):
    """A responses request. Fields that not every provider may get need a row that admits them, else 400."""

    model_config = ConfigDict(strict=True, extra="allow")

    model: str = Field(min_length=1, max_length=200, description="Id of a model from `GET /v1/models`.")
    input: str | Annotated[list[InputItem], Field(min_length=1, max_length=MAX_ITEMS)]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: (
        Annotated[int, Field(ge=1, description="Limit of output tokens; bounds what is set aside.")] | None
    ) = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    reasoning: ReasoningConfig | None = None
    include: list[str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    store: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    models: (
        Annotated[list[str], Field(max_length=8, description="Models to try next, before the first byte.")] | None
    ) = None
    route: Annotated[Literal["fallback"], Field(description="How `models` is meant; the only way there is.")] | None = (
        None
    )
    provider: ProviderPreferences | None = None

    @property
    def model_ids(self) -> list[str]:
        """The model asked for, then its fallbacks, each once."""
        return list(dict.fromkeys([self.model, *(self.models or [])]))

    @property
    def output_limits(self) -> dict[str, int]:
        """The caller's own limit of output tokens, by field."""
        return {} if self.max_output_tokens is None else {"max_output_tokens": self.max_output_tokens}


def parse_responses(body: Mapping[str, Any]) -> ResponsesRequest:
    """The request in `body`. Raises ApiError 400 naming the first field that is wrong, or that we don't have."""
    check_references(body)
    try:
        request = ResponsesRequest.model_validate(body)
    except ValidationError as error:
        raise first_error(error) from None
    for number, name in enumerate(request.include or ()):
        if name not in _INCLUDABLE:
            raise _unsupported(f"include.{number}", f"'{name[:60]}' can't be included")
    return request


def check_references(body: Mapping[str, Any]) -> None:
    """Refuse what lies at the provider, in an account that all tenants share. Raises ApiError 400."""
    for name in ("conversation", "prompt"):
        if body.get(name) is not None:
            raise _unsupported(name, "we keep no such thing")
    if body.get("background"):
        raise _unsupported("background", "a response is made while its caller waits")
    for index, item in enumerate(items(body)):
        if item.get("type") == "item_reference":
            raise _unsupported(f"input.{index}.type", "send the item itself in the place of 'item_reference'")


def _unsupported(param: str, why: str) -> ApiError:
    return invalid_request(f"'{param}' is not supported: {why}.", param, "unsupported_field")


def first_error(error: ValidationError) -> ApiError:
    """400 for the field that is wrong. Of the members of a union, the one that fits most says where."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    first = max(errors, key=lambda each: len(each["loc"]))
    path = ".".join(str(part) for part in first["loc"] if not _names_a_type(part))
    return invalid_request(f"Invalid '{path}': {first['msg']}.", param=path)


def _names_a_type(part: int | str) -> bool:
    """Whether Pydantic put `part` into a path to say which member of a union it tried."""
    return str(part).startswith("<") or part in ("str", "int", "bool") or "[" in str(part)


def items(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The items of a request's input, which need not be valid."""
    found: Any = body.get("input")
    for item in cast("list[Any]", found) if isinstance(found, list) else ():
        if isinstance(item, dict):
            yield cast("dict[str, Any]", item)


def parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The content parts of messages and of tools' results, which need not be valid."""
    for item in items(body):
        for name in ("content", "output"):
            found = item.get(name)
            for part in cast("list[Any]", found) if isinstance(found, list) else ():
                if isinstance(part, dict):
                    yield cast("dict[str, Any]", part)


def images(body: Mapping[str, Any]) -> list[str]:
    """URLs of the images in a request, `data:` URLs included; "" for an image whose URL is no text."""
    found = (part.get("image_url") for part in parts(body) if part.get("type") == "input_image")
    return [url if isinstance(url, str) else "" for url in found]


def check_counts(body: Mapping[str, Any], size: int) -> None:
    """Check how much there is to validate in a `body` of `size` bytes, before anything is. Raises ApiError 400."""
    if size < MAX_PARTS:
        return
    if sum(1 for _ in parts(body)) > MAX_PARTS:
        raise _too_many("input", "content parts", MAX_PARTS)
    if sum(item.get("type") == "function_call" for item in items(body)) > MAX_PARTS:
        raise _too_many("input", "tool calls", MAX_PARTS)
    if len(images(body)) > MAX_IMAGES:
        raise _too_many("input", "images", MAX_IMAGES)
    tools: Any = body.get("tools")
    if isinstance(tools, list) and len(cast("list[Any]", tools)) > MAX_PARTS:
        raise _too_many("tools", "tools", MAX_PARTS)


def _too_many(param: str, things: str, maximum: int) -> ApiError:
    return invalid_request(f"Invalid '{param}': more than {maximum:,} {things} in all.", param)


def max_input_tokens(body: Mapping[str, Any], size: int) -> int:
    """A bound on the tokens of a valid request of `size` bytes that no byte-level tokenizer exceeds.

    The tokens of a file, which may be elsewhere or have pages, are bounded only by the model's window.
    """
    if any(part.get("type") == "input_file" for part in parts(body)):
        return MAX_TOKENS
    urls = images(body)
    instructed = bool(body.get("tools") or body.get("text"))
    return max_request_tokens(size - sum(map(len, urls)), len(urls), instructed=instructed)
