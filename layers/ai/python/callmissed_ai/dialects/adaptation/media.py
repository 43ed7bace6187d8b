"""The parts of a request that name media by URL, in the callers' dialects, and the same parts with the bytes inline."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from callmissed_ai.transports.media import InlineMedia, MediaUrl

_CONTENTS = ("messages", "input", "system")
"""Fields of a request with messages, or with items."""

_INNER = ("content", "output")
"""Fields of a message, an item or a tool's result with parts."""

_Part = dict[str, Any]


def media_urls(body: Mapping[str, Any]) -> list[MediaUrl]:
    """The URLs of media in a valid request; `data:` URLs are none."""
    found: list[MediaUrl] = []

    def note(part: _Part, param: str) -> _Part:
        if url := _url(part):
            found.append(MediaUrl(url, param, part["type"] in ("document", "input_file")))
        return part

    _each_part(body, note)
    return found


def with_inline_media(body: Mapping[str, Any], media: Mapping[str, InlineMedia]) -> Mapping[str, Any]:
    """`body` with the bytes of `media` in the place of their URLs."""

    def inline(part: _Part, _param: str) -> _Part:
        found = media.get(_url(part))
        return _inlined(part, found) if found else part

    return _each_part(body, inline)


def _each_part(body: Mapping[str, Any], change: Callable[[_Part, str], _Part]) -> Mapping[str, Any]:
    contents = {name: _changed(body[name], name, change) for name in _CONTENTS if name in body}
    return {**body, **contents}


def _changed(value: Any, param: str, change: Callable[[_Part, str], _Part]) -> Any:
    if isinstance(value, list):
        elements = cast("list[Any]", value)
        return [_changed(element, f"{param}.{index}", change) for index, element in enumerate(elements)]
    if not isinstance(value, dict):
        return value
    part = cast("_Part", value)
    inner = {name: _changed(part[name], f"{param}.{name}", change) for name in _INNER if name in part}
    return change({**part, **inner}, param)


def _url(part: _Part) -> str:
    """The URL of a part, "" where it names none, or holds the bytes."""
    match part:
        case {"type": "image_url" | "input_image", "image_url": {"url": str(url)}}:
            pass
        case {"type": "image_url" | "input_image", "image_url": str(url)}:
            pass
        case {"type": "image" | "document", "source": {"type": "url", "url": str(url)}}:
            pass
        case {"type": "input_file", "file_url": str(url)}:
            pass
        case _:
            return ""
    return "" if url.startswith("data:") else url


def _inlined(part: _Part, media: InlineMedia) -> _Part:
    match part["type"]:
        case "image" | "document":
            source = {"type": "base64", "media_type": media.media_type, "data": media.data}
            return {**part, "source": source}
        case "input_file":
            rest = {name: value for name, value in part.items() if name != "file_url"}
            return {"filename": "file.pdf", **rest, "file_data": media.data_url}
        case _:
            held = part["image_url"]
            return {**part, "image_url": {**held, "url": media.data_url} if isinstance(held, dict) else media.data_url}
