"""S3 as far as objects are put into it, by a process of its own, with puts at which that process stands."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class ObjectServer:
    """Objects by bucket and key."""

    objects: dict[str, bytes] = field(default_factory=dict[str, bytes])
    url: str = ""
    _stops: dict[str, tuple[bool, asyncio.Event]] = field(default_factory=dict[str, tuple[bool, asyncio.Event]])
    _over: asyncio.Event = field(default_factory=asyncio.Event)

    def stop(self, about: str, *, stored: bool) -> asyncio.Event:
        """Answer no put of a name with `about` in it, and store it only if `stored`; the event says that one came."""
        self._stops[about] = stored, asyncio.Event()
        return self._stops[about][1]

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator["ObjectServer"]:
        """Serve on a free port of loopback until the block ends."""
        app = web.Application(client_max_size=2**26)
        app.router.add_put("/{name:.+}", self._put)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._over.set()
            await runner.cleanup()

    async def _put(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.read()
        stored, stop = next((stop for about, stop in self._stops.items() if about in name), (True, None))
        if stored:
            self.objects[name] = body
        if stop:
            stop.set()
            await self._over.wait()
        return web.Response(headers={"ETag": '"an-etag"'})
