"""A receiver of webhooks on a free port of the loopback interface, which verifies what comes."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager
from hmac import compare_digest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from functions.webhooks.delivery.signing import headers

ReceivedEvent = Mapping[str, Any]

_MAX_BYTES = 1024 * 1024
_MAX_AGE_SECONDS = 300


class WebhookReceiver:
    """Events that were signed with `secret`, which is set when the webhook for `url` exists; until then none is."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.secret = ""
        self._loop = loop
        self._received: asyncio.Queue[ReceivedEvent] = asyncio.Queue()

    async def events(self) -> AsyncIterator[ReceivedEvent]:
        """Events as they come, without an end."""
        while True:
            yield await self._received.get()

    def receive(self, given: Mapping[str, str], body: bytes) -> int:
        """The status for a request: 204 for an event, 400 for anything else. Called by threads of the server."""
        if not self._is_signed(given, body):
            return 400
        self._loop.call_soon_threadsafe(self._received.put_nowait, json.loads(body))
        return 204

    def _is_signed(self, given: Mapping[str, str], body: bytes) -> bool:
        sent = given.get("webhook-timestamp", "")
        if not self.secret or not sent.isdecimal() or abs(time.time() - int(sent[:12])) > _MAX_AGE_SECONDS:
            return False
        wanted = headers([self.secret], given.get("webhook-id", ""), "", body, int(sent))["webhook-signature"]
        return any(compare_digest(wanted.encode(), one.encode()) for one in given.get("webhook-signature", "").split())


@contextmanager
def receiving() -> Generator[WebhookReceiver]:
    """A receiver that listens until the block ends; inside of a running event loop."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        receiver = WebhookReceiver(f"http://127.0.0.1:{server.server_port}/", asyncio.get_running_loop())
        server.RequestHandlerClass = type("_BoundHandler", (_Handler,), {"receiver": receiver})
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield receiver
        finally:
            server.shutdown()


class _Handler(BaseHTTPRequestHandler):
    receiver: WebhookReceiver
    timeout = 10

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        known = length.isdecimal() and int(length) <= _MAX_BYTES
        body = self.rfile.read(int(length)) if known else b""
        self.send_response(self.receiver.receive(self.headers, body))  # pyright: ignore[reportArgumentType]  a mapping in all but its base
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: stdout is for events."""
