"""Server-sent events of a chat stream: passed on as they are, read only for what billing needs.

https://html.spec.whatwg.org/multipage/server-sent-events.html; the stream ends with `data: [DONE]`.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from functions.inference.dialects.openai_chat import TokenUsage, delta_text, read_usage

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
_END = re.compile(rb"\r?\n\r?\n")
_TELLING = re.compile(rb'"usage"\s*:\s*\{|"error"\s*:\s*[{"]|data:\s*\[DONE\]')
_LONGEST_EVENT = 8 * 1024 * 1024
_FOLD_BYTES = 1024 * 1024


class BrokenStream(Exception):
    """The upstream sent what is no event stream, or an error in the midst of it."""


class StreamMeter:
    """Reads one chat stream on its way through.

    `feed` returns what may be passed on at once: whole events, without `[DONE]`, and without the usage chunk unless
    the caller asked for it. Only events that tell of usage, an error or the end are parsed.
    """

    def __init__(self, *, wants_usage: bool) -> None:
        self.usage: TokenUsage | None = None
        self.finished = False
        self._wants_usage = wants_usage
        self._tail = b""
        self._passed: list[bytes] = []
        self._passed_bytes = 0
        self._written: list[str] = []

    def feed(self, chunk: bytes) -> bytes:
        """Take what the upstream sent; returns what to send on. Raises BrokenStream."""
        data = self._tail + chunk if self._tail else chunk
        if data.endswith(b"\n\n"):
            whole, self._tail = data, b""
        else:
            whole, self._tail = _split_last(data)
            if len(self._tail) > _LONGEST_EVENT:
                raise BrokenStream("an event without end")
        if _TELLING.search(whole):
            whole = b"".join(self._telling(whole))
        self._keep(whole)
        return whole

    def written(self) -> str:
        """Everything that the model wrote so far, for the tokenizer."""
        self._fold()
        return "".join(self._written)

    def _telling(self, events: bytes) -> Iterator[bytes]:
        for event in _split(events):
            if _TELLING.search(event) is None or not self._consumed(event):
                yield event

    def _consumed(self, event: bytes) -> bool:
        """Note what `event` tells; True when it must not be passed on."""
        data = _data(event)
        if data == b"[DONE]":
            self.finished = True
            return True
        chunk = _parse(data)
        if chunk.get("error"):
            raise BrokenStream("the upstream reports an error")
        usage = read_usage(chunk.get("usage"))
        if usage is None:
            return False
        self.usage = usage
        return not chunk.get("choices") and not self._wants_usage

    def _keep(self, events: bytes) -> None:
        self._passed.append(events)
        self._passed_bytes += len(events)
        if self._passed_bytes > _FOLD_BYTES:
            self._fold()

    def _fold(self) -> None:
        """Reduce what was passed on to the text in it, a tenth of its size."""
        events, self._passed, self._passed_bytes = b"".join(self._passed), [], 0
        if self.usage is None:
            self._written += [delta_text(_lenient(_data(event))) for event in _split(events)]


def error_event(body: dict[str, Any]) -> bytes:
    """An error that ends a stream; the SDKs raise it as an APIError."""
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def is_event_stream(first: bytes) -> bool:
    """Whether a body that begins like this can be an event stream."""
    return first.lstrip().startswith((b"data:", b":", b"event:", b"id:", b"retry:"))


def _split_last(data: bytes) -> tuple[bytes, bytes]:
    end = 0
    for found in _END.finditer(data):
        end = found.end()
    return data[:end], data[end:]


def _split(events: bytes) -> Iterator[bytes]:
    start = 0
    for found in _END.finditer(events):
        yield events[start : found.end()]
        start = found.end()


def _data(event: bytes) -> bytes:
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        chunk: Any = json.loads(data)
    except ValueError:
        raise BrokenStream("an event that is not JSON") from None
    if not isinstance(chunk, dict):
        raise BrokenStream("an event that is no object")
    return cast("dict[str, Any]", chunk)


def _lenient(data: bytes) -> dict[str, Any]:
    try:
        return _parse(data)
    except BrokenStream:
        return {}
