"""An endpoint of a tenant on this machine, which verifies what arrives with the Standard Webhooks library."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from local.ports import HOST
from rehearsal.errors import SmokeError

_WAIT_SECONDS = 45.0


class Receiver:
    """Keeps verified events. `secret` is the webhook's, once there is one; the next `refuses` events get 503."""

    def __init__(self) -> None:
        self.secret = ""
        self.url = ""
        self.refuses = 0
        self._arrived = asyncio.Condition()
        self._events: list[dict[str, Any]] = []

    async def wait_for(self, kind: str, times: int = 1) -> dict[str, Any]:
        """The newest event of a type, once it came so many times. Raises SmokeError after 45 seconds."""
        try:
            async with self._arrived, asyncio.timeout(_WAIT_SECONDS):
                await self._arrived.wait_for(lambda: len(self._of(kind)) >= times)
        except TimeoutError:
            came = [event["event"] for event in self._events]
            raise SmokeError(f"webhook: '{kind}' did not arrive {times} times; what arrived: {came}") from None
        return self._of(kind)[-1]

    def _of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self._events if event["event"] == kind]

    async def receive(self, request: web.Request) -> web.Response:
        """Answer one delivery: 401 for a signature that is wrong."""
        body = await request.text()
        try:
            Verifier(self.secret).verify(body, dict(request.headers.items()), json_parse=False)
        except WebhookVerificationError:
            return web.Response(status=401)
        if self.refuses:
            self.refuses -= 1
            return web.Response(status=503)
        async with self._arrived:
            self._events.append(json.loads(body))
            self._arrived.notify_all()
        return web.Response(status=204)


@asynccontextmanager
async def receiving() -> AsyncGenerator[Receiver]:
    """A receiver that listens until the block ends."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hooks", receiver.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    receiver.url = f"http://{HOST}:{runner.addresses[0][1]}/hooks"
    try:
        yield receiver
    finally:
        await runner.cleanup()
