"""Server-sent events of a chat stream: passed on as they are, read only for what billing needs.

https://html.spec.whatwg.org/multipage/server-sent-events.html; the stream ends with `data: [DONE]`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from callmissed_ai.dialects.openai_chat import TokenUsage, delta_text, read_usage

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"
_END = re.compile(rb"\r?\n\r?\n")
_TELLING = re.compile(rb'"usage"\s*:\s*\{|error|data:(?! ?\{)')  # `[DONE]` is no object either
_REPORTED = "the upstream reports an error"
_ENDLESS = "an event without end"
_ERROR_NAME = re.compile(rb"^event:[ ]?error[ ]*\r?$", re.MULTILINE)
_FIELDS = (b"data:", b":", b"event:", b"id:", b"retry:")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LONGEST_EVENT = 8 * 1024 * 1024
_FOLD_BYTES = 1024 * 1024


class _Nonsense(Exception):
    """An event whose data is no JSON object."""


class StreamMeter:
    """Reads one chat stream on its way through.

    `feed` returns what may be passed on at once: whole events, without `[DONE]`, and without the usage chunk unless
    the caller asked for it. Only events that tell of usage, an error or the end are parsed. Nothing passes after the
    end (`finished`), nor after an error or what is no event stream (`broken` says why).
    """

    def __init__(self, *, wants_usage: bool) -> None:
        self.usage: TokenUsage | None = None
        self.finished = False
        self.broken = ""
        self._wants_usage = wants_usage
        self._tail = b""
        self._passed: list[bytes] = []
        self._passed_bytes = 0
        self._written: list[str] = []

    def feed(self, chunk: bytes) -> bytes:
        """Take what the upstream sent; returns what to send on."""
        data = self._tail + chunk if self._tail else chunk
        if data.endswith(b"\n\n"):
            whole, self._tail = data, b""
        else:
            whole, self._tail = _split_last(data)
        if _TELLING.search(whole):
            whole = b"".join(self._telling(whole))
        if len(self._tail) > _LONGEST_EVENT:
            self.broken = self.broken or _ENDLESS
        self._keep(whole)
        return whole

    def end(self) -> None:
        """Take note that the upstream has closed the stream; one that forgot the last blank line has ended too."""
        self.finished = self.finished or (not self.broken and _data(self._tail) == b"[DONE]")

    def written(self) -> str:
        """Everything that the model wrote so far, for the tokenizer."""
        self._fold()
        return "".join(self._written)

    def _telling(self, events: bytes) -> Iterator[bytes]:
        for event in _split(events):
            if self.finished or self.broken:
                return
            if _TELLING.search(event) is None or not self._consumed(event):
                yield event

    def _consumed(self, event: bytes) -> bool:
        """Note what `event` tells; True when it must not be passed on."""
        data = _data(event)
        self.finished = data == b"[DONE]"
        if self.finished or not data:
            return self.finished
        try:
            chunk = _parse(data)
        except _Nonsense as error:
            self.broken = str(error)
            return True
        if _tells_error(event, chunk):
            self.broken = _REPORTED
            return True
        usage = read_usage(chunk.get("usage"))
        self.usage = usage or self.usage
        return usage is not None and not chunk.get("choices") and not self._wants_usage

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
    """Whether a body that begins like this can be an event stream; a first piece may be a single byte."""
    head = first.removeprefix(_BYTE_ORDER_MARK).lstrip()
    return any(head.startswith(field) or field.startswith(head) for field in _FIELDS)


def fails_at_once(first: bytes) -> bool:
    """Whether the first piece of a stream holds an error, and nothing but comments before it."""
    return _broken_at_once(first) == _REPORTED


def is_nonsense_at_once(first: bytes) -> bool:
    """Whether the first event in the first piece of a stream is no chunk of a reply, nor an error."""
    return _broken_at_once(first) not in ("", _REPORTED, _ENDLESS)


def _broken_at_once(first: bytes) -> str:
    meter = StreamMeter(wants_usage=True)
    passed = meter.feed(first)
    return "" if _data(passed) else meter.broken


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
    if start < len(events):
        yield events[start:]  # blank lines beyond the one that ends an event


def _data(event: bytes) -> bytes:
    lines = [line[5:].strip() for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        chunk: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise _Nonsense("an event that is not JSON") from None
    if not isinstance(chunk, dict):
        raise _Nonsense("an event that is no object")
    return cast("dict[str, Any]", chunk)


def _lenient(data: bytes) -> dict[str, Any]:
    try:
        return _parse(data)
    except _Nonsense:
        return {}


def _tells_error(event: bytes, chunk: Mapping[str, Any]) -> bool:
    """Upstreams have three ways: an `error` in the chunk, a chunk that is one, an event of that name."""
    is_one = "error" in (chunk.get("object"), chunk.get("type"))
    return bool(chunk.get("error")) or is_one or _ERROR_NAME.search(event) is not None
