"""The OpenAI chat completions dialect: what a request must be, what it may cost at most, what its reply used.

https://platform.openai.com/docs/api-reference/chat. Fields that we don't know are passed on unchanged.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from callmissed.errors import ApiError, invalid_request

PATH = "/chat/completions"
GATEWAY_FIELDS = frozenset({"models", "route"})
"""Fields that speak to the gateway; the upstream never sees them."""

LIMIT_FIELDS = ("max_completion_tokens", "max_tokens")
"""The two names of the output limit. An upstream reads one of them, its model's row says which."""

IMAGE_PARTS = frozenset({"image_url", "input_image"})
"""Types of the content parts that hold an image."""

IMAGE_TOKENS = 6_000
"""More tokens than the providers of the built-in catalog charge for one image."""

_MOST_TOKENS = 10**12
"""No call has more; usage above it makes no sense, nor does DynamoDB store any number."""

_INLINE_PARTS = frozenset({"text", "input_text", "output_text", "refusal", "image_url", "input_image", "input_audio"})
"""Parts of a message whose tokens its own bytes bound; a file or a video may stand for far more than it is long."""

_REQUEST_TOKENS = 256
"""Room for what providers put around a request: a default system prompt, the frame of the reply."""

_EFFORTS = Literal["none", "minimal", "low", "medium", "high", "xhigh"]
_Penalty = Annotated[float, Field(ge=-2, le=2)]


class ContentPart(BaseModel):
    """A part of a message: `text`, `image_url` and what else the model takes."""

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
    """A chat completion request. Unknown fields go to the upstream unchanged."""

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
    reasoning_effort: _EFFORTS | None = None
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


def most_input_tokens(body: Mapping[str, Any], size: int) -> int:
    """A bound on the tokens of a request of `size` bytes that no byte-level tokenizer exceeds.

    A token is at least a byte of text, and the JSON around a message is longer than any chat template's frame.
    A part that stands for something outside the request has no bound but the model's window.
    """
    if any(part["type"] not in _INLINE_PARTS for part in _parts(body)):
        return _MOST_TOKENS
    urls = list(images(body))
    return size - sum(map(len, urls)) + len(urls) * IMAGE_TOKENS + _REQUEST_TOKENS


def _parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for message in body["messages"]:
        content = message.get("content")
        yield from cast("list[dict[str, Any]]", content) if isinstance(content, list) else ()


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one call. `estimated` when the provider reported none and we counted."""

    input: int
    output: int
    cached: int = 0
    estimated: bool = False


def read_usage(value: object) -> TokenUsage | None:
    """Usage in the `usage` object of a reply, or None where there is none that makes sense. Zeros are kept."""
    if not isinstance(value, dict):
        return None
    usage = cast("dict[str, Any]", value)
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    details: Any = usage.get("prompt_tokens_details")
    cached = _count(cast("dict[str, Any]", details).get("cached_tokens")) if isinstance(details, dict) else None
    return TokenUsage(prompt, completion, min(cached or 0, prompt))


def delta_text(chunk: Mapping[str, Any]) -> str:
    """Everything a model wrote in one chunk, or in a whole reply: text, reasoning, tool calls."""
    return "".join(str(part or "") for part in _written(chunk))


def _written(chunk: Mapping[str, Any]) -> Iterator[Any]:
    for choice in objects(chunk.get("choices")):
        for message in objects([choice.get("delta") or choice.get("message")]):
            yield from (message.get(name) for name in ("reasoning_content", "content", "refusal"))
            for tool_call in objects(message.get("tool_calls")):
                for function in objects([tool_call.get("function")]):
                    yield from (function.get("name"), function.get("arguments"))


def objects(value: object) -> list[dict[str, Any]]:
    """The JSON objects in what should be a list of them; an upstream may send anything."""
    return (
        [element for element in cast("list[Any]", value) if isinstance(element, dict)]
        if isinstance(value, list)
        else []
    )


def refusal_of(error: object) -> ApiError:
    """Our words for an upstream's 4xx. Of its own only a known code and a field's name come through."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    param = details.get("param")
    known = param if isinstance(param, str) and re.fullmatch(r"[\w.\[\]]{1,64}", param) else None
    if details.get("code") == "context_length_exceeded":
        return invalid_request(
            "The request is longer than the model's context window.", "messages", str(details["code"])
        )
    field = f" (field '{known}')" if known else ""
    return invalid_request(f"The model's provider refuses the request as invalid{field}.", known)


def refusal_of_sandbox(status: int, error: object, retry_after: str | None) -> ApiError:
    """The sandbox's own 4xx, words and all: it is asked for them so that callers can test their error handling."""
    details: dict[str, Any] = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    known = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
    return ApiError(
        status,
        known.get(status, "invalid_request_error"),
        str(details.get("message") or "The sandbox refuses the request."),
        param=details.get("param"),
        headers={"Retry-After": retry_after} if retry_after else None,
    )


def _count(value: object) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST_TOKENS else None
