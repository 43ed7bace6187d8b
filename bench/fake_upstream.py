"""A fake OpenAI-compatible upstream that answers every chat completion with the same 24 words, for next to no CPU.

Run it as a process of its own: `python -m bench.fake_upstream --port 9000 --event-delay-ms 2`.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import uvloop

from bench.wire import response, serve

WORDS = tuple(f"word{number:02d} " for number in range(24))
USAGE = {"prompt_tokens": 120, "completion_tokens": len(WORDS), "total_tokens": 120 + len(WORDS)}
IDENTITY: dict[str, Any] = {"id": "chatcmpl-fake", "created": 1_700_000_000, "model": "fake-chat"}


def blocking_body() -> bytes:
    """The body of a blocking completion."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "".join(WORDS)}, "finish_reason": "stop"}
    return json.dumps({**IDENTITY, "object": "chat.completion", "choices": [choice], "usage": USAGE}).encode()


def stream_events(*, with_usage: bool) -> list[bytes]:
    """The server-sent events of a streamed completion: one per word, the finish, the usage if asked for, the end."""
    choices: list[dict[str, Any]] = [{"index": 0, "delta": {"content": w}, "finish_reason": None} for w in WORDS]
    choices[0]["delta"] = {"role": "assistant", "content": WORDS[0]}
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunks: list[dict[str, Any]] = [{"choices": [choice]} for choice in choices]
    if with_usage:
        chunks.append({"choices": [], "usage": USAGE})
    bodies = [json.dumps({**IDENTITY, "object": "chat.completion.chunk", **chunk}) for chunk in chunks]
    return [f"data: {body}\n\n".encode() for body in [*bodies, "[DONE]"]]


def _chunked(events: list[bytes]) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(event), event) for event in events]


JSON = "application/json"
BLOCKING = response("200 OK", JSON, blocking_body())
NOT_FOUND = response("404 Not Found", JSON, b'{"error":{"message":"no such path","type":"invalid_request_error"}}')
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
STREAM_END = b"0\r\n\r\n"
STREAMS = {asked: _chunked(stream_events(with_usage=asked)) for asked in (False, True)}


def answer(path: bytes, body: bytes, event_delay: float) -> bytes | AsyncIterator[bytes]:
    """The response to one request; `event_delay` is in seconds before each event of a stream."""
    if not path.endswith(b"/chat/completions"):
        return NOT_FOUND
    request: dict[str, Any] = json.loads(body)
    if not request.get("stream"):
        return BLOCKING
    options: dict[str, Any] = request.get("stream_options") or {}
    return _stream(STREAMS[bool(options.get("include_usage"))], event_delay)


async def _stream(events: Sequence[bytes], event_delay: float) -> AsyncIterator[bytes]:
    yield STREAM_HEAD
    for event in events:
        await asyncio.sleep(event_delay)
        yield event
    yield STREAM_END


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--event-delay-ms", type=float, default=0.0)
    options = parser.parse_args()
    uvloop.run(serve(options.port, partial(answer, event_delay=options.event_delay_ms / 1000)))


if __name__ == "__main__":
    main()
