"""A fake upstream of every dialect that answers each call with the same 24 words, for next to no CPU; and searches.

Run it as a process of its own: `python -m bench.fake_upstream --port 9000 --event-delay-ms 2`.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import uvloop

from bench.dialects import CHAT, DIALECTS, events, reply
from bench.wire import response, serve


def _chunked(stream: Sequence[bytes]) -> list[bytes]:
    return [b"%x\r\n%b\r\n" % (len(event), event) for event in stream]


JSON = "application/json"
BLOCKING = {name: response("200 OK", JSON, reply(name)) for name in DIALECTS}
NOT_FOUND = response("404 Not Found", JSON, b'{"error":{"message":"no such path","type":"invalid_request_error"}}')
SEARCHED = response(
    "200 OK", JSON, b'{"organic":[{"title":"A page","link":"https://example.com/","snippet":"of words"}]}'
)
STREAM_END = b"0\r\n\r\n"
STREAMS = {name: _chunked(events(name)) for name in DIALECTS}
CHAT_WITHOUT_USAGE = _chunked(events(CHAT, with_usage=False))
STREAM_HEADS = {
    name: f"HTTP/1.1 200 OK\r\ncontent-type: {wire.stream_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    for name, wire in DIALECTS.items()
}
PATHS = {path.encode(): name for name, wire in DIALECTS.items() for path in (wire.path, wire.stream_path) if path}
STREAM_PATHS = tuple(wire.stream_path.encode() for wire in DIALECTS.values() if wire.stream_path)


def answer(path: bytes, body: bytes, event_delay: float) -> bytes | AsyncIterator[bytes]:
    """The response to one request; `event_delay` is in seconds before each event of a stream."""
    dialect = next((name for end, name in PATHS.items() if path.endswith(end)), None)
    if dialect is None:
        return SEARCHED if path.endswith(b"/search") else NOT_FOUND
    request: dict[str, Any] = json.loads(body)
    if not (request.get("stream") or path.endswith(STREAM_PATHS)):
        return BLOCKING[dialect]
    options: dict[str, Any] = request.get("stream_options") or {}
    asks_for_usage = dialect != CHAT or options.get("include_usage")
    pieces = STREAMS[dialect] if asks_for_usage else CHAT_WITHOUT_USAGE
    return _stream(STREAM_HEADS[dialect], pieces, event_delay)


async def _stream(head: bytes, pieces: Sequence[bytes], event_delay: float) -> AsyncIterator[bytes]:
    yield head
    for piece in pieces:
        await asyncio.sleep(event_delay)
        yield piece
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
