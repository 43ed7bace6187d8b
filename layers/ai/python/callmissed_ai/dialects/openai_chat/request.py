"""A chat completions request: its validation, and an upper bound of its tokens.

https://platform.openai.com/docs/api-reference/chat/create. `fields` says which fields may pass to the upstream.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callmissed.errors import invalid_request
from callmissed_ai.tokens.usage import MAX_TOKENS

PATH = "/chat/completions"
GATEWAY_FIELDS = frozenset({"models", "route"})
"""Fields for the gateway, which are not sent upstream."""

LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")
"""The two names of the output limit. An upstream reads one of them; its model's row says which."""

IMAGE_PARTS = frozenset({"image_url", "input_image"})
"""Types of the content parts that hold an image."""

IMAGE_TOKENS = 6_000
"""Upper bound of the tokens that providers of the built-in catalog charge for one image."""

_INLINE_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "image_url", "input_image", "input_audio"})
"""Parts of a message whose size bounds their tokens; a file or a video may stand for more tokens than its bytes."""

_REQUEST_TOKENS = 256
"""Room for tokens that providers add to a request: a default system prompt, the template of the reply."""

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
    messages: list[ChatMessage] = Field(min_length=1, max_length=10_000)
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

    @property
    def output_limits(self) -> dict[str, int]:
        """The caller's own limits of output tokens, by field."""
        limits = {name: getattr(self, name) for name in LIMIT_FIELDS}
        return {name: limit for name, limit in limits.items() if limit is not None}

    @property
    def wants_usage(self) -> bool:
        """Whether the caller asked for the usage chunk of a stream."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def model_ids(self) -> list[str]:
        """The model asked for, then its fallbacks, each once."""
        return list(dict.fromkeys([self.model, *(self.models or [])]))


def parse_chat(body: Mapping[str, Any]) -> ChatRequest:
    """The request in `body`. Raises ApiError 400 naming the first field that is wrong."""
    try:
        return ChatRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"] if not _names_a_type(part))
        raise invalid_request(f"Invalid '{path}': {first['msg']}.", param=path) from None


def _names_a_type(part: int | str) -> bool:
    """Whether Pydantic put `part` into a path to say which member of a union it tried."""
    return part in ("str", "int", "float", "bool", "dict", "list") or "[" in str(part)


def images(body: Mapping[str, Any]) -> Iterator[str]:
    """URLs of the images in the messages, `data:` URLs included; "" for an image whose URL is no text."""
    for part in _parts(body):
        if part["type"] in IMAGE_PARTS:
            source: Any = part.get("image_url")
            url: Any = cast("dict[str, Any]", source).get("url") if isinstance(source, dict) else source
            yield url if isinstance(url, str) else ""


def max_input_tokens(body: Mapping[str, Any], size: int) -> int:
    """A bound on the tokens of a request of `size` bytes that no byte-level tokenizer exceeds.

    A token is at least a byte of text, and the JSON around a message is longer than any chat template adds.
    The tokens of a part that refers to data outside the request are bounded only by the model's window.
    """
    if any(part["type"] not in _INLINE_PARTS for part in _parts(body)):
        return MAX_TOKENS
    urls = list(images(body))
    return size - sum(map(len, urls)) + len(urls) * IMAGE_TOKENS + _REQUEST_TOKENS


def _parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for message in body["messages"]:
        content = message.get("content")
        yield from cast("list[dict[str, Any]]", content) if isinstance(content, list) else ()
