"""From the parts of a turn to the blocks of a message for Converse."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from callmissed.errors import ApiError, invalid_request
from callmissed_ai.dialects.anthropic_messages.rules.media import image_source
from callmissed_ai.dialects.bedrock_converse.families import Family
from callmissed_ai.dialects.bedrock_converse.redaction import redacted_of
from callmissed_ai.dialects.conversation import (
    Document,
    Extras,
    Image,
    Part,
    RedactedThinking,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    Turn,
    place_of,
)
from callmissed_ai.dialects.dialect import Target
from callmissed_ai.dialects.ids import restricted_id
from callmissed_ai.dialects.reasoning.open_turn import foreign_thought
from callmissed_ai.dialects.tool_arguments import input_of

_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_ERROR_MARK = "Error: "
_POINT = "cachePoint"
_OFFICE = "application/vnd.openxmlformats-officedocument"
_DOCUMENTS: Mapping[str, str] = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
"""Format of a document by its media type."""

_NO_NAME_CHARACTERS = re.compile(r"[^A-Za-z0-9\s()\[\]-]+|\s+")
_MAX_NAME_CHARACTERS = 190
_NAME = "Document"
_SEE_DOCUMENT = "See the document."


class ContentWriter:
    """Writes the content of one request's messages, whose documents have names of their own."""

    def __init__(self, family: Family, target: Target) -> None:
        price = target.model.price
        self._family = family
        self._marks_cache = price is not None and price.cache_write is not None
        self._awaits_media = target.awaits_media
        self._names: set[str] = set()

    def blocks(self, turn: Turn, *, is_open: bool = False) -> list[dict[str, Any]]:
        """The blocks of a turn, without texts that are blank, which Bedrock refuses. See `with_cache_points`.

        In an open turn no thoughts may be left out. Raises ApiError 400 for what Converse can't hold.
        """
        return [
            block
            for index, part in enumerate(turn.parts)
            if not _is_blank(part)
            for block in self._blocks(part, f"{turn.param}.content.{index}", is_open=is_open)
        ]

    def marked(self, block: dict[str, Any], *extras: Extras) -> dict[str, Any]:
        """`block` with a cache point where one of the `extras` has a mark and the model's row a price of it."""
        is_marked = any(each.get("anthropic_messages", {}).get("cache_control") for each in extras)
        return {**block, _POINT: {"type": "default"}} if is_marked and self._marks_cache else block

    def _blocks(self, part: Part, param: str, *, is_open: bool) -> Iterator[dict[str, Any]]:
        param = place_of(part, param)
        match part:
            case Text() | Refusal():
                yield self.marked({"text": part.text}, part.extras)
            case Image():
                yield self.marked({"image": self._image(part, param)}, part.extras)
            case Document():
                yield self.marked({"document": self._document(part, param)}, part.extras)
            case Thinking() | RedactedThinking():
                yield from self._thought(part, param, is_open=is_open)
            case ToolCall():
                call = {"toolUseId": tool_id(part.id), "name": part.name, "input": input_of(part.arguments)}
                yield self.marked({"toolUse": call}, part.extras)
            case ToolResult():
                marks = [part.extras, *(each.extras for each in part.parts)]
                yield self.marked({"toolResult": self._result(part, param)}, *marks)

    def _image(self, part: Image, param: str) -> dict[str, Any]:
        source = image_source(part, param)
        if "data" not in source:
            return self._awaited(param)
        return {"format": source["media_type"].removeprefix("image/"), "source": {"bytes": source["data"]}}

    def _awaited(self, param: str) -> dict[str, Any]:
        """Stands for what will be in the request when it is sent. Raises ApiError 400 where nothing will."""
        if not self._awaits_media:
            raise _refused(param, "its provider reads no URLs")
        return {}

    def _document(self, part: Document, param: str) -> dict[str, Any]:
        own = part.extras.get("anthropic_messages", {})
        if own.get("citations", {}).get("enabled"):
            raise _refused(f"{param}.citations", "it cites nothing")
        media_type, data = part.media_type, part.data
        if part.text:
            media_type, data = "text/plain", base64.b64encode(part.text.encode(errors="surrogatepass")).decode()
        if not data:
            return self._awaited(param)
        found = _DOCUMENTS.get(media_type.partition(";")[0].strip().lower())
        if found is None:
            raise _refused(param, f"a document must be one of {', '.join(_DOCUMENTS)}")
        context = {"context": own["context"]} if own.get("context") else {}
        return {"format": found, "name": self._unique_name(part.title), "source": {"bytes": data}, **context}

    def _unique_name(self, title: str | None) -> str:
        """`title` in the characters that Bedrock accepts; no two documents of a request may have the same."""
        plain = _NO_NAME_CHARACTERS.sub(" ", title or "").strip()[:_MAX_NAME_CHARACTERS]
        plain = re.sub(r"\s+", " ", plain).strip() or _NAME
        name, number = plain, 1
        while name in self._names:
            number += 1
            name = f"{plain} ({number})"
        self._names.add(name)
        return name

    def _thought(self, part: Thinking | RedactedThinking, param: str, *, is_open: bool) -> Iterator[dict[str, Any]]:
        """Thoughts that Claude signed, for Claude. Others can't continue them, nor Claude those of others."""
        if isinstance(part, Thinking) and not part.signature:
            return
        if self._family.signs and all(dialect == "anthropic_messages" for dialect in part.extras):
            yield {"reasoningContent": _reasoning(part)}
        elif is_open:
            raise foreign_thought(param)

    def _result(self, result: ToolResult, param: str) -> dict[str, Any]:
        inner = [
            _without_point(block)
            for number, part in enumerate(result.parts)
            if not _is_blank(part)
            for block in self._blocks(part, f"{param}.content.{number}", is_open=False)
        ]
        fields: dict[str, Any] = {"toolUseId": tool_id(result.call_id), "content": inner}
        if not result.is_error:
            return fields
        if self._family.marks_failures:
            return {**fields, "status": "error"}
        return {**fields, "content": _marked_as_error(inner)}


def with_cache_points(blocks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """`blocks`, of which those with a cache point are followed by it."""
    for block in blocks:
        yield _without_point(block)
        if _POINT in block:
            yield {_POINT: block[_POINT]}


def with_text(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A message's `blocks`, with a text where there is a document and none: Bedrock demands one beside it."""
    kinds = {name for block in blocks for name in block}
    return [*blocks, {"text": _SEE_DOCUMENT}] if "document" in kinds and "text" not in kinds else blocks


def has_calls(turns: Iterable[Turn]) -> bool:
    """Whether there are calls of tools in `turns`, or results."""
    return any(isinstance(part, ToolCall | ToolResult) for turn in turns for part in turn.parts)


def tool_id(call_id: str) -> str:
    """`call_id` in the alphabet and length that Bedrock accepts."""
    return restricted_id(call_id, _TOOL_ID, "tooluse_")


def _without_point(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != _POINT}


def _is_blank(part: Part) -> bool:
    return isinstance(part, Text | Refusal) and not part.text.strip()


def _refused(param: str, why: str) -> ApiError:
    return invalid_request(f"'{param}' can't be used with this model: {why}.", param, "unsupported_field")


def _reasoning(part: Thinking | RedactedThinking) -> dict[str, Any]:
    if isinstance(part, RedactedThinking):
        return {"redactedContent": redacted_of(part.data)}
    return {"reasoningText": {"text": part.text, "signature": part.signature}}


def _marked_as_error(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`content` that says in words what the model has no status for."""
    if content and "text" in content[0]:
        return [{"text": _ERROR_MARK + content[0]["text"]}, *content[1:]]
    return [{"text": _ERROR_MARK.strip()}, *content]
