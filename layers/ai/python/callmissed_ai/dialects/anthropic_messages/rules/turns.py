"""The order of messages that Claude demands: the user begins, and the two alternate."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from callmissed.errors import invalid_request

_BEGINNING = "Hello."
"""Stands for what the user said before a conversation that begins with the assistant."""

THOUGHTS = frozenset({"thinking", "redacted_thinking"})
"""Types of the blocks that are thoughts."""

_Block = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BlockForm:
    """What a dialect's blocks look like: a `text`, the result of a tool, and a thought."""

    text: Callable[[str], dict[str, Any]]
    is_result: Callable[[_Block], bool]
    is_thought: Callable[[_Block], bool]


_ANTHROPIC = BlockForm(
    text=lambda text: {"type": "text", "text": text},
    is_result=lambda block: block["type"] == "tool_result",
    is_thought=lambda block: block["type"] in THOUGHTS,
)


@dataclass(slots=True)
class MessageBlocks:
    """A message's blocks. `param` is its path in the caller's request, for errors."""

    role: str
    content: list[dict[str, Any]]
    param: str


def messages_of(turns: Iterable[MessageBlocks], form: BlockForm = _ANTHROPIC) -> Iterator[dict[str, Any]]:
    """The messages of user and assistant. Raises ApiError 400 for one of the user that says nothing."""
    merged = list(_merged(turns, form))
    if merged and merged[0].role == "assistant":
        merged.insert(0, MessageBlocks("user", [form.text(_BEGINNING)], merged[0].param))
    if merged and merged[-1].role == "assistant":
        _end_without_space(merged[-1].content)
    for message in merged:
        # Results of tools come before everything else, in the order in which they were sent.
        yield {"role": message.role, "content": sorted(message.content, key=lambda block: not form.is_result(block))}


def _merged(turns: Iterable[MessageBlocks], form: BlockForm) -> Iterator[MessageBlocks]:
    """What follows with the same role as one message, without messages of the assistant that say nothing."""
    last: MessageBlocks | None = None
    for turn in turns:
        if turn.role == "system":
            continue
        content = _without_last_thoughts(turn.content, form) if turn.role == "assistant" else turn.content
        if not content and turn.role == "assistant":
            continue
        if not content:
            raise invalid_request(f"Invalid '{turn.param}': the message has no text.", turn.param)
        if last and last.role == turn.role:
            last.content += content
            continue
        if last:
            yield last
        last = MessageBlocks(turn.role, list(content), turn.param)
    if last:
        yield last


def _without_last_thoughts(content: list[dict[str, Any]], form: BlockForm) -> list[dict[str, Any]]:
    """A message may not end with a thought: one that was cut there, or whose text is blank, does."""
    while content and form.is_thought(content[-1]):
        content = content[:-1]
    return content


def _end_without_space(content: list[dict[str, Any]]) -> None:
    """The reply continues a last message of the assistant, which must not end in white space."""
    last = content[-1]
    if "text" in last:
        content[-1] = {**last, "text": last["text"].rstrip()}
