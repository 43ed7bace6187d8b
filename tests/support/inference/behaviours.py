"""What an upstream can do to us, well or badly. Each function makes one behaviour for `FakeUpstream.will`."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web

from callmissed_ai.audio.wav import header
from tests.support.inference.image_objects import images_reply, png
from tests.support.inference.upstream import Behaviour, Gate, Received

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
EMBEDDING_USAGE = {"prompt_tokens": 8, "total_tokens": 8}
WORDS = ("Hello", " there", ",", " friend")
DONE = b"data: [DONE]\n\n"
SECRET_TEXT = "internal-upstream-detail-4711"
"""Stands in every unfriendly answer, so that a test can look for it in ours."""

Piece = bytes | Gate

_BREAK_SECONDS = 0.1
"""Where data and the break arrive at once, aiohttp drops the data: the reader has to come first."""


WAV = header(24_000, data_bytes=4_800) + bytes(range(240)) * 20
"""A tenth of a second of audio."""

PAGES: Mapping[str, Any] = {
    "organic": [
        {"title": "One", "link": "https://one.example/a", "snippet": "the first", "date": "2 May 2026"},
        {"title": "Two", "link": "https://two.example/"},
    ],
    "answerBox": {"answer": "42"},
}
"""Pages that Serper finds."""


HEARD: Mapping[str, Any] = {
    "task": "transcribe",
    "language": "english",
    "duration": 1.5,
    "text": "Hello there.",
    "segments": [{"id": 0, "start": 0.0, "end": 1.25, "text": " Hello there.", "avg_logprob": -0.2}],
    "words": [{"word": "Hello", "start": 0.0, "end": 0.5}, {"word": "there", "start": 0.5, "end": 1.25}],
    "usage": {"type": "duration", "seconds": 2},
}
"""What Whisper hears, which counts whole seconds."""


def completion(content: str | None = "Hello there", *, usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    """A chat completion; without `usage` when that is None."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": content, **message},
        "finish_reason": "tool_calls" if "tool_calls" in message else "stop",
    }
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "upstream", "choices": [choice]}
    return body if usage is None else body | {"usage": usage}


def vectors(count: int = 1, *, usage: Any = EMBEDDING_USAGE, **more: Any) -> dict[str, Any]:
    """As many embeddings of four dimensions; without `usage` when that is None."""
    data = [{"object": "embedding", "index": index, "embedding": [1.0, 0.5, -0.25, index]} for index in range(count)]
    body = {"object": "list", "data": data, "model": "upstream", **more}
    return body if usage is None else body | {"usage": usage}


def chunk(delta: Mapping[str, Any] | None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk with one choice, or with none when `delta` is None."""
    choices = [] if delta is None else [{"index": 0, "delta": dict(delta), "finish_reason": finish}]
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream"}
    return {**frame, "choices": choices, **more}


def event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def content_events(words: Sequence[str] = WORDS) -> list[bytes]:
    """A chunk a word and the one with the finish reason."""
    deltas = [{"role": "assistant", "content": words[0]}, *({"content": word} for word in words[1:])]
    return [event(chunk(delta)) for delta in deltas] + [event(chunk({}, finish="stop"))]


def usage_event(usage: Any = USAGE) -> bytes:
    """The chunk with the usage of a stream."""
    return event(chunk(None, usage=usage))


def whole_stream(usage: Any = USAGE) -> list[bytes]:
    """A stream as the specification has it."""
    return [*content_events(), usage_event(usage), DONE]


def reply(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None, gate: Gate | None = None
) -> Behaviour:
    """A JSON answer, after `gate` if there is one."""

    async def behave(_request: web.Request, _received: Received) -> web.StreamResponse:
        if gate:
            await gate.pass_through()
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")

    return behave


def fails(status: int, code: str | None = None, param: str | None = None) -> Behaviour:
    """A refusal in OpenAI's envelope."""
    error = {"message": f"No: {SECRET_TEXT}", "type": "some_error", "code": code, "param": param}
    return reply({"error": error}, status, {"Retry-After": "77"})


def says(
    body: bytes, content_type: str = "text/html", status: int = 200, headers: Mapping[str, str] | None = None
) -> Behaviour:
    """Any bytes as any type."""

    async def behave(_request: web.Request, _received: Received) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers={"Content-Type": content_type, **(headers or {})})

    return behave


def streams(pieces: Iterable[Piece], *, breaks: bool = False) -> Behaviour:
    """Server-sent events, each piece written on its own; `breaks` cuts the connection after the last.

    The body's end leaves together with the last piece, so that whether a caller keeps the connection is no race.
    """
    pieces = list(pieces)

    async def behave(request: web.Request, _received: Received) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        *before, last = pieces
        if breaks or isinstance(last, Gate):
            await _write(request, response, pieces)
        else:
            await _write(request, response, before)
            await response.write_eof(last)
            await _write(request, response, ())
        if breaks:
            await asyncio.sleep(_BREAK_SECONDS)
            _abort(request)
        return response

    return behave


def breaks_mid_body(status: int = 200) -> Behaviour:
    """A blocking answer that promises more bytes than it sends."""

    async def behave(request: web.Request, _received: Received) -> web.StreamResponse:
        response = web.StreamResponse(
            status=status, headers={"Content-Type": "application/json", "Content-Length": "5000"}
        )
        await response.prepare(request)
        await _write(request, response, [json.dumps(completion()).encode()])
        _abort(request)
        return response

    return behave


def hangs() -> Behaviour:
    """No answer, ever."""

    async def behave(_request: web.Request, _received: Received) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return behave


def resets() -> Behaviour:
    """The connection dies before the head of the answer."""

    async def behave(request: web.Request, _received: Received) -> web.StreamResponse:
        _abort(request)
        return web.Response()

    return behave


def writes(*pieces: bytes) -> Behaviour:
    """These bytes as they are, head and all; then the connection stays open."""

    async def behave(request: web.Request, _received: Received) -> web.StreamResponse:
        for piece in pieces:
            assert request.transport is not None
            request.transport.write(piece)  # pyright: ignore[reportAttributeAccessIssue]
            await asyncio.sleep(0.02)
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return behave


def garbles_head() -> Behaviour:
    """Bytes that are no HTTP."""
    return writes(f"\x00\xff {SECRET_TEXT} is no HTTP\r\n\r\n".encode("latin-1"))


def writes_and_closes(wire: bytes) -> Behaviour:
    """These bytes on the wire, and the connection's end."""

    async def behave(request: web.Request, _received: Received) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(wire)  # pyright: ignore[reportAttributeAccessIssue]
        request.transport.close()
        return web.Response()

    return behave


async def ordinary(request: web.Request, received: Received) -> web.StreamResponse:
    """What an upstream does when all is well: answers in the shape that was asked for."""
    asked = received.body
    if received.path.endswith("/embeddings"):
        return await reply(vectors(_input_count(asked["input"])))(request, received)
    if received.path.endswith(("/audio/transcriptions", "/audio/translations")):
        return await reply(HEARD)(request, received)
    if received.path.endswith("/images/generations"):
        return await reply(images_reply(*map(png, range(asked["n"]))))(request, received)
    if received.path.endswith("/search"):
        return await reply(PAGES)(request, received)
    if received.path.endswith(("/audio/speech", "/speak")):
        return await says(WAV, "audio/wav")(request, received)
    if not asked.get("stream"):
        return await reply(completion())(request, received)
    wants_usage = (asked.get("stream_options") or {}).get("include_usage")
    pieces = whole_stream() if wants_usage else [*content_events(), DONE]
    return await streams(pieces)(request, received)


def _input_count(value: Any) -> int:
    return len(value) if isinstance(value, list) and not isinstance(value[0], int) else 1


def endless(piece: bytes, after: Iterable[bytes] = ()) -> Behaviour:
    """The same piece until the caller hangs up, `after` others."""

    async def behave(request: web.Request, _received: Received) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await _write(request, response, after)
        async for part in _forever(piece):
            await response.write(part)
        return response

    return behave


async def _forever(piece: bytes) -> AsyncIterator[bytes]:
    while True:
        yield piece
        await asyncio.sleep(0)


async def _write(request: web.Request, response: web.StreamResponse, pieces: Iterable[Piece]) -> None:
    for piece in pieces:
        if isinstance(piece, Gate):
            await piece.pass_through()
        else:
            await response.write(piece)
            await asyncio.sleep(0)
    if request.transport is None:
        raise ConnectionResetError


def _abort(request: web.Request) -> None:
    assert request.transport is not None
    request.transport.abort()  # pyright: ignore[reportAttributeAccessIssue]
