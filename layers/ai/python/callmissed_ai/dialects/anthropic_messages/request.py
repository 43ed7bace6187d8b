"""A messages request: its validation, and what the gateway reads of it whichever provider serves it.

https://platform.claude.com/docs/en/api/messages/create
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.preferences.request_field import ProviderPreferences
from callmissed_ai.tokens.bounds import max_request_tokens
from callmissed_ai.tokens.usage import MAX_TOKENS

PATH = "/messages"
VERSION = "2023-06-01"
"""`anthropic-version` that upstreams are asked for."""

GATEWAY_FIELDS = frozenset({"models", "provider", "route"})
"""Fields for the gateway, which are not sent upstream."""

MAX_MESSAGES = 10_000
MAX_BLOCKS = 2_000
"""Maximum of blocks in a request, all messages together; likewise of tools."""

MAX_IMAGES = 250


class ContentBlock(BaseModel):
    """A block of a message: `text`, `image`, `tool_use`, `tool_result`, `thinking`, or another type."""

    model_config = ConfigDict(strict=True, extra="allow")
    type: str


class InputMessage(BaseModel):
    """One message."""

    model_config = ConfigDict(strict=True, extra="allow")
    role: Literal["user", "assistant", "system"]
    content: str | list[ContentBlock]


class CountRequest(BaseModel):
    """A request whose tokens are to be counted."""

    model_config = ConfigDict(strict=True, extra="allow")

    model: str = Field(min_length=1, max_length=200, description="Id of a model; bare `claude-*` means `anthropic/…`.")
    messages: list[InputMessage] = Field(min_length=1, max_length=MAX_MESSAGES)
    system: str | list[ContentBlock] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None


class MessagesRequest(CountRequest):
    """A messages request. Fields that not every provider may get need a row that admits them, else 400."""

    max_tokens: Annotated[int, Field(ge=1, description="Limit of output tokens; bounds what is set aside.")]
    stream: bool | None = None
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    stop_sequences: list[str] | None = None
    metadata: dict[str, Any] | None = None
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


def full_model_id(model_id: str) -> str:
    """The id of a model that callers of this dialect name without its maker: `claude-*` is `anthropic/claude-*`."""
    return f"anthropic/{model_id}" if model_id.startswith("claude-") else model_id


def blocks(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The blocks of a valid request: of the system prompt, of all messages, and of the tool results in them."""
    for content in (body.get("system"), *(message["content"] for message in body["messages"])):
        yield from _blocks_of(content)


def _blocks_of(content: object) -> Iterator[dict[str, Any]]:
    for block in cast("list[Any]", content) if isinstance(content, list) else ():
        if isinstance(block, dict):
            known = cast("dict[str, Any]", block)
            yield known
            if known.get("type") == "tool_result":
                yield from _blocks_of(known.get("content"))


def check_counts(body: Mapping[str, Any], size: int) -> None:
    """Check how much there is to validate in a `body` of `size` bytes, before anything is. Raises ApiError 400."""
    if size < MAX_BLOCKS:
        return
    messages: Any = body.get("messages")
    contents = [
        cast("dict[str, Any]", message).get("content")
        for message in (cast("list[Any]", messages)[:MAX_MESSAGES] if isinstance(messages, list) else ())
        if isinstance(message, dict)
    ]
    counted = [block for content in (body.get("system"), *contents) for block in _blocks_of(content)]
    if len(counted) > MAX_BLOCKS:
        raise _too_many("messages", "content blocks", MAX_BLOCKS)
    if sum(block.get("type") == "image" for block in counted) > MAX_IMAGES:
        raise _too_many("messages", "images", MAX_IMAGES)
    tools: Any = body.get("tools")
    if isinstance(tools, list) and len(cast("list[Any]", tools)) > MAX_BLOCKS:
        raise _too_many("tools", "tools", MAX_BLOCKS)


def image_blocks(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The images of a valid request."""
    return [block for block in blocks(body) if block.get("type") == "image"]


def max_input_tokens(body: Mapping[str, Any], size: int) -> int:
    """A bound on the tokens of a valid request of `size` bytes that no byte-level tokenizer exceeds.

    The tokens of a document that is no text, which may be elsewhere or have pages, are bounded only by the model's
    window.
    """
    if any(block.get("type") == "document" and not _is_text(block) for block in blocks(body)):
        return MAX_TOKENS
    images = image_blocks(body)
    instructed = bool(body.get("tools") or body.get("output_config"))
    return max_request_tokens(size - sum(map(image_bytes, images)), len(images), instructed=instructed)


def _is_text(document: Mapping[str, Any]) -> bool:
    source: Any = document.get("source")
    return isinstance(source, dict) and cast("dict[str, Any]", source).get("type") == "text"


def image_bytes(block: Mapping[str, Any]) -> int:
    """Length of what stands for an image in a request, in characters."""
    source: Any = block.get("source")
    fields = cast("dict[str, Any]", source) if isinstance(source, dict) else {}
    return max((len(value) for value in (fields.get("data"), fields.get("url")) if isinstance(value, str)), default=0)


def _too_many(param: str, things: str, maximum: int) -> ApiError:
    return invalid_request(f"Invalid '{param}': more than {maximum:,} {things} in all.", param)
