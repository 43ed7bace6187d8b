"""A model that does not answer before it is released: the slowest there is."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from aiohttp import web

from bench.dialects import CHAT, reply
from bench.ours import MODELS, write_providers

HELD_MODEL = MODELS[CHAT]
_MAX_HELD_SECONDS = 45.0


class HeldModel:
    """An upstream that answers chats once `release` was called. `providers` is the operator's file that names it."""

    def __init__(self, providers: Path) -> None:
        self.providers = providers
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let it answer."""
        self._released.set()

    async def answer(self, _request: web.Request) -> web.Response:
        """Answer a chat."""
        try:
            async with asyncio.timeout(_MAX_HELD_SECONDS):
                await self._released.wait()
        except TimeoutError:
            pass  # somebody waits for it, which the caller finds
        return web.json_response(json.loads(reply(CHAT)))


@asynccontextmanager
async def held_model() -> AsyncGenerator[HeldModel]:
    """The model, on a free port of loopback, until the block ends."""
    with TemporaryDirectory() as scratch:
        model = HeldModel(Path(scratch) / "providers.toml")
        app = web.Application()
        app.router.add_post("/{path:.*}", model.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            write_providers(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", Path(scratch))
            yield model
        finally:
            await runner.cleanup()
