"""The tenants' servers: `/ok` takes every event, `/hang` never answers.

`GET /arrivals` returns when each event first came to `/ok`, and clears the list: seconds of the monotonic clock, which
all processes of a machine share. Run it as a process of its own: `python -m bench.delivery.receiver --port 9000`.
"""

import argparse
import asyncio
import json
import time
from collections.abc import AsyncIterator

import uvloop

from bench.wire import response, serve

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver:
    """Answers for all endpoints, and records the arrivals."""

    def __init__(self) -> None:
        self._arrivals: dict[str, float] = {}

    def answer(self, path: bytes, body: bytes) -> bytes | AsyncIterator[bytes]:
        """The response to one request."""
        match path:
            case b"/hang":
                return _silence()
            case b"/arrivals":
                return self._taken()
            case _:
                self._arrivals.setdefault(json.loads(body)["id"], time.monotonic())
                return NO_CONTENT

    def _taken(self) -> bytes:
        arrivals, self._arrivals = self._arrivals, {}
        return response("200 OK", "application/json", json.dumps(arrivals).encode())


async def _silence() -> AsyncIterator[bytes]:
    await asyncio.get_running_loop().create_future()
    yield b""


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port, Receiver().answer))


if __name__ == "__main__":
    main()
