"""A chat completions request: its validation, and an upper bound of its tokens.

https://platform.openai.com/docs/api-reference/chat/create. `fields` says which fields may pass to the upstream.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.reasoning.budget import MIN_BUDGET
from callmissed_ai.preferences.request_field import ProviderPreferences
from callmissed_ai.tokens.bounds import max_request_tokens
from callmissed_ai.tokens.usage import MAX_TOKENS

PATH = "/chat/completions"
GATEWAY_FIELDS = frozenset({"models", "provider", "route"})
"""Fields for the gateway, which are not sent upstream."""

LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")
"""The two names of the output limit. An upstream reads one of them; its model's row says which."""

MAX_MESSAGES = 10_000
MAX_PARTS = 2_000
"""Maximum of content parts in a request, all messages together; likewise of tool calls, and of tools."""

MAX_IMAGES = 250

IMAGE_PARTS = frozenset({"image_url", "input_image"})
"""Types of the content parts that hold an image."""

TEXT_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "thinking"})
"""Types of the content parts that hold nothing but text."""

_INLINE_PARTS = TEXT_PARTS | IMAGE_PARTS | {"input_audio"}
"""Parts of a message whose size bounds their tokens; a file or a video may stand for more tokens than its bytes."""

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
_Penalty = Annotated[float, Field(ge=-2, le=2)]


class ContentPart(BaseModel):
    """A part of a message: `text`, `image_url`, or another type that the model accepts."""

    model_config = ConfigDict(strict=True, extra="allow")
    type: str


class ChatMessage(BaseModel):
    """One message. A `tool` message answers the call that `tool_call_id` names."""

    model_config = ConfigDict(strict=True, extra="allow")
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    tool_call_id: str | None = None


class StreamOptions(BaseModel):
    """Options of a stream; `include_usage` adds a chunk with the tokens before the end."""

    model_config = ConfigDict(strict=True, extra="allow")
    include_usage: bool = False


class ChatRequest(BaseModel):
    """A chat completion request. Fields that not every provider may get need a row that admits them, else 400."""

    model_config = ConfigDict(strict=True, extra="allow")

    model: str = Field(min_length=1, max_length=200, description="Id of a model from `GET /v1/models`.")
    messages: list[ChatMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Field(ge=1, description="Limit of output tokens; bounds what is set aside.")] | None = (
        None
    )
    max_completion_tokens: Annotated[int, Field(ge=1, description="The newer name of `max_tokens`.")] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: int | None = None
    frequency_penalty: _Penalty | None = None
    presence_penalty: _Penalty | None = None
    repetition_penalty: Annotated[float, Field(ge=0, le=2)] | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: Effort | None = None
    user: str | None = None
    models: (
        Annotated[list[str], Field(max_length=8, description="Models to try next, before the first byte.")] | None
    ) = None
    route: Annotated[Literal["fallback"], Field(description="How `models` is meant; the only way there is.")] | None = (
        None
    )

    provider: ProviderPreferences | None = None

    @property
    def output_limits(self) -> dict[str, int]:
        """The caller's own limits of output tokens, by field."""
        return {name: limit for name in LIMIT_FIELDS if (limit := getattr(self, name)) is not None}

    @property
    def wants_usage(self) -> bool:
        """Whether the caller asked for the usage chunk of a stream."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def model_ids(self) -> list[str]:
        """The model asked for, then its fallbacks, each once."""
        return list(dict.fromkeys([self.model, *self.models])) if self.models else [self.model]


def parse_chat(body: Mapping[str, Any]) -> ChatRequest:
    """The request in `body`. Raises ApiError 400 naming the first field that is wrong."""
    try:
        return ChatRequest.model_validate(body)
    except ValidationError as error:
        raise first_error(error) from None


def thinking_budget(body: Mapping[str, Any]) -> int:
    """Tokens of the reply that the model may think up to, 0 for a request without a budget."""
    reasoning = body.get("reasoning")
    budget: Any = cast("dict[str, Any]", reasoning).get("max_tokens") if isinstance(reasoning, dict) else None
    return max(MIN_BUDGET, budget) if isinstance(budget, int) and not isinstance(budget, bool) and budget > 0 else 0


def first_error(error: ValidationError) -> ApiError:
    """400 for the first field that is wrong."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"] if not _names_a_type(part))
    return invalid_request(f"Invalid '{path}': {first['msg']}.", param=path)


def check_counts(body: Mapping[str, Any], size: int) -> None:
    """Check how much there is to validate in a `body` of `size` bytes, before anything is. Raises ApiError 400."""
    if size < MAX_PARTS:
        return
    messages = body.get("messages")
    parts = calls = 0
    for message in cast("list[Any]", messages)[:MAX_MESSAGES] if isinstance(messages, list) else ():
        if isinstance(message, dict):
            parts += _length(cast("dict[str, Any]", message).get("content"))
            calls += _length(cast("dict[str, Any]", message).get("tool_calls"))
    if parts > MAX_PARTS or calls > MAX_PARTS:
        raise _too_many("messages", "content parts" if parts > MAX_PARTS else "tool calls", MAX_PARTS)
    for name in ("tools", "functions"):
        if _length(body.get(name)) > MAX_PARTS:
            raise _too_many(name, name, MAX_PARTS)


def _length(value: object) -> int:
    return len(cast("list[Any]", value)) if isinstance(value, list) else 0


def _too_many(param: str, things: str, maximum: int) -> ApiError:
    return invalid_request(f"Invalid '{param}': more than {maximum:,} {things} in all.", param)


def _names_a_type(part: int | str) -> bool:
    """Whether Pydantic put `part` into a path to say which member of a union it tried."""
    return str(part).startswith("<") or part in ("str", "int", "float", "bool", "dict", "list") or "[" in str(part)


def images(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    """URLs of the images among `parts`, `data:` URLs included; "" for an image whose URL is no text.

    Raises ApiError 400 for too many.
    """
    found = [_image_url(part) for part in parts if part["type"] in IMAGE_PARTS]
    if len(found) > MAX_IMAGES:
        raise _too_many("messages", "images", MAX_IMAGES)
    return found


def max_input_tokens(parts: Sequence[Mapping[str, Any]], size: int, *, instructed: bool = False) -> int:
    """A bound on the tokens of a request of `size` bytes with these `parts` that no byte-level tokenizer exceeds.

    The tokens of a part that refers to data outside the request are bounded only by the model's window.
    """
    if not parts:
        return max_request_tokens(size, 0, instructed=instructed)
    if any(part["type"] not in _INLINE_PARTS for part in parts):
        return MAX_TOKENS
    urls = images(parts)
    return max_request_tokens(size - sum(map(len, urls)), len(urls), instructed=instructed)


def content_parts(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of all messages of a valid request."""
    return [
        part
        for message in body["messages"]
        if isinstance(content := message.get("content"), list)
        for part in cast("list[dict[str, Any]]", content)
    ]


def _image_url(part: Mapping[str, Any]) -> str:
    source: Any = part.get("image_url")
    url: Any = cast("dict[str, Any]", source).get("url") if isinstance(source, dict) else source
    return url if isinstance(url, str) else ""
