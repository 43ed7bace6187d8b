"""A small HTTP server in DynamoDB's place: answers as its script says, and remembers what it was asked."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from aiohttp import web

OK = (200, b"{}")


class FailedAnswer(Enum):
    """An answer that is none."""

    HANGS = auto()
    HANGS_UP = auto()
    BREAKS_OFF = auto()
    ANSWERS_AND_CLOSES = auto()


Step = tuple[int, bytes] | FailedAnswer


def refusal(status: int, code: str, **more: Any) -> tuple[int, bytes]:
    """An error answer as DynamoDB words it."""
    return status, json.dumps(
        {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "as scripted", **more}
    ).encode()


@dataclass
class ScriptedDynamoDB:
    """`script` are the next answers, in order; after them all is well."""

    endpoint: str = ""
    script: list[Step] = field(default_factory=list[Step])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    bodies: list[bytes] = field(default_factory=list[bytes])
    connections: set[int] = field(default_factory=set[int])
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def will(self, *steps: Step) -> None:
        """Set what the next requests meet."""
        self.script = list(steps)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, by the script."""
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.connections.add(request.get_extra_info("peername")[1])
        step = self.script.pop(0) if self.script else OK
        if isinstance(step, tuple):
            return web.Response(status=step[0], body=step[1], content_type="application/x-amz-json-1.0")
        if step is FailedAnswer.HANGS:
            await self.over.wait()
        return await _broken(request, step)


async def _broken(request: web.BaseRequest, step: FailedAnswer) -> web.StreamResponse:
    assert request.transport is not None
    response = web.StreamResponse(headers={"Content-Length": "2"})
    if step in (FailedAnswer.BREAKS_OFF, FailedAnswer.ANSWERS_AND_CLOSES):
        await response.prepare(request)
        await response.write(b"{")
    if step is FailedAnswer.ANSWERS_AND_CLOSES:
        await response.write(b"}")
        await response.write_eof()
        request.transport.close()
    else:
        request.transport.abort()
    return response


@asynccontextmanager
async def serving() -> AsyncGenerator[ScriptedDynamoDB]:
    """Run the server on a free port of this machine."""
    fake = ScriptedDynamoDB()
    runner = web.ServerRunner(web.Server(fake.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    fake.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    try:
        yield fake
    finally:
        fake.over.set()
        await runner.cleanup()
