"""Kinds of what an item holds, with the names of their events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def _nothing() -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True)
class ContentKind:
    """A kind of content: `type` of its objects, the item's list with them, their field with the text.

    Events of the object begin with `part_events`, those of the text with `text_events` and have `more` fields. `index`
    is the name under which events number the object, "" for the one that has no number.
    """

    type: str
    place: str
    text: str
    part_events: str
    text_events: str
    index: str
    more: Mapping[str, Any] = field(default_factory=_nothing)

    def empty(self) -> dict[str, Any]:
        """The object before its text."""
        more: dict[str, Any] = {"annotations": []} if self.type == "output_text" else {}
        return {"type": self.type, self.text: "", **more, **self.more}


OUTPUT_TEXT = ContentKind(
    *("output_text", "content", "text", "response.content_part", "response.output_text", "content_index"),
    more={"logprobs": []},
)
REFUSAL = ContentKind("refusal", "content", "refusal", "response.content_part", "response.refusal", "content_index")
SUMMARY_TEXT = ContentKind(
    *("summary_text", "summary", "text", "response.reasoning_summary_part", "response.reasoning_summary_text"),
    index="summary_index",
)
REASONING_TEXT = ContentKind(
    "reasoning_text", "content", "text", "response.content_part", "response.reasoning_text", "content_index"
)
ARGUMENTS = ContentKind("function_call", "", "arguments", "", "response.function_call_arguments", "")
KINDS: tuple[ContentKind, ...] = (OUTPUT_TEXT, REFUSAL, SUMMARY_TEXT, REASONING_TEXT)
