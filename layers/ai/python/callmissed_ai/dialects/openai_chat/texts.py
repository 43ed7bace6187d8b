"""Texts of a chat request that cost tokens: those whose bytes `max_input_tokens` counts, wherever they are.

Every text counts, and every key of an object whose keys the caller chooses: a prompt costs the same in a message, in
the arguments of a tool call, in a schema and in a field that only some provider reads. What has no room for a prompt is
left out: the dialect's own keys, roles, types, switches and numbers. So are images and other media, because their
tokens have nothing to do with their bytes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.openai_chat.request import IMAGE_PARTS, TEXT_PARTS, content_parts

_PAYLOAD_FIELDS = frozenset({"data", "file_data"})
_UNREAD = frozenset({"messages", "model", "models", "provider", "route"})
"""Fields that say who serves, which no model reads, and the one that is read message by message."""

_IMAGE_FIELDS = frozenset({"image_url", "url"})
_FLOAT = "0.0"
"""Stands for any number with a fraction or an exponent: no such number is shorter."""


def texts(body: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a valid request, without its media."""
    for name, value in body.items():
        if name == "stream_options":
            yield from _texts([*(value or {}).values()])
        elif name not in _UNREAD and not isinstance(value, int | float):
            yield from _texts(value)
    for message in body["messages"]:
        yield from _texts_of_message(message)


def payloads(body: Mapping[str, Any]) -> Iterator[str]:
    """The data of media that are no images, as text."""
    for part in content_parts(body):
        if part["type"] not in TEXT_PARTS | IMAGE_PARTS:
            yield from (value for name, value in _fields(part) if _is_payload(name, value))


def _texts_of_message(message: Mapping[str, Any]) -> Iterator[str]:
    for name, value in message.items():
        if name == "content" and isinstance(value, list):
            for part in cast("list[dict[str, Any]]", value):
                yield from _texts_of_part(part)
        elif name != "role":
            yield from _texts(value)


def _texts_of_part(part: Mapping[str, Any]) -> Iterator[str]:
    for name, value in _fields(part):
        if name != "type" and not _is_media(part["type"], name, value):
            yield from _texts(value)


def _fields(part: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a part, and in the place of an object those of that object."""
    for name, value in part.items():
        if isinstance(value, dict):
            yield from cast("dict[str, Any]", value).items()
        else:
            yield name, value


def _is_media(kind: str, name: str, value: object) -> bool:
    if kind in IMAGE_PARTS:
        return name in _IMAGE_FIELDS and isinstance(value, str)
    return kind not in TEXT_PARTS and _is_payload(name, value)


def _is_payload(name: str, value: object) -> bool:
    return isinstance(value, str) and (name in _PAYLOAD_FIELDS or value.startswith("data:"))


def _texts(value: Any) -> Iterator[str]:
    """The texts in any JSON, numbers included. None has more bytes than its JSON."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)
    elif isinstance(value, float):
        yield _FLOAT
    elif isinstance(value, int) and not isinstance(value, bool):
        yield str(value)
