"""Content of a request's messages: the last user message, images, instructions, tool results, prompt tokens."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callmissed_ai.dialects.openai_chat.typed_request import (
    AssistantMessage,
    ImagePart,
    Message,
    SystemMessage,
    ToolMessage,
    TypedChatRequest,
    UserMessage,
    text_of,
)
from callmissed_ai.providers.sandbox import tokens
from callmissed_ai.providers.sandbox.caching import without_mark
from callmissed_ai.providers.sandbox.images import SeenImage, read_image


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """Summary of a request's messages.

    `images` are those of the last user message, `tool_results` the texts that came after it. `tokens` counts all
    texts, names, tool calls, images, tools and the schema of the reply, by the sandbox's own tokens.
    """

    count: int
    last_user_text: str
    system_text: str
    images: tuple[SeenImage, ...]
    tool_results: tuple[str, ...]
    tokens: int


def summarize(request: TypedChatRequest, body: Mapping[str, Any]) -> RequestSummary:
    """The conversation in `request`, whose JSON is `body`. Raises Rejected for an image that can't be read."""
    messages = request.messages
    images = {index: _images(message, index) for index, message in enumerate(messages)}
    last = max((index for index, message in enumerate(messages) if isinstance(message, UserMessage)), default=-1)
    systems = [text_of(message.content) for message in messages if isinstance(message, SystemMessage)]
    seen = sum(image.tokens for found in images.values() for image in found)
    offered = [_json(list(map(without_mark, body["tools"])))] if body.get("tools") else []
    offered += [_json(body["response_format"])] if body.get("response_format") else []
    said = [text for message in messages for text in _texts(message)]
    return RequestSummary(
        count=len(messages),
        last_user_text=text_of(messages[last].content) if last >= 0 else "",
        system_text="\n".join(systems),
        images=images.get(last, ()),
        tool_results=tuple(_results(messages[last + 1 :])),
        tokens=tokens.estimate([*said, *offered]) + seen,
    )


def _images(message: Message, index: int) -> tuple[SeenImage, ...]:
    if not isinstance(message, UserMessage) or isinstance(message.content, str):
        return ()
    return tuple(
        read_image(part.image_url, f"messages[{index}].content[{at}].image_url.url")
        for at, part in enumerate(message.content)
        if isinstance(part, ImagePart)
    )


def _results(messages: Sequence[Message]) -> list[str]:
    """Tool results at the end of the conversation; none when the assistant has answered them already."""
    if not messages or not isinstance(messages[-1], ToolMessage):
        return []
    return [text_of(message.content) for message in messages if isinstance(message, ToolMessage)]


def _texts(message: Message) -> list[str]:
    texts = [text_of(message.content)]
    if not isinstance(message, ToolMessage):
        texts.append(message.name or "")
    if isinstance(message, AssistantMessage):
        for call in message.tool_calls or ():
            texts += [call.function.name, call.function.arguments]
    return texts


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
