"""From the neutral reply to a chat completion, whole or streamed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from callmissed.errors import ApiError
from callmissed_ai.dialects.conversation import (
    Event,
    Part,
    PartGrew,
    PartSigned,
    PartStarted,
    RedactedThinking,
    Refusal,
    Reply,
    ReplyFrame,
    ReplyStopped,
    Stop,
    Text,
    Thinking,
    ToolCall,
    UsageReported,
)
from callmissed_ai.dialects.openai_chat.reasoning import detail_of, format_of
from callmissed_ai.dialects.openai_chat.stream import closing
from callmissed_ai.dialects.openai_chat.usage import chunk_head, reply_head, write_usage
from callmissed_ai.dialects.reasoning.interleaving import place
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.tokens.usage import TokenUsage, larger

_REASONS: Mapping[Stop, str] = {
    Stop.END: "stop",
    Stop.LIMIT: "length",
    Stop.STOP_SEQUENCE: "stop",
    Stop.TOOL_CALLS: "tool_calls",
    Stop.REFUSED: "content_filter",
    Stop.PAUSED: "stop",
    Stop.CONTEXT_FULL: "length",
}
_NO_USAGE = TokenUsage(0, 0)


def write_reply(reply: Reply, frame: ReplyFrame) -> dict[str, Any]:
    """The completion, with one choice."""
    texts = [part.text for part in reply.parts if isinstance(part, Text)]
    refusals = [part.text for part in reply.parts if isinstance(part, Refusal)]
    thoughts = [part for part in reply.parts if isinstance(part, Thinking)]
    details = list(_details(reply.parts))
    calls = [part for part in reply.parts if isinstance(part, ToolCall)]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if details:
        message["reasoning_content"] = "".join(part.text for part in thoughts)
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = [_call(part) for part in calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _REASONS[reply.stop]}
    usage = {"usage": write_usage(reply.usage)} if reply.usage else {}
    return {**reply_head(frame), "choices": [choice], **usage}


def _call(call: ToolCall) -> dict[str, Any]:
    own = call.extras.get("openai_chat", {})
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}, **own}


def _details(parts: Iterable[Part]) -> Iterator[dict[str, Any]]:
    """The thoughts with what their provider demands back, in the form that OpenRouter uses."""
    characters = calls = thoughts = 0
    for part in parts:
        match part:
            case Thinking() | RedactedThinking():
                yield detail_of(part, thoughts) | {"format": format_of(part), **place(characters, calls)}
                thoughts += 1
            case Text():
                characters += len(part.text)
            case _:
                calls += isinstance(part, ToolCall)


class ChatStreamWriter:
    """Writes the chunks of one completion, but for usage and `[DONE]`, which are sent when the call is settled."""

    def __init__(self, frame: ReplyFrame, *, wants_usage: bool) -> None:
        self._frame = chunk_head(frame)
        self._wants_usage = wants_usage
        self._usage = _NO_USAGE
        self._stopped = False
        self._started = False
        self._parts: dict[int, Part] = {}
        self._calls: dict[int, int] = {}
        self._thoughts: dict[int, int] = {}
        self._characters = 0
        self._places: dict[int, dict[str, str]] = {}
        """What the first piece of a thought says for all, for thoughts of which none was written yet."""

    def write(self, event: Event) -> bytes:
        """See `StreamWriter.write`."""
        return b"".join(map(self._chunk, self._choices(event)))

    @property
    def response(self) -> None:
        """See `Meter.response`."""

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        shows_usage = self._wants_usage and self._stopped and error is None
        last = self._chunk({"choices": [], "usage": write_usage(self._usage)}) if shows_usage else b""
        return last + closing(error, request_id)

    def count(self, used: TokenUsage) -> None:
        """See `StreamWriter.count`."""
        self._usage = used

    def _choices(self, event: Event) -> Iterator[dict[str, Any]]:
        """The fields of the chunks that an event makes."""
        if not self._started:
            self._started = True
            yield _delta({"role": "assistant", "content": ""})
        match event:
            case PartStarted():
                yield from self._start(event.index, event.part)
            case PartGrew():
                yield _delta(self._growth(event.index, event.text))
            case PartSigned():
                yield _delta({"reasoning_details": [self._thought(event.index, "", event.signature)]})
            case UsageReported():
                self._usage = larger(self._usage, event.usage)
            case ReplyStopped():
                self._stopped = True
                yield _delta({}, _REASONS[event.stop])
            case _:
                pass

    def _start(self, index: int, part: Part) -> Iterator[dict[str, Any]]:
        self._parts[index] = part
        if isinstance(part, ToolCall):
            number = self._calls[index] = len(self._calls)
            yield _delta({"tool_calls": [{"index": number, **_call(part)}]})
        elif isinstance(part, Thinking | RedactedThinking):
            self._thoughts[index] = len(self._thoughts)
            self._places[index] = {"format": format_of(part), **place(self._characters, len(self._calls))}
            if isinstance(part, RedactedThinking):
                detail = detail_of(part, self._thoughts[index]) | self._places.pop(index)
                yield _delta({"reasoning_details": [detail]})

    def _growth(self, index: int, text: str) -> dict[str, Any]:
        match self._parts[index]:
            case ToolCall():
                return {"tool_calls": [{"index": self._calls[index], "function": {"arguments": text}}]}
            case Thinking():
                return {"reasoning_content": text, "reasoning_details": [self._thought(index, text)]}
            case Refusal():
                return {"refusal": text}
            case _:
                self._characters += len(text)
                return {"content": text}

    def _thought(self, index: int, text: str, signature: str | None = None) -> dict[str, Any]:
        piece = Thinking(text, signature, self._parts[index].extras)
        return detail_of(piece, self._thoughts[index]) | self._places.pop(index, {})

    def _chunk(self, fields: Mapping[str, Any]) -> bytes:
        return b"data: %b\n\n" % written_json(self._frame | dict(fields))


def _delta(delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]}
