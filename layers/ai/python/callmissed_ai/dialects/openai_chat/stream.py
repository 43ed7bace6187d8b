"""A chat stream: passed on as it is, read only for what billing needs. It ends with `data: [DONE]`."""

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

from callmissed.errors import ApiError, envelope
from callmissed_ai.charges import Charges
from callmissed_ai.dialects.openai_chat.reply import written_text
from callmissed_ai.dialects.openai_chat.usage import read_usage
from callmissed_ai.errors import unusable_reply
from callmissed_ai.streams.sse import data_of, is_event_stream, split, split_last
from callmissed_ai.tokens.usage import TokenUsage
from callmissed_ai.transports.base import UpstreamUnreachable

DONE = b"data: [DONE]\n\n"
_RELEVANT = re.compile(rb'"usage"\s*:\s*\{|error|data:(?! ?\{)')  # `[DONE]` is no object either
_REPORTED = "the upstream reports an error"
_ENDLESS = "an event without end"
_PATH = "/v1/chat/completions"
_ERROR_NAME = re.compile(rb"^event:[ ]?error[ ]*\r?$", re.MULTILINE)
_MAX_EVENT_BYTES = 8 * 1024 * 1024
_FOLD_BYTES = 1024 * 1024


Charge = Callable[[TokenUsage | None, Callable[[], str]], Awaitable[Charges]]
"""Charges for the reported usage, or where there is none for what was written."""


class _UnreadableEvent(Exception):
    """An event whose data is no JSON object."""


class ChatStreamMeter:
    """Reads one chat stream on its way through.

    `feed` returns what may be passed on at once: whole events, without `[DONE]`, and without the usage chunk unless
    the caller asked for it. Only events that concern usage, an error or the end are parsed. Nothing passes after the
    end (`finished`), nor after an error or what is no event stream (`broken` says why).
    """

    def __init__(self, *, wants_usage: bool, charge: Charge) -> None:
        self.usage: TokenUsage | None = None
        self.finished = False
        self.broken = ""
        self._wants_usage = wants_usage
        self._charge = charge
        self._tail = b""
        self._passed: list[bytes] = []
        self._passed_bytes = 0
        self._written: list[str] = []

    def feed(self, chunk: bytes) -> bytes:
        """Take what the upstream sent; returns what to send on."""
        whole, self._tail = split_last(self._tail + chunk if self._tail else chunk)
        if _RELEVANT.search(whole):
            whole = b"".join(self._relevant(whole))
        if len(self._tail) > _MAX_EVENT_BYTES:
            self.broken = self.broken or _ENDLESS
        self._keep(whole)
        return whole

    def end(self) -> bytes:
        """Record that the upstream has closed the stream; one that forgot the last blank line has ended too."""
        self.finished = self.finished or (not self.broken and data_of(self._tail) == b"[DONE]")
        if not self.finished:
            self.broken = self.broken or "no [DONE]"
        return b""

    async def charges(self) -> Charges:
        """See `Meter.charges`."""
        return await self._charge(self.usage, self.written)

    def written(self) -> str:
        """Everything that the model wrote so far, for the tokenizer."""
        self._fold()
        return "".join(self._written)

    def _relevant(self, events: bytes) -> Iterator[bytes]:
        for event in split(events):
            if self.finished or self.broken:
                return
            if _RELEVANT.search(event) is None or not self._consumed(event):
                yield event

    def _consumed(self, event: bytes) -> bool:
        """Read `event`; True when it must not be passed on."""
        data = data_of(event)
        self.finished = data == b"[DONE]"
        if self.finished or not data:
            return self.finished
        try:
            chunk = _parse(data)
        except _UnreadableEvent as error:
            self.broken = str(error)
            return True
        if _is_error(event, chunk):
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
            self._written += [written_text(_lenient(data_of(event))) for event in split(events)]


def closing(error: ApiError | None, request_id: str) -> bytes:
    """The last bytes of a stream: `[DONE]`, or the error, which the SDKs raise as an APIError."""
    if error is None:
        return DONE
    return b"data: " + json.dumps(envelope(_PATH, error, request_id)).encode() + b"\n\n"


def check_beginning(first: bytes) -> None:
    """Check the first piece of a stream.

    Raises UpstreamUnreachable when it holds an error and nothing but comments before it, ApiError 502 when its first
    event is no chunk of a reply.
    """
    broken = _broken_at_once(first)
    if broken == _REPORTED:
        raise UpstreamUnreachable("a stream of one error")
    if not is_event_stream(first) or broken not in ("", _ENDLESS):
        raise unusable_reply("no event stream")


async def _uncharged(_usage: TokenUsage | None, _written: Callable[[], str]) -> Charges:
    return Charges(())


def _broken_at_once(first: bytes) -> str:
    meter = ChatStreamMeter(wants_usage=True, charge=_uncharged)
    passed = meter.feed(first)
    return "" if data_of(passed) else meter.broken


def _parse(data: bytes) -> dict[str, Any]:
    try:
        chunk: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise _UnreadableEvent("an event that is not JSON") from None
    if not isinstance(chunk, dict):
        raise _UnreadableEvent("an event that is no object")
    return cast("dict[str, Any]", chunk)


def _lenient(data: bytes) -> dict[str, Any]:
    try:
        return _parse(data)
    except _UnreadableEvent:
        return {}


def _is_error(event: bytes, chunk: Mapping[str, Any]) -> bool:
    """Upstreams have three ways: an `error` in the chunk, a chunk that is one, an event of that name."""
    is_one = "error" in (chunk.get("object"), chunk.get("type"))
    return bool(chunk.get("error")) or is_one or _ERROR_NAME.search(event) is not None
