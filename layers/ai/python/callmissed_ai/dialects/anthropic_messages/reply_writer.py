"""From the neutral reply to a message, whole or streamed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from callmissed.errors import ApiError, envelope
from callmissed_ai.dialects.anthropic_messages import carriers
from callmissed_ai.dialects.conversation import (
    Event,
    Extras,
    Part,
    PartEnded,
    PartEvent,
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
from callmissed_ai.dialects.tool_arguments import input_of
from callmissed_ai.dialects.written_json import written_json
from callmissed_ai.tokens.usage import TokenUsage, larger

_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

_REASONS: Mapping[Stop, str] = {
    Stop.END: "end_turn",
    Stop.LIMIT: "max_tokens",
    Stop.STOP_SEQUENCE: "stop_sequence",
    Stop.TOOL_CALLS: "tool_use",
    Stop.REFUSED: "refusal",
    Stop.PAUSED: "pause_turn",
    Stop.CONTEXT_FULL: "model_context_window_exceeded",
}
_ERROR_PATH = "/v1/messages"
_NO_USAGE = TokenUsage(0, 0)


def write_reply(reply: Reply, frame: ReplyFrame) -> dict[str, Any]:
    """The message."""
    return {
        "id": f"msg_{frame.reply_id}",
        "type": "message",
        "role": "assistant",
        "model": frame.model,
        "content": [block for part in reply.parts for block in _blocks(part)],
        "stop_reason": _REASONS[reply.stop],
        "stop_sequence": reply.stop_sequence,
        "usage": write_usage(reply.usage or _NO_USAGE),
    }


def write_usage(used: TokenUsage) -> dict[str, int]:
    """Usage as this dialect counts it: input does not include what was read from a cache or written to one."""
    return {
        "input_tokens": used.input - used.cached - used.cache_write,
        "cache_creation_input_tokens": used.cache_write,
        "cache_read_input_tokens": used.cached,
        "output_tokens": used.output,
    }


def closing(error: ApiError | None, request_id: str) -> bytes:
    """The last event of a stream: `message_stop`, or the error, which the SDKs raise as an APIError."""
    if error is None:
        return _MESSAGE_STOP
    data = json.dumps(envelope(_ERROR_PATH, error, request_id))
    return f"event: error\ndata: {data}\n\n".encode()


def _blocks(part: Part) -> Iterator[dict[str, Any]]:
    """The blocks of a whole part."""
    match part:
        case Text() | Refusal():
            yield {"type": "text", "text": part.text, **_own(part.extras)}
        case Thinking():
            yield {"type": "thinking", "thinking": part.text, "signature": carriers.signature_of(part)}
        case RedactedThinking():
            yield {"type": "redacted_thinking", "data": carriers.data_of(part)}
        case ToolCall():
            if data := carriers.data_before(part):
                yield {"type": "redacted_thinking", "data": data}
            yield {
                "type": "tool_use",
                "id": part.id,
                "name": part.name,
                "input": input_of(part.arguments),
                **_own(part.extras),
            }
        case _:
            raise AssertionError(f"a reply has no {type(part).__name__}")


def _own(extras: Extras) -> Mapping[str, Any]:
    return extras.get("anthropic_messages", {})


class MessageStreamWriter:
    """Writes the events of one message, but for its end with the usage, which is sent when the call is settled.

    Blocks of a message come one after the other. What belongs to a later block waits until the one before has ended.
    """

    def __init__(self, frame: ReplyFrame) -> None:
        self._frame = frame
        self._usage = _NO_USAGE
        self._stopped: ReplyStopped | None = None
        self._started = False
        self._next_index = 0
        self._waiting: dict[int, list[PartEvent]] = {}
        """Events of the parts that have not ended yet, in order; those of the first one are written at once."""

        self._thoughts: dict[int, Thinking] = {}

    def write(self, event: Event) -> bytes:
        """See `StreamWriter.write`."""
        return b"".join(self._write(event))

    @property
    def response(self) -> None:
        """See `Meter.response`."""

    def closing(self, error: ApiError | None, request_id: str) -> bytes:
        """See `Meter.closing`."""
        last = delta_event(self._stopped, self._usage) if self._stopped and error is None else b""
        return last + closing(error, request_id)

    def count(self, used: TokenUsage) -> None:
        """See `StreamWriter.count`."""
        self._usage = used

    def _write(self, event: Event) -> Iterator[bytes]:
        if not self._started:
            self._started = True
            yield write_event("message_start", message=self._beginning())
        match event:
            case UsageReported():
                self._usage = larger(self._usage, event.usage)
            case ReplyStopped():
                self._stopped = event
            case _:
                yield from self._write_in_order(event)

    def _beginning(self) -> dict[str, Any]:
        return write_reply(Reply((), Stop.END, usage=self._usage), self._frame) | {"stop_reason": None}

    def _write_in_order(self, event: PartEvent) -> Iterator[bytes]:
        self._waiting.setdefault(event.index, []).append(event)
        while self._waiting:
            current = next(iter(self._waiting))
            events, self._waiting[current] = self._waiting[current], []
            for waiting in events:
                yield from self._write_part(waiting)
            if not (events and isinstance(events[-1], PartEnded)):
                return
            del self._waiting[current]

    def _write_part(self, event: PartEvent) -> Iterator[bytes]:
        match event:
            case PartStarted():
                yield from self._start(event.index, event.part)
            case PartGrew():
                yield self._delta(self._delta_of(event))
            case PartSigned():
                thought = self._thoughts[event.index]
                self._thoughts[event.index] = Thinking("", (thought.signature or "") + event.signature, thought.extras)
            case PartEnded():
                if thought := self._thoughts.pop(event.index, None):
                    yield self._delta({"type": "signature_delta", "signature": carriers.signature_of(thought)})
                yield write_event("content_block_stop", index=self._next_index)
                self._next_index += 1

    def _start(self, index: int, part: Part) -> Iterator[bytes]:
        *before, block = _blocks(part)
        for whole in before:
            yield write_event("content_block_start", index=self._next_index, content_block=whole)
            yield write_event("content_block_stop", index=self._next_index)
            self._next_index += 1
        if isinstance(part, Thinking):
            self._thoughts[index] = part
            block |= {"signature": ""}
        self._kind = block["type"]
        yield write_event("content_block_start", index=self._next_index, content_block=block)

    def _delta_of(self, event: PartGrew) -> dict[str, str]:
        match self._kind:
            case "thinking":
                return {"type": "thinking_delta", "thinking": event.text}
            case "tool_use":
                return {"type": "input_json_delta", "partial_json": event.text}
            case _:
                return {"type": "text_delta", "text": event.text}

    def _delta(self, delta: Mapping[str, str]) -> bytes:
        return write_event("content_block_delta", index=self._next_index, delta=delta)


def delta_event(stopped: ReplyStopped, used: TokenUsage) -> bytes:
    """The event that says why the message ends, and its usage."""
    delta = {"stop_reason": _REASONS[stopped.stop], "stop_sequence": stopped.stop_sequence}
    return write_event("message_delta", delta=delta, usage=write_usage(used))


def write_event(name: str, **fields: Any) -> bytes:
    """One server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), written_json({"type": name, **fields}))
